/** The command line at a store's file, beside a server and without one. */
import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import type { UnboundEvent } from "../../src/location/location.ts";
import { type SqliteStore, sqliteStore } from "../../src/location/sqlite-store.ts";
import { sqliteTool } from "../../src/location/sqlite-tool.ts";
import { StoreError } from "../../src/location/store.ts";
import { inOrder, newLocation, register, rowsOf, StoreLines } from "../support/bindings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const open = new Set<SqliteStore>();

async function live(file: string, wall = Date.now()) {
  const { location, pass } = newLocation(wall);
  const store = sqliteStore({ file, window: 5 });
  await store.open({ location, log: new StoreLines() });
  open.add(store);
  location.store = store;
  return { location, store, pass };
}

afterEach(async () => {
  for (const store of open) await store.close();
  open.clear();
});

test("lists what a server has written, refreshes of this moment too", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  // A minute ago by its clock: by ours these have expired.
  const { location, store, pass } = await live(file, Date.now() - 61_000);
  for (let user = 0; user < 20; user++) register(location, { aor: `sip:user${user}@example.com`, expires: 60 });
  await store.settled();
  const tool = sqliteTool(file);
  expect([...tool.rows()]).toEqual([]);

  for (let user = 0; user < 10; user++) register(location, { aor: `sip:user${user}@example.com`, cseq: 2 });
  register(location, { aor: "sip:user3@example.com", contact: "sip:bob@192.0.2.3" });
  await store.settled();
  expect(inOrder(tool.rows("sip:user3@example.com"))).toMatchObject([
    { contact: "sip:bob@192.0.2.1", cseq: 2 },
    { contact: "sip:bob@192.0.2.3", cseq: 1 },
  ]);
  expect([...tool.rows("sip:user10@example.com")]).toEqual([]);
  pass(62_000);
  expect(rowsOf(location)).toHaveLength(11);
  expect(inOrder(tool.rows())).toEqual(rowsOf(location));
  await tool.close();
});

test("lists many in pieces, while the server goes on and bindings are removed", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  const { location, store } = await live(file);
  for (let user = 0; user < 6000; user++) register(location, { aor: `sip:user${user}@example.com` });
  await store.settled();
  const tool = sqliteTool(file);
  let seen = 0;
  for (const row of tool.rows()) {
    if (++seen === 1) {
      // One that is still to come, and one that was there already.
      location.remove(location.slotOf("sip:user5999@example.com", "sip:bob@192.0.2.1"), "unregistered");
      await store.settled();
      expect(await tool.remove(row)).toBe(true);
    }
  }
  expect(seen).toBe(5999);
  await tool.close();
});

test("removes a binding from a server that runs, and in its file", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  const { location, store } = await live(file);
  for (const user of ["bob", "carol", "dave"]) register(location, { aor: `sip:${user}@example.com` });
  await store.settled();
  const gone: [string, UnboundEvent][] = [];
  location.watcher = { bound() {}, unbound: (slot, event) => void gone.push([location.aorOf(slot), event]) };

  const tool = sqliteTool(file);
  const [bob] = tool.rows("sip:bob@example.com");
  const [carol] = tool.rows("sip:carol@example.com");
  expect(await tool.remove(bob!)).toBe(true);
  // It goes on as it is: a batch that is on its way may bring bob back for a moment.
  register(location, { aor: "sip:bob@example.com", userAgent: "phone/2" });
  await until("the server to hear of it", () => location.size === 2);
  expect(gone).toEqual([["sip:bob@example.com", "deactivated"]]);
  await store.settled();
  expect([...tool.rows("sip:bob@example.com")]).toEqual([]);
  expect(await tool.remove(bob!)).toBe(false);

  // One that has come anew meanwhile is another binding.
  location.remove(location.slotOf("sip:carol@example.com", "sip:bob@192.0.2.1"), "unregistered");
  register(location, { aor: "sip:carol@example.com" });
  await store.settled();
  expect(await tool.remove(carol!)).toBe(false);
  const [dave] = tool.rows("sip:dave@example.com");
  expect(await tool.remove(dave!)).toBe(true);
  await until("the server to hear of it", () => location.size === 1);
  expect(rowsOf(location)).toMatchObject([{ aor: "sip:carol@example.com" }]);
  await tool.close();
});

test("removes a binding while no server runs, and says no word of it to the next one", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  const first = await live(file);
  for (const user of ["bob", "carol"]) register(first.location, { aor: `sip:${user}@example.com` });
  await first.store.close();

  const tool = sqliteTool(file);
  for (const row of tool.rows()) if (row.aor === "sip:bob@example.com") expect(await tool.remove(row)).toBe(true);
  await tool.close();
  const { location } = await live(file);
  expect(rowsOf(location)).toMatchObject([{ aor: "sip:carol@example.com" }]);
  const db = new Database(file, { readonly: true });
  expect(db.query("SELECT * FROM removal").all()).toEqual([]);
  db.close();
});

test("makes no file, and takes none that is not a store's", async () => {
  using folder = temporaryFolder();
  expect(() => sqliteTool(folder.file("none.db"))).toThrow(
    new StoreError(`${folder.file("none.db")}: there is no such file or folder`),
  );
  expect(await Bun.file(folder.file("none.db")).exists()).toBe(false);
  writeFileSync(folder.file("empty.db"), "");
  expect(() => sqliteTool(folder.file("empty.db"))).toThrow("holds no bindings yet");
  writeFileSync(folder.file("text"), "x".repeat(3000));
  expect(() => sqliteTool(folder.file("text"))).toThrow("is no SQLite file");
});
