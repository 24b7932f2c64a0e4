import { expect, test } from "bun:test";
import fc from "fast-check";
import { Changes } from "../../src/location/changes.ts";
import type { Location } from "../../src/location/location.ts";
import type { BindingRow } from "../../src/location/row.ts";
import { BatchPacker } from "../../src/location/sqlite-batch.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { openFile } from "../../src/location/sqlite-schema.ts";
import type { BindingStore } from "../../src/location/store.ts";
import { inOrder, newLocation, register, rowsOf } from "../support/bindings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const WALL = 1_800_000_000_000;

/** What of a location's bindings is not in a file yet. */
class Unwritten implements Pick<BindingStore, "put" | "touch" | "remove"> {
  readonly #location: Location;
  readonly #changes: Changes;
  readonly #packer = new BatchPacker();

  constructor(location: Location) {
    this.#location = location;
    this.#changes = new Changes(location.ceiling);
    this.#packer.begin(null);
    location.store = this as unknown as BindingStore;
  }

  put(slot: number): void {
    this.#changes.put(slot);
  }

  touch(slot: number): void {
    this.#changes.touch(slot);
  }

  remove(slot: number): void {
    this.#changes.forget(slot);
    this.#packer.remove(this.#location.id(slot));
  }

  write(file: SqliteFile): void {
    for (let slot = this.#changes.next(); slot >= 0; slot = this.#changes.next()) {
      this.#packer.add(this.#location, slot, this.#changes.isWhole);
    }
    file.apply(this.#packer.take());
    this.#packer.begin(null);
  }
}

const step = fc.record({
  user: fc.nat(3),
  kind: fc.constantFrom("refresh", "refresh", "change", "remove", "write", "write", "fold"),
});

test("whatever was written and when it was folded, the rows with their journal are the bindings", () => {
  using folder = temporaryFolder();
  let run = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const { location, pass } = newLocation(WALL);
      const unwritten = new Unwritten(location);
      const file = new SqliteFile(openFile(folder.file(`${run++}.db`), true));
      for (const [cseq, { user, kind }] of steps.entries()) {
        const aor = `sip:user${user}@example.com`;
        const known = location.slotOf(aor, "sip:bob@192.0.2.1");
        pass(1000);
        if (kind === "write") unwritten.write(file);
        else if (kind === "fold") file.fold();
        else if (kind === "change") register(location, { aor, cseq, userAgent: `phone/${cseq}` });
        else if (kind === "refresh") {
          register(location, { aor, cseq, userAgent: known < 0 ? "new" : location.row(known).userAgent });
        } else if (known >= 0) location.remove(known, "unregistered");
      }
      unwritten.write(file);
      const rows: BindingRow[] = [];
      for (let page = file.page(-1, 2); page.length > 0; page = file.page(rows.at(-1)!.id, 2)) rows.push(...page);
      expect(inOrder(rows)).toEqual(rowsOf(location));
      const aor = "sip:user1@example.com";
      expect(file.rowsOf(aor)).toEqual(rowsOf(location).filter((row) => row.aor === aor));
      file.fold();
      expect(file.journaled).toBe(0);
      expect(inOrder(file.rows(0))).toEqual(rowsOf(location));
      file.close();
    }),
    { numRuns: 40 },
  );
}, 20_000);

test("what expired is swept out piece by piece, and nothing else", () => {
  using folder = temporaryFolder();
  const { location } = newLocation(WALL);
  const unwritten = new Unwritten(location);
  const file = new SqliteFile(openFile(folder.file("bindings.db"), true));
  for (let user = 0; user < 7000; user++) {
    register(location, { aor: `sip:user${user}@example.com`, expires: user % 7 === 0 ? 100 : 10 });
  }
  unwritten.write(file);
  const later = WALL / 1000 + 50;
  const left = () => [...file.rows(0)].length;
  const sizes = [left()];
  do {
    file.sweep(later);
    sizes.push(left());
  } while (sizes.at(-1) !== sizes.at(-2));
  expect(sizes).toEqual([7000, 5000, 3000, 1000, 1000]);
  expect([...file.rows(later)]).toHaveLength(1000);
  // It begins again from the start.
  file.sweep(later + 100);
  expect(left()).toBe(0);
  file.close();
});
