/** `kill -9` of the command in the middle of 10,000 registrations, and another life on the same file. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { killChildren } from "../support/cli-child.ts";
import { type Answer, Crowd, userOf } from "../support/crowd.ts";
import { type Listed, listedOn, RegistrarLife } from "../support/registrar-life.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);
afterAll(killChildren);

const REGISTERS = 10_000;
/** A phone refreshes when so many others have come after it. */
const BEHIND = 100;
/** Milliseconds that changes are gathered, and what one commit takes now and then. */
const WINDOW = 100;
const COMMIT = 400;
/** Pauses while they register, so that most of it is longer ago than that. */
const PAUSE = 15;
const BETWEEN_PAUSES = 100;

function* registering(): Generator<number> {
  for (let phone = 0; phone < REGISTERS / 2; phone++) {
    yield phone;
    if (phone >= BEHIND) yield phone - BEHIND;
  }
}

interface Killed {
  readonly answers: readonly Answer[];
  /** When, by `performance.now()`. */
  readonly at: number;
  /** The longest that this machine, with other things to do, has had us wait beyond a pause. */
  readonly late: number;
}

/** Registers phones until the server is killed, somewhere in the middle. @param isPaced whether time goes by meanwhile */
async function killed(life: RegistrarLife, crowd: Crowd, isPaced: boolean): Promise<Killed> {
  const last = REGISTERS / 2 + Math.floor((Math.random() * REGISTERS) / 4);
  const answers: Answer[] = [];
  let late = 0;
  for await (const answer of crowd.register(life.client, registering())) {
    answers.push(answer);
    if (answers.length === last) break;
    if (!isPaced || answers.length % BETWEEN_PAUSES > 0) continue;
    const before = performance.now();
    await Bun.sleep(PAUSE);
    late = Math.max(late, performance.now() - before - PAUSE);
  }
  const at = performance.now();
  await life.kill();
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(life.logged("warn", "error", "fatal")).toEqual([]);
  return { answers, at, late };
}

/** @returns those of the answers that stand for nothing in the file */
function missing(answers: readonly Answer[], listed: ReadonlyMap<string, Listed>): string[] {
  const lost = answers.filter(({ phone, cseq }) => (listed.get(userOf(phone))?.cseq ?? 0) < cseq);
  return lost.map(({ phone, cseq }) => `CSeq ${cseq} of ${userOf(phone)}`);
}

test.each([
  ["udp", false],
  ["udp", true],
  ["tcp", true],
] as const)("killed over %s, answers that wait for the file: %p", async (transport, isAwaited) => {
  using folder = temporaryFolder();
  const file = ["--store-file", folder.file("bindings.sqlite")];
  const flags = [...file, "--store-window", `${WINDOW}`, "--store-wait", `${isAwaited}`];
  const crowd = new Crowd();
  await using life = await RegistrarLife.begin(transport, ...flags);
  const { answers, at, late } = await killed(life, crowd, !isAwaited);

  // A damaged file would be refused, and so would one that its dead owner still held.
  await using next = await RegistrarLife.begin(transport, ...flags);
  const listed = await listedOn(...file);
  const old = isAwaited ? answers : answers.filter((answer) => answer.at < at - WINDOW - COMMIT - late);
  expect(old.length).toBeGreaterThan(BEHIND);
  expect(missing(old, listed)).toEqual([]);
  expect(next.log).toMatchObject([{ msg: "bindings loaded", bindings: listed.size }]);

  // Phones go on, those too whose last word was lost.
  const phones = new Set(answers.map(({ phone }) => phone));
  const refreshed = await crowd.all(next.client, phones);
  expect(refreshed.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await next.stop()).toBe(0);
  expect(next.logged("warn", "error", "fatal")).toEqual([]);
  expect(missing(refreshed, await listedOn(...file))).toEqual([]);
});
