/** A file that is deleted or replaced under a running server: it is noticed, said, and all is written into a new one. */
import { describe, expect, test } from "bun:test";
import { existsSync, linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { sqliteStore } from "../../src/location/sqlite-store.ts";
import { newLocation, register, rowsOf, StoreLines } from "../support/bindings.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const DELETED = "the file was deleted";

async function live(file: string) {
  const { location } = newLocation();
  const log = new StoreLines();
  const store = sqliteStore({ file, window: 10 });
  await store.open({ location, log });
  location.store = store;
  return { location, log, store, [Symbol.asyncDispose]: () => store.close() };
}

/** A server that has written some bindings and a secret. */
async function written(folder: TemporaryFolder) {
  const file = folder.file("bindings.db");
  const life = await live(file);
  for (let user = 0; user < 50; user++) register(life.location, { aor: `sip:user${user}@example.com` });
  const secret = await life.store.secret("gruu");
  await life.store.settled();
  return { ...life, file, secret };
}

/** What a restart finds. */
async function restarted({ store, location, file }: Awaited<ReturnType<typeof written>>) {
  await store.settled();
  const before = rowsOf(location);
  await store.close();
  const next = await live(file);
  expect(rowsOf(next.location)).toEqual(before);
  expect(before.length).toBeGreaterThan(0);
  return next;
}

const reasons = ({ lines }: StoreLines) =>
  lines.filter(({ level }) => level === "error").map(({ fields }) => fields.reason);

// Each waits for the next look at the file: they wait together.
describe.concurrent("a file that is deleted", () => {
  test.each([
    ["alone", [""]],
    ["with those beside it", ["", "-wal", "-shm"]],
    ["with all there is, the owner's too", ["", "-wal", "-shm", "-owner"]],
  ])("%s is made anew, with all that there is, and that is said once", async (_, ends) => {
    using folder = temporaryFolder();
    await using life = await written(folder);
    const { store, location, log, file } = life;
    for (const end of ends) unlinkSync(file + end);
    // What comes before anybody has noticed, and goes.
    register(location, { aor: "sip:late@example.com" });
    location.remove(location.slotOf("sip:user1@example.com", "sip:bob@192.0.2.1"), "deactivated");
    await until("the new file", () => log.of("info").includes("bindings are stored again"));
    expect(store.trouble).toBeNull();
    expect(reasons(log)).toEqual([DELETED]);
    register(location, { aor: "sip:user2@example.com", cseq: 77 });
    const other = sqliteStore({ file });
    await expect(other.open({ location: newLocation().location, log })).rejects.toThrow("in use by another server");
    await using next = await restarted(life);
    expect(next.location.size).toBe(50);
    expect(await next.store.secret("gruu")).toEqual(life.secret);
  });

  test("without a binding in it is made anew all the same", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.db");
    await using life = await live(file);
    const { store, log } = life;
    unlinkSync(file);
    await until("the new file", () => log.of("info").includes("bindings are stored again"));
    expect([existsSync(file), store.trouble]).toEqual([true, null]);
  });

  test("with its folder is made anew once the folder is there again", async () => {
    using folder = temporaryFolder();
    await using life = await written(folder);
    const { store, log } = life;
    const [here, away] = [folder.path, `${folder.path}-away`];
    renameSync(here, away);
    await until("the trouble", () => store.trouble === "there is no such folder");
    await expect(store.settled()).rejects.toThrow("there is no such folder");
    renameSync(away, here);
    await until("the end of the trouble", () => store.trouble === null);
    expect(log.of("error")).toHaveLength(1);
    await using _ = await restarted(life);
  });
});

describe.concurrent("a file that is replaced", () => {
  test("is left alone, and REGISTER is refused, until it is gone; then all is written anew", async () => {
    using folder = temporaryFolder();
    await using life = await written(folder);
    const { store, location, log, file } = life;
    writeFileSync(`${file}.new`, "of somebody else");
    renameSync(`${file}.new`, file);
    await until("the trouble", () => store.trouble !== null);
    expect(store.trouble).toBe("another file is in the place of the store's");
    register(location, { aor: "sip:late@example.com" });
    await until("a try to write", () => store.counters.failures > 0);
    expect(log.of("error")).toHaveLength(1);
    expect(readFileSync(file, "utf8")).toBe("of somebody else");
    rmSync(file);
    await until("the end of the trouble", () => store.trouble === null);
    await using next = await restarted(life);
    expect(next.location.size).toBe(51);
  });

  test("and put back is taken again, with all that has changed meanwhile", async () => {
    using folder = temporaryFolder();
    await using life = await written(folder);
    const { store, location, log, file } = life;
    linkSync(file, `${file}.old`);
    writeFileSync(`${file}.new`, "");
    renameSync(`${file}.new`, file);
    await until("the trouble", () => store.trouble !== null);
    location.remove(location.slotOf("sip:user1@example.com", "sip:bob@192.0.2.1"), "deactivated");
    renameSync(`${file}.old`, file);
    await until("the end of the trouble", () => store.trouble === null);
    expect(log.of("info")).toContain("bindings are stored again");
    await using next = await restarted(life);
    expect(next.location.size).toBe(49);
  });
});
