/** The `dialog` package: RFC 4235, on the wire, driven by the server's calls. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { DialogPackage } from "../../src/events/dialog-info.ts";
import { type Call, serve } from "../../src/index.ts";
import { eventsPeer, WireSubscriber } from "../support/events-peer.ts";
import type { SipMessage } from "../support/sip-messages.ts";

setDefaultTimeout(20_000);

async function calling(settings: ConstructorParameters<typeof DialogPackage>[0] = { minInterval: 0 }) {
  const calls: Call[] = [];
  const peer = await eventsPeer(
    { packages: [new DialogPackage(settings)] },
    {
      invite(call) {
        calls.push(call);
        call.ring();
      },
    },
  );
  return Object.assign(peer, { calls });
}

const BOB = { uri: "sip:bob@127.0.0.1", to: "<sip:bob@127.0.0.1>" };

/** What a body says, in short. */
function said({ body }: SipMessage): string {
  const info = /<dialog-info [^>]*version="(\d+)" state="(\w+)" entity="([^"]+)"/.exec(body)!;
  const dialogs = [...body.matchAll(/<dialog id="(\w+)"[^>]*direction="(\w+)"><state([^>]*)>(\w+)</g)];
  return [
    `${info[1]} ${info[2]} ${info[3]}`,
    ...dialogs.map((dialog) => `${dialog[1]} ${dialog[2]} ${dialog[4]}${dialog[3]}`),
  ].join("; ");
}

describe("dialog-info", () => {
  test("tells the calls there are at first, then each change, versions counting up", async () => {
    using peer = await calling();
    const { client, calls } = peer;
    // This one began before anybody watched.
    const first = await client.invite({ ...BOB, from: '"Al & Co" <sip:al@example.com>;tag=x' }, 180);
    const watcher = await WireSubscriber.open(client, "dialog");
    const full = await watcher.notified();
    expect(full.header("Content-Type")).toBe("application/dialog-info+xml");
    expect(said(full)).toBe("0 full sip:bob@127.0.0.1; d1 recipient early");
    expect(full.body).toContain('<remote><identity display="Al &amp; Co">sip:al@example.com</identity></remote>');
    expect(full.body).toContain("<local><identity>sip:bob@127.0.0.1</identity></local>");
    // By these a stranger could take the call over.
    expect(full.body).not.toContain(first.invite.callId);
    expect(full.body).not.toContain("tag");

    void calls[0]!.answer("v=0\r\n");
    expect(said(await watcher.notified())).toBe("1 partial sip:bob@127.0.0.1; d1 recipient confirmed");
    first.client.send(first.invite.text);
    const second = await client.invite(BOB, 180);
    expect(said(await watcher.notified())).toBe("2 partial sip:bob@127.0.0.1; d2 recipient early");
    second.cancel();
    await client.next(487, second.invite);
    expect(said(await watcher.notified())).toBe(
      '3 partial sip:bob@127.0.0.1; d2 recipient terminated event="rejected"',
    );
    expect((await first.ask("BYE")).status).toBe(200);
    expect(said(await watcher.notified())).toBe(
      '4 partial sip:bob@127.0.0.1; d1 recipient terminated event="remote-bye"',
    );
    await watcher.again(600);
    expect(said(await watcher.notified())).toBe("5 full sip:bob@127.0.0.1");
  });

  test("tells several changes that wait in one NOTIFY", async () => {
    using peer = await calling({});
    const { client, calls } = peer;
    const watcher = await WireSubscriber.open(client, "dialog");
    expect(said(await watcher.notified())).toBe("0 full sip:bob@127.0.0.1");
    const call = await client.invite(BOB, 180);
    void calls[0]!.answer("v=0\r\n");
    await client.next(200, call.invite);
    const other = await client.invite({ uri: "sip:carol@127.0.0.1", to: "<sip:carol@127.0.0.1>" }, 180);
    expect(other.response.status).toBe(180);
    expect((await client.rest()).filter(({ method }) => method === "NOTIFY")).toEqual([]);
    await peer.pass(1100, 100);
    expect(said(await watcher.notified())).toBe("1 partial sip:bob@127.0.0.1; d1 recipient confirmed");
  });

  test("a change that did not arrive is told again as the whole", async () => {
    using peer = await calling();
    const { client } = peer;
    const watcher = await WireSubscriber.open(client, "dialog");
    await watcher.notified();
    await client.invite(BOB, 180);
    expect(said(await watcher.notified(500, ["Retry-After: 1"]))).toStartWith("1 partial");
    await client.rest();
    await peer.pass(1100, 100);
    expect(said(await watcher.notified())).toBe("2 full sip:bob@127.0.0.1; d1 recipient early");
  });

  test("tells Call-ID, tags and target only when it is set to", async () => {
    using peer = await calling({ minInterval: 0, identifiers: true });
    const { client } = peer;
    const call = await client.invite({ ...BOB, callId: 'a"<b>@127.0.0.1' }, 180);
    const { body } = await (await WireSubscriber.open(client, "dialog")).notified();
    expect(body).toContain('call-id="a&quot;&lt;b&gt;@127.0.0.1"');
    expect(body).toContain(`local-tag="${call.response.toTag}"`);
    expect(body).toContain(`remote-tag="${call.invite.fromTag}"`);
    expect(body).toContain(`<target uri="sip:alice@${client.sentBy}"/>`);
  });

  test("tells the calls that this end makes", async () => {
    using peer = await calling();
    const { client, server } = peer;
    await using callee = await serve({
      listen: "udp://127.0.0.1:0",
      limits: { transactions: 100, dialogs: 10 },
      invite: (call) => void call.answer("v=0\r\n"),
    });
    const watcher = await WireSubscriber.open(client, "dialog", 600, { uri: "sip:me@127.0.0.1" });
    await watcher.notified();
    const dialog = await server.call(`sip:x@127.0.0.1:${callee.addresses[0]!.port}`, {
      sdp: "v=0\r\n",
      from: "sip:me@127.0.0.1",
    }).answered;
    const confirmed = await watcher.notified();
    expect(said(confirmed)).toMatch(/ partial sip:me@127\.0\.0\.1; d1 initiator (early|confirmed)$/);
    dialog.bye();
    let last = confirmed;
    while (!said(last).includes("terminated")) last = await watcher.notified();
    expect(said(last)).toEndWith('d1 initiator terminated event="local-bye"');
  });
});
