/** The answering machine, called as a phone would. */
import { describe, expect, test } from "bun:test";
import { answeringMachine, type MachineOptions } from "../../examples/answering-machine.ts";
import { CallFailed, SdpSession } from "../../src/index.ts";
import { testServer } from "../support/test-server.ts";

async function machine(options: MachineOptions = {}) {
  const messages: { from: string; seconds: number }[] = [];
  const server = await answeringMachine({
    listen: "udp://127.0.0.1:0",
    ring: 20,
    onMessage: (message) => messages.push(message),
    ...options,
  });
  const caller = await testServer();
  const uri = `sip:machine@127.0.0.1:${server.addresses[0]!.port}`;
  return {
    messages,
    call: (sdp: string | Uint8Array) => caller.server.call(uri, { sdp, from: "sip:alice@example.com" }),
    [Symbol.dispose]() {
      server.closeNow();
      caller[Symbol.dispose]();
    },
  };
}

describe("the answering machine", () => {
  test("answers, and tells who left a message", async () => {
    using all = await machine();
    const dialog = await all.call(new SdpSession().offer()).answered;
    dialog.bye();
    await Bun.sleep(30);
    expect(all.messages).toEqual([{ from: "sip:alice@example.com", seconds: expect.any(Number) }]);
  });

  test("hangs up on who talks too long", async () => {
    using all = await machine({ longest: 30 });
    const dialog = await all.call(new SdpSession().offer()).answered;
    expect(await dialog.ended).toBe("bye");
  });

  test("refuses what it cannot speak", async () => {
    using all = await machine();
    const failure = await all.call("v=0\r\n").answered.catch((error) => error);
    expect(failure).toBeInstanceOf(CallFailed);
    expect(failure.status).toBe(400);
    expect(all.messages).toEqual([]);
  });

  test("is not disturbed by a caller who gives up", async () => {
    using all = await machine({ ring: 200 });
    const call = all.call(new SdpSession().offer());
    setTimeout(() => call.cancel(), 50);
    expect(await call.answered.catch((error) => error.status)).toBe(487);
    await Bun.sleep(200);
    expect(all.messages).toEqual([]);
  });
});
