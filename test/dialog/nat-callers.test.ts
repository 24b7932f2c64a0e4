/** Requests of ours to phones behind a NAT that have called: their Contact leads nowhere from here (RFC 3581, RFC 5626). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Dialog, events, presence, type ServeOptions } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import type { RequestShape } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";
import { ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const HIDDEN = "sip:alice@10.0.0.7:5060";
/** What a phone writes that knows no other address of its own. */
const INSIDE = { sentBy: "10.0.0.7:5060", viaParams: ";rport" } as const;
const SDP = "v=0\r\n";

/** A server, and peers at addresses of their own: the phone's is that of its NAT. */
async function nat(options: ServeOptions = {}) {
  const dialogs: Dialog[] = [];
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "udp://[::1]:0"],
    clock: new FakeClock(),
    invite(call) {
      void call.answer(SDP, { invite: (again) => void again.answer(SDP) }).then((dialog) => dialogs.push(dialog));
    },
    info: (request) => request.reply(200),
    ...options,
  });
  const peers: WireClient[] = [];
  const [v4, v6] = running.server.addresses;
  /** Another peer. `::1` is what a private address is for those at 127.0.0.x: of another network, but here it can be reached. */
  const at = async (host: string): Promise<WireClient> => {
    const peer = await WireClient.open(host === "::1" ? v6! : v4!, host);
    peers.push(peer);
    return peer;
  };
  return {
    server: running.server,
    phone: await at("127.0.0.2"),
    at,
    /** The phone calls. */
    async call(phone: WireClient, shape: RequestShape = {}): Promise<{ call: ClientCall; dialog: Dialog }> {
      const call = await phone.invite({ ...INSIDE, contact: `<${HIDDEN}>`, ...shape });
      call.ack();
      const dialog = await until("the dialog", () => dialogs.find(({ callId }) => callId === call.invite.callId));
      return { call, dialog };
    },
    [Symbol.dispose]() {
      for (const peer of peers) peer[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

/** Answers a request of ours, a re-INVITE with a Contact. */
function answer(peer: WireClient, request: { text: string }, contact: string | null = null): void {
  const lines = request.text.split("\r\n").filter((line) => /^(?:Via|From|To|Call-ID|CSeq):/i.test(line));
  const more = contact === null ? [] : [`Contact: <${contact}>`];
  peer.send(`${["SIP/2.0 200 OK", ...lines, ...more, "Content-Length: 0"].join("\r\n")}\r\n\r\n`);
}

describe("the Contact is an address of a private network", () => {
  test.each([
    HIDDEN,
    "sip:alice@10.0.0.7",
    "sip:172.16.0.9:5070;transport=udp;x=y",
    "sip:alice@192.168.178.20:5062;transport=tcp",
    "sip:alice@100.64.3.3",
    "sip:alice@169.254.7.7",
    "sip:alice@0.0.0.0",
    "sip:alice@[fd00::7]:5060",
    "sip:alice@[FE80:0:0::7]",
    "sip:alice@[::ffff:10.0.0.7]",
    "sip:alice@phone.example.com;maddr=10.0.0.7",
  ])("%s: a BYE goes to where the INVITE came from, and names the Contact as it was written", async (contact) => {
    using on = await nat();
    const { dialog } = await on.call(on.phone, { contact: `<${contact}>` });
    dialog.bye();
    const bye = await on.phone.next("BYE");
    expect(bye.startLine).toBe(`BYE ${contact} SIP/2.0`);
    expect(bye.header("Via")).toStartWith(`SIP/2.0/UDP 127.0.0.1:${on.server.addresses[0]!.port};`);
    expect(bye.header("Route")).toBeUndefined();
  });

  test("so does every other request: INFO, UPDATE, re-INVITE with its ACK, BYE", async () => {
    using on = await nat();
    const { dialog } = await on.call(on.phone);
    const info = dialog.info({ body: "x", contentType: "text/plain" });
    answer(on.phone, await on.phone.next("INFO"));
    expect((await info).status).toBe(200);
    const update = dialog.update();
    answer(on.phone, await on.phone.next("UPDATE"), HIDDEN);
    expect((await update).status).toBe(200);
    const again = dialog.invite("v=0\r\ns=2\r\n");
    const invite = await on.phone.next("INVITE");
    answer(on.phone, invite, HIDDEN);
    expect((await again).status).toBe(200);
    const ack = await on.phone.next("ACK");
    expect([ack.uri, ack.cseq]).toEqual([HIDDEN, invite.cseq]);
    // The 2xx came again: so does its ACK, to the same place.
    answer(on.phone, invite, HIDDEN);
    expect((await on.phone.next("ACK")).text).toBe(ack.text);
    dialog.bye();
    expect((await on.phone.next("BYE")).uri).toBe(HIDDEN);
  });

  test("a NOTIFY too, in the dialog of a subscription", async () => {
    const notifier = events({ packages: [presence()] });
    using on = await nat({ plugins: [notifier] });
    const contact = { contact: `<${HIDDEN}>`, headers: ["Event: presence", "Expires: 600"] };
    const subscribe = on.phone.request("SUBSCRIBE", { uri: "sip:bob@127.0.0.1", ...INSIDE, ...contact });
    expect((await on.phone.next(200, subscribe)).header("Expires")).toBe("600");
    expect((await on.phone.next("NOTIFY")).uri).toBe(HIDDEN);
  });

  test("the NAT gives the phone another port: requests follow its last request", async () => {
    using on = await nat();
    const { call, dialog } = await on.call(on.phone);
    const moved = await on.at("127.0.0.2");
    expect((await new ClientCall(moved, call.invite, call.response).ask("INFO", INSIDE)).status).toBe(200);
    dialog.bye();
    expect((await moved.next("BYE")).uri).toBe(HIDDEN);
    expect(await on.phone.restBrief()).toEqual([]);
  });
});

describe("the Contact is believed", () => {
  test("an address of the network that the phone is seen in, as of another machine of the caller's", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.3");
    const { dialog } = await on.call(on.phone, { contact: `<sip:alice@${other.sentBy}>` });
    dialog.bye();
    expect((await other.next("BYE")).uri).toBe(`sip:alice@${other.sentBy}`);
    expect(await on.phone.restBrief()).toEqual([]);
  });

  test("another port of the phone's own address", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.2");
    const { dialog } = await on.call(on.phone, { contact: `<sip:alice@${other.sentBy}>` });
    dialog.bye();
    await other.next("BYE");
    expect(await on.phone.restBrief()).toEqual([]);
  });

  test("with a Record-Route nothing is changed: the proxy has the requests", async () => {
    using on = await nat();
    const proxy = await on.at("::1");
    const { dialog } = await on.call(on.phone, { headers: [`Record-Route: <sip:${proxy.sentBy};lr>`] });
    dialog.bye();
    const bye = await proxy.next("BYE");
    expect([bye.uri, bye.header("Route")]).toEqual([HIDDEN, `<sip:${proxy.sentBy};lr>`]);
    expect(await on.phone.restBrief()).toEqual([]);
  });

  test("a proxy that stayed out of the dialog is not the phone: requests go to the Contact", async () => {
    const second = "Via: SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bKinside";
    for (const [viaParams, headers] of [
      [";rport", [second]],
      [`;rport, ${second.slice(5)}`, []],
    ] as const) {
      using on = await nat();
      const inside = await on.at("::1");
      const contact = `<sip:alice@${inside.sentBy}>`;
      const { call, dialog } = await on.call(on.phone, { contact, viaParams, headers });
      const info = dialog.info({ body: "" });
      answer(inside, await inside.next("INFO"));
      expect((await info).status).toBe(200);
      expect((await call.ask("INFO", { ...INSIDE, viaParams, headers })).status).toBe(200);
      dialog.bye();
      expect(`<${(await inside.next("BYE")).uri}>`).toBe(contact);
      expect(await on.phone.restBrief()).toEqual([]);
    }
  });

  test("a request by way of a proxy tells nothing of the phone's place, one that comes from the phone does again", async () => {
    using on = await nat();
    const inside = await on.at("::1");
    const proxy = await on.at("127.0.0.4");
    const contact = `<sip:alice@${inside.sentBy}>`;
    const { call, dialog } = await on.call(on.phone, { contact });
    const byProxy = new ClientCall(proxy, call.invite, call.response);
    const headers = ["Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKinside"];
    expect((await byProxy.ask("INFO", { headers })).status).toBe(200);
    const info = dialog.info({ body: "" });
    answer(inside, await inside.next("INFO"));
    expect((await info).status).toBe(200);
    expect((await call.ask("INFO", { ...INSIDE, cseq: 9 })).status).toBe(200);
    dialog.bye();
    await on.phone.next("BYE");
    expect(await proxy.restBrief()).toEqual([]);
  });

  test("a sips URI is sent to over TLS alone", async () => {
    using on = await nat();
    const inside = await on.at("::1");
    const { dialog } = await on.call(on.phone, { contact: `<sips:alice@${inside.sentBy}>` });
    dialog.bye();
    await until("the attempt", () => on.server.stats().byesUndelivered === 1);
    expect(await on.phone.restBrief()).toEqual([]);
  });
});

describe("a target refresh is heeded, and decided upon anew", () => {
  test("by the phone: to a Contact that can be reached, and back to one that cannot", async () => {
    for (const method of ["INVITE", "UPDATE"]) {
      using on = await nat();
      const other = await on.at("127.0.0.3");
      const { call, dialog } = await on.call(on.phone);
      const refresh = async (contact: string) => {
        const request = call.send(method, { ...INSIDE, contact: `<${contact}>` });
        const response = await on.phone.next(200, request);
        if (method === "INVITE") call.ack(request, response);
      };
      await refresh(`sip:alice@${other.sentBy}`);
      const info = dialog.info({ body: "" });
      answer(other, await other.next("INFO"));
      await info;
      await refresh("sip:alice@192.168.1.7");
      dialog.bye();
      expect((await on.phone.next("BYE")).uri).toBe("sip:alice@192.168.1.7");
      expect(await other.restBrief()).toEqual([]);
    }
  });

  test("a refused one changes nothing", async () => {
    using on = await nat({ invite: (call) => void call.answer(SDP).then((dialog) => (standing = dialog)) });
    let standing: Dialog | null = null;
    const other = await on.at("127.0.0.3");
    const call = await on.phone.invite({ ...INSIDE, contact: `<${HIDDEN}>` });
    call.ack();
    const dialog = await until("the dialog", () => standing);
    const again = call.send("INVITE", { ...INSIDE, contact: `<sip:alice@${other.sentBy}>` });
    call.ack(again, await on.phone.next(488, again));
    dialog.bye();
    expect((await on.phone.next("BYE")).uri).toBe(HIDDEN);
  });

  test("by the phone's answer to a re-INVITE of ours", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.3");
    const { dialog } = await on.call(on.phone);
    const moving = dialog.invite("v=0\r\ns=2\r\n");
    answer(on.phone, await on.phone.next("INVITE"), `sip:alice@${other.sentBy}`);
    await moving;
    await other.next("ACK");
    const back = dialog.invite("v=0\r\ns=3\r\n");
    answer(other, await other.next("INVITE"), HIDDEN);
    await back;
    // Heard of from there, and told a Contact that leads nowhere from here.
    expect((await other.next("ACK")).uri).toBe(HIDDEN);
    dialog.bye();
    expect((await other.next("BYE")).uri).toBe(HIDDEN);
    expect(await on.phone.restBrief()).toEqual([]);
  });
});

describe("nobody aims our requests at a third party", () => {
  test("an address in a Via, whatever is written there", async () => {
    for (const via of ["sent-by", "received"]) {
      using on = await nat();
      const third = await on.at("127.0.0.9");
      const shape =
        via === "sent-by"
          ? { sentBy: third.sentBy, viaParams: ";rport" }
          : { sentBy: "10.0.0.7", viaParams: `;rport=${third.port};received=127.0.0.9` };
      const { dialog } = await on.call(on.phone, shape);
      dialog.bye();
      await on.phone.next("BYE");
      expect(await third.restBrief()).toEqual([]);
    }
  });

  test("requests that are not of the dialog, or older than its last", async () => {
    using on = await nat();
    const third = await on.at("127.0.0.9");
    const { call, dialog } = await on.call(on.phone, { cseq: 10 });
    const shape = { from: call.invite.header("From")!, to: call.response.header("To")!, callId: call.invite.callId };
    expect((await third.ask("INFO", { ...shape, cseq: 11, from: "<sip:alice@a>;tag=guessed" })).status).toBe(481);
    expect((await third.ask("INFO", { ...shape, cseq: 11, to: "<sip:bob@b>;tag=guessed" })).status).toBe(481);
    expect((await third.ask("INFO", { ...shape, cseq: 9 })).status).toBe(500);
    dialog.bye();
    await on.phone.next("BYE");
    expect(await third.restBrief()).toEqual([]);
  });

  test("where an answer to a request of ours comes from, when that is not where the request went", async () => {
    using on = await nat();
    const third = await on.at("127.0.0.9");
    const { dialog } = await on.call(on.phone);
    const again = dialog.invite("v=0\r\ns=2\r\n");
    answer(third, await on.phone.next("INVITE"), HIDDEN);
    expect((await again).status).toBe(200);
    await on.phone.next("ACK");
    dialog.bye();
    await on.phone.next("BYE");
    expect(await third.restBrief()).toEqual([]);
  });
});

describe("natContacts", () => {
  test("off: requests go to the Contact, private or marked with ob", async () => {
    using on = await nat({ natContacts: "off" });
    const inside = await on.at("::1");
    const other = await on.at("127.0.0.3");
    for (const [peer, params] of [
      [inside, ""],
      [other, ";ob"],
    ] as const) {
      const { dialog } = await on.call(on.phone, { contact: `<sip:alice@${peer.sentBy}${params}>` });
      dialog.bye();
      expect((await peer.next("BYE")).uri).toBe(`sip:alice@${peer.sentBy}${params}`);
    }
    expect(await on.phone.restBrief()).toEqual([]);
  });

  test("all: any numeric address and port but those that the INVITE came from", async () => {
    using on = await nat({ natContacts: "all" });
    for (const host of ["127.0.0.3", "127.0.0.2", "::1"]) {
      const other = await on.at(host);
      const { dialog } = await on.call(on.phone, { contact: `<sip:alice@${other.sentBy}>` });
      dialog.bye();
      expect((await on.phone.next("BYE")).uri).toBe(`sip:alice@${other.sentBy}`);
      expect(await other.restBrief()).toEqual([]);
    }
  });

  test("private, and ob in the Contact: the phone asks for the flow that its INVITE came by (RFC 5626 s4.3)", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.3");
    const { dialog } = await on.call(on.phone, { contact: `<sip:alice@${other.sentBy};ob>` });
    dialog.bye();
    expect((await on.phone.next("BYE")).uri).toBe(`sip:alice@${other.sentBy};ob`);
    expect(await other.restBrief()).toEqual([]);
  });
});
