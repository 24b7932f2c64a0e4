import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import type { Location } from "../../src/location/location.ts";
import { BindingFlag } from "../../src/location/row.ts";
import { type SqliteStore, type SqliteStoreOptions, sqliteStore } from "../../src/location/sqlite-store.ts";
import { sqliteTool } from "../../src/location/sqlite-tool.ts";
import { StoreError } from "../../src/location/store.ts";
import { newLocation, register, rowsOf, StoreLines } from "../support/bindings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

interface Life {
  readonly store: SqliteStore;
  readonly location: Location;
  readonly log: StoreLines;
  readonly pass: (ms: number) => void;
}

const open = new Set<SqliteStore>();

/** A server's life with the store. @param wall its time, in milliseconds since 1970 */
async function live(options: SqliteStoreOptions, wall = Date.now(), ceiling = 20_000): Promise<Life> {
  const { location, pass } = newLocation(wall, ceiling);
  const log = new StoreLines();
  const store = sqliteStore(options);
  await store.open({ location, log });
  open.add(store);
  location.store = store;
  return { store, location, log, pass };
}

afterEach(async () => {
  for (const store of open) await store.close();
  open.clear();
});

const UUID = "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";
const OUTBOUND = {
  aor: "sip:carol@example.com",
  contact: "sip:carol@192.0.2.7;transport=tcp",
  params: `;+sip.instance="${UUID}";reg-id=1`,
  instance: UUID,
  regId: 1,
};

describe("bindings outlive the server", () => {
  test("as they were, with their expiry, whatever octets are in them", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const first = await live({ file });
    register(first.location, { aor: "sip:bob@example.com", name: '"B\u00f6b \x01\xff"', path: "<sip:p1;lr>", q: 500 });
    register(first.location, { aor: "sip:bob@example.com", contact: "sip:bob@192.0.2.2", cseq: 0xffff_ffff, flags: 2 });
    register(first.location, OUTBOUND);
    const before = rowsOf(first.location);
    await first.store.close();
    const second = await live({ file });
    expect(rowsOf(second.location)).toEqual(before);
    expect(before).toHaveLength(3);
    expect(second.log.lines).toMatchObject([{ message: "bindings loaded", fields: { bindings: 3, store: "sqlite" } }]);
  });

  test("with what refreshes, changes, marks and removals have made of them", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const first = await live({ file });
    const users = ["refreshed", "changed", "marked", "removed", "moved"].map((user) => `sip:${user}@example.com`);
    for (const aor of users) register(first.location, { aor });
    await first.store.settled();
    first.pass(5000);
    const [refreshed, changed, marked, removed, moved] = users as [string, string, string, string, string];
    register(first.location, { aor: refreshed, cseq: 2, expires: 7000 });
    register(first.location, { aor: changed, cseq: 2, userAgent: "phone/2" });
    const slot = first.location.slotOf(marked, "sip:bob@192.0.2.1");
    first.location.setFlags(slot, BindingFlag.Nat);
    first.store.touch(slot);
    first.location.remove(first.location.slotOf(removed, "sip:bob@192.0.2.1"), "unregistered");
    // Its slot is the next one's.
    first.location.remove(first.location.slotOf(moved, "sip:bob@192.0.2.1"), "unregistered");
    register(first.location, { aor: moved, contact: "sip:bob@192.0.2.99" });
    const before = rowsOf(first.location);
    await first.store.close();
    const { location } = await live({ file });
    expect(rowsOf(location)).toEqual(before);
    expect(location.row(location.slotOf(refreshed, "sip:bob@192.0.2.1"))).toMatchObject({ cseq: 2 });
    expect(location.slotOf(removed, "sip:bob@192.0.2.1")).toBe(-1);
  });

  test("but not beyond their time, and one more than the ceiling is said", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const wall = Date.now();
    const first = await live({ file }, wall);
    for (const expires of [10, 100, 101]) register(first.location, { aor: `sip:u${expires}@example.com`, expires });
    await first.store.close();
    const second = await live({ file }, wall + 11_000, 1);
    expect(second.location.size).toBe(1);
    expect(second.log.lines[0]).toMatchObject({ level: "warn", fields: { refused: 1 } });
    await second.store.close();
    const third = await live({ file }, wall + 11_000);
    expect(rowsOf(third.location).map(({ aor }) => aor)).toEqual(["sip:u100@example.com", "sip:u101@example.com"]);
    third.pass(91_000);
    expect(third.location.size).toBe(0);
  });

  test.each([
    ["forward", 86_400],
    ["back", -86_400],
  ])("though the clock was set %s in it", async (_, seconds) => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const wall = Date.now();
    const first = await live({ file }, wall);
    for (let i = 0; i < 100; i++) register(first.location, { aor: `sip:u${i}@example.com`, expires: 600 });
    await first.store.settled();
    expect(first.location.follow(wall + seconds * 1000)).toBe(seconds);
    register(first.location, { aor: "sip:bob@example.com" });
    // Until the writer has looked for what has expired.
    await Bun.sleep(1100);
    const before = rowsOf(first.location);
    await first.store.close();
    const second = await live({ file }, wall + seconds * 1000);
    expect(rowsOf(second.location)).toEqual(before);
    expect(second.location.size).toBe(101);
    expect(second.location.remaining(second.location.slotOf("sip:u0@example.com", "sip:bob@192.0.2.1"))).toBe(600);
  });

  test("and not for longer than they were given, where the clock was set back since", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const wall = Date.now();
    const first = await live({ file }, wall);
    register(first.location, { aor: "sip:bob@example.com", expires: 600 });
    await first.store.close();
    const { location } = await live({ file }, wall - 86_400_000);
    expect(location.remaining(0)).toBe(600);
  });

  test("but the connection that one depends on is gone", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const first = await live({ file });
    register(first.location, { aor: "sip:web@example.com", flags: BindingFlag.FlowOnly | BindingFlag.Gruu });
    await first.store.close();
    const { location } = await live({ file });
    expect(location.flags(0)).toBe(BindingFlag.FlowOnly | BindingFlag.Gruu | BindingFlag.FlowLost);
  });

  test("and so do secrets", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const first = await live({ file });
    const [nonce, again, gruu] = await Promise.all(["nonce", "nonce", "gruu"].map((name) => first.store.secret(name)));
    expect(nonce).toHaveLength(32);
    expect(again).toEqual(nonce!);
    expect(gruu).not.toEqual(nonce!);
    await first.store.close();
    const second = await live({ file });
    expect(await second.store.secret("nonce")).toEqual(nonce!);
    expect(statSync(file).mode & 0o077).toBe(0);
  });
});

describe("writing", () => {
  test("happens once a window, each binding once", async () => {
    using folder = temporaryFolder();
    const { location, store } = await live({ file: folder.file("bindings.db"), window: 60_000 });
    for (let i = 0; i < 100; i++) register(location, { aor: "sip:bob@example.com", cseq: i });
    await Bun.sleep(20);
    expect(store.counters.written).toBe(0);
    await store.settled();
    expect(store.counters).toMatchObject({ written: 1, failures: 0 });
  });

  test("needs nobody to ask for it", async () => {
    using folder = temporaryFolder();
    const { location, store } = await live({ file: folder.file("bindings.db"), window: 10 });
    register(location, { aor: "sip:bob@example.com" });
    await until("the window's end", () => store.counters.written === 1);
    register(location, { aor: "sip:bob@example.com", cseq: 2 });
    await until("the next one's", () => store.counters.written === 2);
    expect(store.counters.longest).toBeGreaterThan(5);
  });

  test("settles for every change up to then, and for none at once", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const { location, store } = await live({ file, window: 60_000, sync: "full", isAwaited: true });
    expect(store.isAwaited).toBe(true);
    await store.settled();
    const count = () => {
      const db = new Database(file, { readonly: true });
      const [[bindings]] = db.query("SELECT count(*) FROM binding").values() as [[number]];
      db.close();
      return bindings;
    };
    const waits: Promise<void>[] = [];
    // More than one batch, and changes while one is on its way.
    for (let i = 0; i < 10_000; i++) {
      register(location, { aor: `sip:u${i}@example.com`, userAgent: "x".repeat(200) });
      if (i % 1000 === 999) {
        const seen = i + 1;
        waits.push(store.settled().then(() => expect(count()).toBeGreaterThanOrEqual(seen)));
        await Bun.sleep(0);
      }
    }
    await Promise.all(waits);
    location.remove(0, "unregistered");
    await store.settled();
    expect(count()).toBe(9999);
  });
});

test("a file that another process holds is waited for, and what was changed meanwhile is written", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  const { location, store, log } = await live({ file, window: 5 });
  const other = new Database(file);
  other.run("BEGIN IMMEDIATE");
  register(location, { aor: "sip:bob@example.com" });
  expect(await store.settled().catch(({ message }: Error) => message)).toBe("another process holds the file");
  expect(store.trouble).toBe("another process holds the file");
  expect(log.lines.at(-1)).toMatchObject({ level: "error", message: "bindings cannot be stored" });
  register(location, { aor: "sip:carol@example.com" });
  other.run("COMMIT");
  other.close();
  await until("the end of the trouble", () => store.trouble === null);
  await store.settled();
  expect(store.counters).toMatchObject({ written: 2, failures: 1 });
  expect(log.lines.at(-1)).toMatchObject({ level: "info", message: "bindings are stored again" });
});

describe("a file", () => {
  async function refusal(options: SqliteStoreOptions): Promise<string> {
    const error = await live(options).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StoreError);
    return (error as StoreError).message;
  }

  test("is one server's: the second is told whose", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const { store } = await live({ file });
    expect(await refusal({ file })).toStartWith(`${file}: is in use by another server, process ${process.pid} since `);
    await store.close();
    await live({ file });
  });

  test("is one server's by whatever link it is reached", async () => {
    using folder = temporaryFolder();
    const [file, link] = [folder.file("bindings.db"), folder.file("link.db")];
    await live({ file });
    symlinkSync(file, link);
    expect(await refusal({ file: link })).toStartWith(`${link}: is in use by another server`);
  });

  test("that is somebody else's, or of a later version, is refused and left alone", async () => {
    using folder = temporaryFolder();
    const text = folder.file("text");
    writeFileSync(text, "Dear Alice, ".repeat(200));
    expect(await refusal({ file: text })).toBe(`${text}: is no SQLite file`);
    expect(readFileSync(text, "latin1")).toBe("Dear Alice, ".repeat(200));

    const other = folder.file("other.db");
    const db = new Database(other, { create: true });
    db.run("CREATE TABLE songs (name TEXT)");
    expect(await refusal({ file: other })).toBe(`${other}: is an SQLite file of another program`);
    expect(db.query("SELECT name FROM sqlite_schema").values()).toEqual([["songs"]]);
    db.close();

    const later = folder.file("later.db");
    await (await live({ file: later })).store.close();
    const changed = new Database(later);
    changed.run("PRAGMA user_version = 2");
    changed.close();
    expect(await refusal({ file: later })).toContain("later.db: was written by a later Viaduct (version 2");
  });

  test("that lacks a table is refused, and said to", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    await (await live({ file })).store.close();
    const changed = new Database(file);
    changed.run("DROP TABLE life");
    changed.close();
    expect(await refusal({ file })).toBe(`${file}: no such table: life`);
    expect(() => sqliteTool(file)).toThrow(new StoreError(`${file}: no such table: life`));
  });

  test("that cannot be is refused with the reason", async () => {
    using folder = temporaryFolder();
    const nowhere = folder.file("no/such/bindings.db");
    expect(await refusal({ file: nowhere })).toBe(`${nowhere}: there is no such folder`);
    mkdirSync(folder.file("folder"));
    expect(await refusal({ file: folder.file("folder") })).toEndWith("folder: is a folder");
    expect(await refusal({ file: "/dev/null" })).toBe("/dev/null: is no file");
  });

  test("that is damaged is refused and not written to", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    const { location, store } = await live({ file });
    for (let i = 0; i < 2000; i++) register(location, { aor: `sip:u${i}@example.com` });
    await store.close();
    const whole = readFileSync(file);

    const damaged = new Uint8Array(whole);
    damaged.fill(0xa5, 40_000, 60_000);
    writeFileSync(file, damaged);
    expect(await refusal({ file })).toContain("bindings.db: the file is damaged");
    expect(new Uint8Array(readFileSync(file))).toEqual(damaged);

    writeFileSync(file, whole);
    truncateSync(file, 50_000);
    expect(await refusal({ file })).toContain("bindings.db: the file is damaged");
    expect(statSync(file).size).toBe(50_000);
  });
});
