/** `kill -9` in the middle of registrations. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { sqliteStore } from "../../src/location/sqlite-store.ts";
import { newLocation, StoreLines } from "../support/bindings.ts";
import { CHUNK, type Said, userOf } from "../support/store-child.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const CHILD = join(import.meta.dir, "../support/store-child.ts");
const USERS = 10_000;
/** A life may end before its child has said anything that is old enough to count. */
const PATIENCE_MS = 20_000;

/** Registers users from `first` on until it is killed, somewhere behind the middle. @returns what it said, and when it ended */
async function killed(file: string, window: number, isAwaited: boolean, first: number) {
  const argv = [process.execPath, CHILD, file, `${window}`, `${isAwaited}`, `${first}`, `${USERS}`];
  const child = Bun.spawn(argv, { stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const last = first + USERS / 2 + Math.floor(Math.random() * (USERS / 4));
  const said: Said[] = [];
  let at = 0;
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    said.push(...lines.map((line) => JSON.parse(line) as Said));
    if (at === 0 && said.at(-1)!.registered >= last) {
      at = Date.now();
      child.kill("SIGKILL");
    }
  }
  clearTimeout(timer);
  expect(await child.exited).not.toBe(0);
  expect(at).toBeGreaterThan(0);
  return { said, at };
}

/** Users of a life that must be in the file, `from` to below `to`; all but the last chunk of them refreshed. */
type Kept = readonly [from: number, to: number];

async function expectKept(file: string, kept: readonly Kept[]): Promise<void> {
  const { location } = newLocation(Date.now(), 4 * USERS);
  const log = new StoreLines();
  const store = sqliteStore({ file });
  // A damaged file would be refused, and so would one that its dead owner still held.
  await store.open({ location, log });
  expect(log.of("warn")).toEqual([]);
  const missing: string[] = [];
  for (const [from, to] of kept) {
    for (let user = from; user < to; user++) {
      const slot = location.slotOf(userOf(user), "sip:bob@192.0.2.1");
      if (slot < 0) missing.push(`${user} is gone`);
      else if (user < to - CHUNK && location.cseq(slot) !== 2) missing.push(`${user} is as it was`);
    }
  }
  expect(missing).toEqual([]);
  await store.close();
}

test("killed three times, the file opens clean, and nothing older than the window is lost", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  const window = 100;
  const kept: Kept[] = [];
  for (let life = 0; life < 3; life++) {
    const first = life * USERS;
    const { said, at } = await killed(file, window, false, first);
    // The window, and what a commit takes; the machine may have more to do than this.
    const longest = Math.max(2 * window, ...said.map((one) => one.longest));
    const old = said.findLast((one) => one.at < at - window - longest);
    expect(old?.registered ?? 0).toBeGreaterThan(first);
    kept.push([first, old!.registered]);
    await expectKept(file, kept);
  }
}, 60_000);

test("where answers wait for the store, nothing that was answered is lost", async () => {
  using folder = temporaryFolder();
  const file = folder.file("bindings.db");
  const { said } = await killed(file, 100, true, 0);
  await expectKept(file, [[0, said.at(-1)!.registered]]);
}, 60_000);
