/** No space left on disk: changes are kept, said not to be stored, and written when there is room again. */
import { describe, expect, test } from "bun:test";
import type { Location } from "../../src/location/location.ts";
import { type SqliteStore, sqliteStore } from "../../src/location/sqlite-store.ts";
import { StoreError } from "../../src/location/store.ts";
import { newLocation, register, rowsOf, StoreLines } from "../support/bindings.ts";
import { peerVerdict } from "../support/sipp.ts";
import { mayMount, type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

const probe = smallDisk(64);
probe?.[Symbol.dispose]();
// A container may be forbidden to mount, in CI too.
const verdict = peerVerdict(probe === null ? null : "mount", mayMount() ? process.env.CI : undefined);

test("where tests run unattended and may mount, there is a small disk", () => {
  expect(verdict, "CI is set and a tmpfs cannot be mounted").not.toBe("fail");
});

/** Registers users until the store says that it has no room for them. @returns how many were registered */
async function registerUntilFull(location: Location, store: SqliteStore, first: number): Promise<number> {
  let user = first;
  while (store.trouble === null) {
    for (const end = user + 200; user < end; user++) {
      register(location, { aor: `sip:user${user}@example.com`, path: "x".repeat(200) });
    }
    await store.settled().catch(() => {});
  }
  return user;
}

describe.skipIf(verdict !== "run")("a full disk", () => {
  async function fullDisk(disk: SmallDisk) {
    const { location } = newLocation();
    const log = new StoreLines();
    const store = sqliteStore({ file: disk.file("bindings.db"), window: 10 });
    await store.open({ location, log });
    location.store = store;
    for (let user = 0; user < 500; user++) register(location, { aor: `sip:user${user}@example.com` });
    await store.settled();
    disk.fill(150_000);
    const users = await registerUntilFull(location, store, 500);
    return { location, store, log, users };
  }

  async function reopened(disk: SmallDisk): Promise<Location> {
    const { location } = newLocation();
    const store = sqliteStore({ file: disk.file("bindings.db") });
    await store.open({ location, log: new StoreLines() });
    await store.close();
    return location;
  }

  test("is said, once, and look-ups go on; with room again all is written, and that is said", async () => {
    using disk = smallDisk(4096)!;
    const { location, store, log, users } = await fullDisk(disk);
    expect(store.trouble).toBe("no space left on disk");
    await expect(store.settled()).rejects.toThrow(StoreError);
    // A second try, and changes that come in between.
    await until("the next try", () => store.counters.failures >= 2);
    register(location, { aor: "sip:user0@example.com", cseq: 77 });
    location.remove(location.slotOf("sip:user1@example.com", "sip:bob@192.0.2.1"), "deactivated");
    expect(location.size).toBe(users - 1);
    expect(log.of("error")).toEqual(["bindings cannot be stored"]);

    disk.empty();
    await until("the end of the trouble", () => store.trouble === null);
    await store.settled();
    expect(log.of("info")).toEqual(["bindings loaded", "bindings are stored again"]);
    expect(log.of("error")).toHaveLength(1);
    register(location, { aor: "sip:late@example.com" });
    const before = rowsOf(location);
    await store.close();
    expect(rowsOf(await reopened(disk))).toEqual(before);
  }, 30_000);

  test("that stays full until the server ends costs what could not be written, which is said, and no more", async () => {
    using disk = smallDisk(4096)!;
    const { location, store, log, users } = await fullDisk(disk);
    register(location, { aor: "sip:late@example.com" });
    await store.close();
    expect(log.of("error")).toEqual(["bindings cannot be stored", "changes of bindings were not stored"]);
    const lost = Number(log.lines.at(-1)!.fields.lost);
    disk.empty();
    const { size } = await reopened(disk);
    expect(size).toBe(users + 1 - lost);
    expect(size).toBeGreaterThanOrEqual(500);
  }, 30_000);
});
