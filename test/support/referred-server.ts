/** A server that can be referred, a peer that refers it, and a target on the wire; closed together. */
import type { Dialog, ServeOptions } from "../../src/index.ts";
import type { TransferOptions } from "../../src/transfer/options.ts";
import { transfers } from "../../src/transfer/transfers.ts";
import { DnsServer } from "./dns-server.ts";
import { FakeClock } from "./fake-clock.ts";
import type { SipMessage } from "./sip-messages.ts";
import { type Reaction, type ServedRequest, SipServer } from "./sip-server.ts";
import { testServer } from "./test-server.ts";
import { until } from "./until.ts";
import { type ClientCall, WireClient } from "./wire-client.ts";

/** What the server describes of itself in its calls. */
export const OWN_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=referred\r\n";

/** A target that rings and answers. */
export function answering({ message }: ServedRequest): Reaction {
  if (message.method === "ACK") return "silent";
  if (message.method !== "INVITE") return 200;
  const headers = [`Contact: <${message.uri}>`];
  return [
    { status: 180, headers },
    { status: 200, headers },
  ];
}

/**
 * @param onRequest what the target does
 * @param options of the transfers; the offer is {@link OWN_SDP} unless said otherwise
 */
export async function referredServer(
  onRequest: Reaction | ((request: ServedRequest) => Reaction) = answering,
  options: TransferOptions = {},
  serve: ServeOptions = {},
) {
  const clock = new FakeClock();
  // It knows of no name at all.
  const dns = await DnsServer.start();
  const target = await SipServer.start(onRequest, { over: ["udp"] });
  const plugin = transfers({ offer: () => OWN_SDP, ...options });
  const dialogs: Dialog[] = [];
  const running = await testServer({
    clock,
    resolve: { nameservers: [dns.address], dnsTimeout: 300 },
    invite: (call) => void call.answer(OWN_SDP).then((dialog) => dialogs.push(dialog)),
    plugins: [plugin],
    ...serve,
  });
  const client = await WireClient.open(running.address);
  const contact = `<sip:alice@${client.sentBy}>`;
  const dialogOf = ({ invite }: ClientCall) =>
    until("the dialog", () => dialogs.find(({ callId }) => callId === invite.callId));
  return {
    clock,
    target,
    /** The URI of the target. */
    uri: `sip:carol@${target.at}`,
    plugin,
    client,
    server: running.server,
    log: running.log,
    /** Waits until the target has had a request of this method, one within another's transaction too. */
    has: (method: string) =>
      until(`${method} at the target`, () => target.requests.find(({ message }) => message.method === method)),
    /** The peer's Contact. */
    contact,
    /** The server's side of a call that stands. */
    dialogOf,
    /** A call of the peer's that stands. */
    async call() {
      const call = await client.invite();
      call.ack();
      return Object.assign(call, {
        dialog: await dialogOf(call),
        /** Refers the server within the call. @returns the final response */
        refer: (referTo: string, headers: readonly string[] = []) =>
          call.ask("REFER", { contact, headers: [`Refer-To: ${referTo}`, ...headers] }),
      });
    },
    /** Takes the next NOTIFY, answers it, and waits until the server has the answer. */
    async notify(status = 200): Promise<SipMessage> {
      const notify = await client.next("NOTIFY");
      client.respond(notify, status);
      await client.ask("OPTIONS");
      return notify;
    },
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
      target[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

/** What a NOTIFY says: its Event, its Subscription-State without the seconds, its status line. */
export function told(notify: SipMessage): (string | undefined)[] {
  const state = notify.header("Subscription-State")?.replace(/expires=\d+/, "expires=N");
  return [notify.header("Event"), state, notify.body];
}
