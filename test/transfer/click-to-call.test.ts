/** `examples/click-to-call.ts` with two phones that are servers of this library's own, and as a program. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { clickToCall } from "../../examples/click-to-call.ts";
import { type Call, CallFailed, type Dialog, transfers } from "../../src/index.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** A phone that answers, or does what is said. */
async function phone(user: string, onCall?: (call: Call) => void) {
  const dialogs: Dialog[] = [];
  const plugin = transfers({ offer: () => "v=0\r\n", transferred: (dialog) => void dialogs.push(dialog) });
  const running = await testServer({
    plugins: [plugin],
    invite: onCall ?? ((call) => void call.answer("v=0\r\n").then((dialog) => dialogs.push(dialog))),
  });
  const { address, port } = running.address;
  return Object.assign(running, { uri: `sip:${user}@${address}:${port}`, dialogs });
}

async function clicker() {
  const transfer = transfers();
  return Object.assign(await testServer({ plugins: [transfer] }), { transfer });
}

test("two phones are brought together, and nothing is left of our own calls", async () => {
  using first = await phone("first");
  using second = await phone("second");
  using own = await clicker();
  const steps: string[] = [];
  const click = { first: first.uri, second: second.uri, onStep: (step: string) => void steps.push(step) };
  expect(await clickToCall(own.server, own.transfer, click)).toBe(200);
  await until("their call", () => first.dialogs.length === 2 && second.dialogs.length === 2);
  expect(first.dialogs[1]!.callId).toBe(second.dialogs[1]!.callId);
  await until("one dialog each", () => first.server.stats().dialogs === 1 && second.server.stats().dialogs === 1);
  expect(own.server.stats().dialogs).toBe(0);
  expect(steps.slice(0, 3)).toEqual([`calling ${first.uri}`, `calling ${second.uri}`, "bringing them together"]);
});

test("the second is busy: the first is hung up", async () => {
  using first = await phone("first");
  using second = await phone("second", (call) => void call.reject(486));
  using own = await clicker();
  const failure = await clickToCall(own.server, own.transfer, { first: first.uri, second: second.uri }).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(CallFailed);
  expect((failure as CallFailed).status).toBe(486);
  expect(await first.dialogs[0]!.ended).toBe("bye");
  expect(own.server.stats().dialogs).toBe(0);
});

test("it runs as a program", async () => {
  using first = await phone("first");
  using second = await phone("second");
  const argv = ["bun", "examples/click-to-call.ts", "udp://127.0.0.1:0", first.uri, second.uri];
  const program = Bun.spawn(argv, { cwd: `${import.meta.dir}/../..`, stdio: ["ignore", "pipe", "pipe"] });
  expect(await program.exited).toBe(0);
  expect(await program.stdout.text()).toEndWith("they talk to each other\n");
  expect(first.dialogs[1]!.callId).toBe(second.dialogs[1]!.callId);
});
