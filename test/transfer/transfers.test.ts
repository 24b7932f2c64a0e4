/** Blind and attended transfers between three servers (RFC 5589 s6, s7). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, Dialog, Server } from "../../src/index.ts";
import { type Transfers, transfers } from "../../src/transfer/transfers.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

interface Party {
  readonly server: Server;
  readonly transfer: Transfers;
  readonly uri: string;
  /** The calls that came, and the dialogs there are of them and of transfers. */
  readonly calls: Call[];
  readonly dialogs: Dialog[];
}

type OnCall = (call: Call, party: Party) => void;

const answer: OnCall = (call, { dialogs, uri }) => {
  call.ring();
  call.answer(`v=0\r\ns=${uri}\r\n`).then((dialog) => dialogs.push(dialog));
};

/** Three servers, and a call of the first with the second. */
async function three(onCall: { bob?: OnCall; carol?: OnCall } = {}, over: "udp" | "tcp" = "udp") {
  const stack = new DisposableStack();
  async function party(user: string, invite: OnCall): Promise<Party> {
    const calls: Call[] = [];
    const dialogs: Dialog[] = [];
    const transfer = transfers({
      offer: () => `v=0\r\ns=${user} again\r\n`,
      transferred: (dialog) => void dialogs.push(dialog),
    });
    const running = stack.use(
      await testServer({
        listen: `${over}://127.0.0.1:0`,
        plugins: [transfer],
        invite(call) {
          calls.push(call);
          invite(call, self);
        },
      }),
    );
    const { address, port } = running.address;
    const uri = `sip:${user}@${address}:${port}${over === "tcp" ? ";transport=tcp" : ""}`;
    const self: Party = { server: running.server, transfer, uri, calls, dialogs };
    return self;
  }
  const alice = await party("alice", answer);
  const bob = await party("bob", onCall.bob ?? answer);
  const carol = await party("carol", onCall.carol ?? answer);
  const dialog = await alice.server.call(bob.uri, { sdp: "v=0\r\n", from: `<${alice.uri}>` }).answered;
  await until("Bob's dialog", () => bob.dialogs.length === 1);
  return { alice, bob, carol, dialog, [Symbol.dispose]: () => stack.dispose() };
}

for (const over of ["udp", "tcp"] as const) {
  test(`blind over ${over}: Bob calls Carol, and Alice hangs up`, async () => {
    using all = await three({}, over);
    const { alice, bob, carol, dialog } = all;
    const told: number[] = [];
    const referral = alice.transfer.refer(dialog, carol.uri, { progress: (status) => void told.push(status) });
    await referral.accepted;
    expect(await referral.done).toBe(200);
    expect(told[0]).toBe(100);
    expect(told.at(-1)).toBe(200);
    dialog.bye();
    expect(await bob.dialogs[0]!.ended).toBe("bye");
    await until("the call of Bob and Carol", () => bob.dialogs.length === 2 && carol.dialogs.length === 1);
    const [invite] = carol.calls;
    expect(invite!.header("Referred-By")).toBe(`<${alice.uri}>`);
    expect(new TextDecoder().decode(invite!.body)).toBe("v=0\r\ns=bob again\r\n");
    expect(bob.dialogs[1]!.callId).toBe(carol.dialogs[0]!.callId);
    await until("one dialog each", () => bob.server.stats().dialogs === 1 && carol.server.stats().dialogs === 1);
    expect(alice.server.stats().dialogs).toBe(0);
    // It is a call like any other.
    carol.dialogs[0]!.bye();
    expect(await bob.dialogs[1]!.ended).toBe("bye");
    await until("no dialogs", () => bob.server.stats().dialogs + carol.server.stats().dialogs === 0);
  });
}

test("blind, and Carol is busy: Alice is told, and Bob is still there", async () => {
  using all = await three({ carol: (call) => void call.reject(486) });
  const { alice, carol, bob, dialog } = all;
  expect(await alice.transfer.refer(dialog, carol.uri).done).toBe(486);
  expect((await dialog.request("OPTIONS")).status).toBe(200);
  await until("one dialog each", () => alice.server.stats().dialogs === 1 && bob.server.stats().dialogs === 1);
  // Another try, elsewhere.
  const [again] = [alice.transfer.refer(dialog, "tel:+15551234")];
  expect(await again.done.catch((error: { status: number }) => error.status)).toBe(403);
});

test("blind, and Alice is gone at once: Bob calls Carol all the same", async () => {
  using all = await three();
  const { alice, bob, carol, dialog } = all;
  const referral = alice.transfer.refer(dialog, carol.uri);
  await referral.accepted;
  alice.server.closeNow();
  await until("the call of Bob and Carol", () => bob.dialogs.length === 2 && carol.dialogs.length === 1);
  expect(bob.dialogs[1]!.isConfirmed).toBe(true);
});

describe("attended", () => {
  test("Bob takes Alice's place in her call with Carol, which is hung up", async () => {
    using all = await three();
    const { alice, bob, carol, dialog } = all;
    const consulted = await alice.server.call(carol.uri, { sdp: "v=0\r\n" }).answered;
    await until("Carol's dialog", () => carol.dialogs.length === 1);
    const [before] = carol.dialogs;
    const referral = alice.transfer.refer(dialog, consulted.remoteTarget, { replaces: consulted });
    expect(await referral.done).toBe(200);
    // Carol hangs up what was replaced.
    expect(await consulted.ended).toBe("bye");
    expect(await before!.ended).toBe("local");
    expect(carol.calls[1]!.replaces).toBe(before!);
    dialog.bye();
    await until("Bob's new dialog", () => bob.dialogs.length === 2 && carol.dialogs.length === 2);
    expect(bob.dialogs[1]!.callId).toBe(carol.dialogs[1]!.callId);
    await until("one dialog each", () => bob.server.stats().dialogs === 1 && carol.server.stats().dialogs === 1);
    expect(alice.server.stats().dialogs).toBe(0);
  });

  test("Carol has called Alice: the tags are the right way round then, too", async () => {
    using all = await three();
    const { alice, carol, dialog } = all;
    const [consulting] = [await carol.server.call(alice.uri, { sdp: "v=0\r\n" }).answered];
    await until("Alice's dialog", () => alice.dialogs.length === 1);
    const consulted = alice.dialogs[0]!;
    const referral = alice.transfer.refer(dialog, consulted.remoteTarget, { replaces: consulted });
    expect(await referral.done).toBe(200);
    expect(carol.calls[0]!.replaces).toBe(consulting);
    expect(await consulting.ended).toBe("local");
  });

  test("Carol has hung up before: 603, and Bob is still there", async () => {
    using all = await three();
    const { alice, carol, dialog } = all;
    const consulted = await alice.server.call(carol.uri, { sdp: "v=0\r\n" }).answered;
    await until("Carol's dialog", () => carol.dialogs.length === 1);
    carol.dialogs[0]!.bye();
    expect(await consulted.ended).toBe("bye");
    const referral = alice.transfer.refer(dialog, carol.uri, { replaces: consulted });
    expect(await referral.done).toBe(603);
    expect(dialog.isConfirmed).toBe(true);
  });

  test("Carol does not take Bob: her call with Alice stands", async () => {
    using all = await three({
      carol: (call, party) => (call.replaces === null ? answer(call, party) : void call.reject(488)),
    });
    const { alice, carol, dialog } = all;
    const consulted = await alice.server.call(carol.uri, { sdp: "v=0\r\n" }).answered;
    const referral = alice.transfer.refer(dialog, consulted.remoteTarget, { replaces: consulted });
    expect(await referral.done).toBe(488);
    expect((await consulted.request("OPTIONS")).status).toBe(200);
  });
});
