/**
 * Calls to registered phones behind a NAT: not only the INVITE but every request in its dialog goes to where the phone is,
 * whatever its Contact says (RFC 5626 s5.3). Calls to others by their address, too.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type CallOptions,
  type Dialog,
  events,
  type Plugin,
  presence,
  type Registrar,
  registrar,
  type ServeOptions,
} from "../../src/index.ts";
import { Callee } from "../support/callee.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Registrant } from "../support/registering.ts";
import { OFFER, type SipMessage } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const BOB = "sip:bob@example.com";
const HIDDEN = "sip:bob@10.0.0.7:5060";
/** Responses in which the phone says where it is, and that it keeps them until a PRACK. */
const RELIABLE = ["Require: 100rel", "RSeq: 7"];

/** A registrar that calls, and a phone at an address of its NAT. */
async function nat(serving: ServeOptions = {}, plugins: readonly Plugin[] = []) {
  const phones = registrar({ keepAlive: "off", maxBindings: 1000 });
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "udp://[::1]:0"],
    clock: new FakeClock(),
    plugins: [phones, ...plugins],
    ...serving,
  });
  const [v4, v6] = running.server.addresses;
  const peers: (Callee | WireClient)[] = [];
  const calleeAt = async (host: string): Promise<Callee> => {
    const callee = await Callee.open(v4!, host);
    peers.push(callee);
    return callee;
  };
  const phone = await calleeAt("127.0.0.2");
  return {
    server: running.server,
    phones,
    phone,
    calleeAt,
    /** Another peer. `::1` is what a private address is for those at 127.0.0.x: of another network, but here it can be reached. */
    async at(host: string): Promise<WireClient> {
      const peer = await WireClient.open(host === "::1" ? v6! : v4!, host);
      peers.push(peer);
      return peer;
    },
    /** The phone registers a Contact, and is called by it. */
    async called(contact: string, options: CallOptions = {}) {
      const registered = await new Registrant(phone.wire).register({ contacts: [`<${contact}>`] });
      expect(registered.status).toBe(200);
      const call = running.server.call(contact, { binding: bindingOf(phones), sdp: OFFER, ...options });
      return { call, invite: await phone.next("INVITE") };
    },
    [Symbol.dispose]() {
      for (const peer of peers) peer[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

function bindingOf(phones: Registrar) {
  const [binding] = phones.lookup(BOB);
  return binding!;
}

/** Sends a request in the dialog, answers it with 200, and says where it went. */
async function asked(dialog: Dialog, at: Callee | WireClient): Promise<string> {
  const info = dialog.info({ body: "x", contentType: "text/plain" });
  const request = await at.next("INFO");
  at.respond(request, 200);
  expect((await info).status).toBe(200);
  return request.uri;
}

describe("a phone that is called by its binding", () => {
  test("PRACK, ACK, re-INVITE, UPDATE, INFO and BYE follow the INVITE, with its Contact as Request-URI", async () => {
    using on = await nat();
    const { phone } = on;
    const { call, invite } = await on.called(HIDDEN);
    expect(invite.uri).toBe(HIDDEN);
    const contact = `<${HIDDEN};inside=yes>`;
    const uris: string[] = [];
    phone.respond(invite, 183, { contact, headers: RELIABLE });
    const prack = await phone.next("PRACK");
    phone.respond(prack, 200);
    const success = phone.respond(invite, 200, { contact, body: "v=0\r\n" });
    const ack = await phone.next("ACK");
    const dialog = await call.answered;
    phone.wire.send(success);
    expect((await phone.next("ACK")).text).toBe(ack.text);
    const again = dialog.invite("v=0\r\ns=2\r\n");
    const reinvite = await phone.next("INVITE");
    phone.respond(reinvite, 200, { contact, body: "v=0\r\ns=2\r\n" });
    await again;
    uris.push(prack.uri, ack.uri, reinvite.uri, (await phone.next("ACK")).uri);
    const update = dialog.update();
    const updating = await phone.next("UPDATE");
    phone.respond(updating, 200, { contact });
    await update;
    uris.push(updating.uri, await asked(dialog, phone));
    dialog.bye();
    const bye = await phone.next("BYE");
    phone.respond(bye, 200);
    uris.push(bye.uri);
    expect(uris).toEqual(new Array(7).fill(contact.slice(1, -1)));
    expect(await phone.rest()).toEqual([]);
  });

  test("a call for which there is no dialog left is acknowledged and hung up there", async () => {
    using on = await nat({ limits: { dialogs: 0 } });
    const { call, invite } = await on.called(HIDDEN);
    on.phone.respond(invite, 200, { contact: `<${HIDDEN}>` });
    expect([(await on.phone.next("ACK")).uri, (await on.phone.next("BYE")).uri]).toEqual([HIDDEN, HIDDEN]);
    expect(await call.answered.catch(({ status }) => status)).toBe(503);
  });

  test("a Contact that only its port tells to be behind a NAT: the same as was registered, the flow is kept", async () => {
    using on = await nat();
    const stranger = await on.at("127.0.0.2");
    const contact = `sip:bob@${stranger.sentBy}`;
    const { call, invite } = await on.called(contact);
    on.phone.respond(invite, 200, { contact: `<${contact};x=y>` });
    expect((await on.phone.next("ACK")).uri).toBe(`${contact};x=y`);
    const dialog = await call.answered;
    expect(await asked(dialog, on.phone)).toBe(`${contact};x=y`);
    expect(await stranger.restBrief()).toEqual([]);
  });

  test("another Contact than was registered, that can be reached: the phone wants requests there", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.3");
    const { call, invite } = await on.called(HIDDEN);
    on.phone.respond(invite, 200, { contact: `<sip:bob@${other.sentBy}>` });
    await other.next("ACK");
    expect(await asked(await call.answered, other)).toBe(`sip:bob@${other.sentBy}`);
    expect(await on.phone.rest()).toEqual([]);
  });

  test("the same marked with ob: it wants them over the flow that it was called by", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.3");
    const { invite } = await on.called(HIDDEN);
    on.phone.respond(invite, 200, { contact: `<sip:bob@${other.sentBy};ob>` });
    expect((await on.phone.next("ACK")).uri).toBe(`sip:bob@${other.sentBy};ob`);
    expect(await other.restBrief()).toEqual([]);
  });

  test("a Record-Route in the answer is followed", async () => {
    using on = await nat();
    const proxy = await on.at("::1");
    const { call, invite } = await on.called(HIDDEN);
    on.phone.respond(invite, 200, { contact: `<${HIDDEN}>`, routes: [`<sip:${proxy.sentBy};lr>`] });
    const ack = await proxy.next("ACK");
    expect([ack.uri, ack.header("Route")]).toEqual([HIDDEN, `<sip:${proxy.sentBy};lr>`]);
    expect(await asked(await call.answered, proxy)).toBe(HIDDEN);
    expect(await on.phone.rest()).toEqual([]);
  });

  test("its own re-INVITE moves it, to what can be reached and back behind the NAT", async () => {
    using on = await nat();
    const other = await on.at("127.0.0.3");
    const handlers = { invite: (again: { answer(sdp: string): unknown }) => void again.answer(OFFER) };
    const { call, invite } = await on.called(HIDDEN, { handlers });
    await on.phone.answer(invite, { contact: `<${HIDDEN}>` });
    const dialog = await call.answered;
    let cseq = 0;
    const refresh = async (contact: string) => {
      const inside = { sentBy: "10.0.0.7:5060", viaParams: ";rport" };
      const request = on.phone.send(invite, "INVITE", { cseq: ++cseq, contact: `<${contact}>`, ...inside });
      const response = await on.phone.next(200, request);
      new ClientCall(on.phone.wire, request, response).ack();
    };
    await refresh(`sip:bob@${other.sentBy}`);
    expect(await asked(dialog, other)).toBe(`sip:bob@${other.sentBy}`);
    await refresh("sip:bob@192.168.1.7");
    expect(await asked(dialog, on.phone)).toBe("sip:bob@192.168.1.7");
  });

  test("natContacts off: requests in the dialog go to its Contact", async () => {
    using on = await nat({ natContacts: "off" });
    const inside = await on.at("::1");
    const contact = `sip:bob@${inside.sentBy}`;
    const { call, invite } = await on.called(contact);
    on.phone.respond(invite, 200, { contact: `<${contact}>` });
    await inside.next("ACK");
    expect(await asked(await call.answered, inside)).toBe(contact);
    expect(await on.phone.rest()).toEqual([]);
  });

  test("natContacts all: any numeric Contact but that of the flow is passed over", async () => {
    using on = await nat({ natContacts: "all" });
    const other = await on.at("127.0.0.3");
    const { invite } = await on.called(HIDDEN);
    on.phone.respond(invite, 200, { contact: `<sip:bob@${other.sentBy}>` });
    expect((await on.phone.next("ACK")).uri).toBe(`sip:bob@${other.sentBy}`);
    expect(await other.restBrief()).toEqual([]);
  });

  test("an answer from elsewhere than was called says nothing of where it is from", async () => {
    using on = await nat();
    const third = await on.calleeAt("127.0.0.9");
    const inside = await on.at("::1");
    const { call, invite } = await on.called(HIDDEN);
    third.respond(invite, 200, { contact: `<sip:bob@${inside.sentBy}>` });
    await inside.next("ACK");
    (await call.answered).bye();
    await inside.next("BYE");
    expect([await third.rest(), await on.phone.rest()]).toEqual([[], []]);
  });

  test("over TCP: everything goes over the connection that it registered on", async () => {
    using on = await nat({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    using phone = await StreamClient.open(on.server.addresses[1]!, { host: "127.0.0.2" });
    const contact = "<sip:bob@10.0.0.7:5060;transport=tcp>";
    expect((await new Registrant(phone).register({ contacts: [contact] })).status).toBe(200);
    const binding = bindingOf(on.phones);
    const call = on.server.call(binding.contact, { binding, sdp: OFFER });
    const invite = await phone.next("INVITE");
    phone.send(answerText(invite, contact));
    expect(`<${(await phone.next("ACK")).uri}>`).toBe(contact);
    (await call.answered).bye();
    const bye = await phone.next("BYE");
    expect(`<${bye.uri}>`).toBe(contact);
    phone.respond(bye, 200);
    expect(on.server.stats()).toMatchObject({ connectionsOpened: 0, connections: 1 });
  });

  test("a subscription: SUBSCRIBE goes over the flow, and so does what refreshes and ends it", async () => {
    const notifier = events({ packages: [presence()] });
    using on = await nat({}, [notifier]);
    const { phone } = on;
    const stranger = await on.at("127.0.0.2");
    const contact = `sip:bob@${stranger.sentBy}`;
    await new Registrant(phone.wire).register({ contacts: [`<${contact}>`] });
    const subscription = notifier.subscribe(contact, "presence", { binding: bindingOf(on.phones) });
    const subscribe = await phone.next("SUBSCRIBE");
    phone.respond(subscribe, 200, { headers: ["Expires: 600"] });
    const headers = ["Event: presence", "Subscription-State: active;expires=600"];
    const notify = phone.send(subscribe, "NOTIFY", { contact: `<${contact}>`, headers });
    await phone.next(200, notify);
    void subscription.unsubscribe();
    const last = await phone.next("SUBSCRIBE");
    expect([last.uri, last.header("Expires")]).toEqual([contact, "0"]);
    expect(await stranger.restBrief()).toEqual([]);
  });
});

describe("who is called by an address", () => {
  test("and answers from it with a Contact of a private network has the rest of the call there", async () => {
    using on = await nat();
    const call = on.server.call(on.phone.uri, { sdp: OFFER });
    on.phone.respond(await on.phone.next("INVITE"), 200, { contact: `<${HIDDEN}>` });
    expect((await on.phone.next("ACK")).uri).toBe(HIDDEN);
    expect(await asked(await call.answered, on.phone)).toBe(HIDDEN);
  });

  test("with any other Contact is believed: it may be a proxy that stays out of the dialog", async () => {
    for (const natContacts of ["private", "all"] as const) {
      using on = await nat({ natContacts });
      const other = await on.at("127.0.0.2");
      const call = on.server.call(on.phone.uri, { sdp: OFFER });
      on.phone.respond(await on.phone.next("INVITE"), 200, { contact: `<sip:bob@${other.sentBy}>` });
      await other.next("ACK");
      expect(await asked(await call.answered, other)).toBe(`sip:bob@${other.sentBy}`);
      expect(await on.phone.rest()).toEqual([]);
    }
  });

  test("by way of a route or a Path is not the one that answered: requests go to the Contact", async () => {
    for (const by of ["route", "path"]) {
      using on = await nat();
      const inside = await on.at("::1");
      const proxy = `sip:${on.phone.wire.sentBy};lr`;
      const way = by === "route" ? { route: proxy } : { binding: { path: `<${proxy}>`, flow: null } };
      const call = on.server.call(HIDDEN, { sdp: OFFER, ...way });
      on.phone.respond(await on.phone.next("INVITE"), 200, { contact: `<sip:bob@${inside.sentBy}>` });
      await inside.next("ACK");
      expect(await asked(await call.answered, inside)).toBe(`sip:bob@${inside.sentBy}`);
      expect(await on.phone.rest()).toEqual([]);
    }
  });
});

/** The 200 to an INVITE over a connection. */
function answerText(invite: SipMessage, contact: string): string {
  const lines = ["Via", "From", "Call-ID", "CSeq"].map((name) => `${name}: ${invite.header(name)}`);
  const more = [`To: ${invite.header("To")};tag=bob`, `Contact: ${contact}`, "Content-Length: 0"];
  return `${["SIP/2.0 200 OK", ...lines, ...more].join("\r\n")}\r\n\r\n`;
}
