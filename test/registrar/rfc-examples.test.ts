/** The registrations that RFCs give as examples: their octets in, what they say comes out. */
import { describe, expect, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import type { RegistrarOptions, ServeOptions } from "../../src/index.ts";
import { CERTIFICATES } from "../support/certificates.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { credentials, paramsOf } from "../support/digest-client.ts";
import { corpus } from "../support/fixtures.ts";
import { Registrant, RunningRegistrar } from "../support/registering.ts";
import { SipMessage } from "../support/sip-messages.ts";
import { bytesOf, readSip, type SipText, textOf } from "../support/sip-text.ts";
import { StreamClient } from "../support/stream-client.ts";

const CLIENT = "127.0.0.19";
const ROUTES = new Set(["path", "service-route"]);
const examples = new Map(corpus().map(({ name, bytes }) => [name, textOf(bytes)]));

/** An example's text, with a Content-Length, and without the dots that stand for more header fields. */
function example(number: string): string {
  const text = examples.get(`txt-${number}`)!.replace(/\r\n \. \. \.(?=\r\n)/, "");
  return /^(Content-Length|l):/im.test(text) ? text : text.replace(/\r\n\r\n/, "\r\nContent-Length: 0\r\n\r\n");
}

/** A header field's values without folds, without what depends on the run: the tag of To, where the request came from. */
function fieldsOf(text: string, lengthNeeded = true): Record<string, string[]> {
  const { startLine, fields }: SipText = readSip(bytesOf(text), lengthNeeded);
  const found: Record<string, string[]> = { "": [startLine] };
  for (const [name, value] of fields) {
    let plain = value.replaceAll(/\s*\r\n\s+/g, "").replaceAll(/,\s+/g, ",");
    if (name === "to") plain = plain.replace(/\s*;tag=.*$/, "");
    if (name === "via") plain = plain.replace(/;received=[^;]*/, "");
    found[name] = [...(found[name] ?? []), ...(ROUTES.has(name) ? plain.split(",") : [plain])];
  }
  return found;
}

/** Contacts as their parts, in an order of their own. */
function contactsOf(values: string[] = []): string[][] {
  return values.map((value) => value.split(/;(?=[^">]*(?:"[^"]*"[^">]*)*$)/).sort()).sort();
}

/** Checks that an answer says what an RFC's does. @param but header fields of the RFC's that are not looked at */
function expectSame(answer: SipMessage, wanted: string, ...but: string[]): void {
  const got = fieldsOf(answer.text);
  const asked = fieldsOf(wanted);
  for (const name of Object.keys(asked)) {
    if (name === "contact" || name === "supported" || but.includes(name)) continue;
    expect([name, ...got[name]!]).toEqual([name, ...asked[name]!]);
  }
  if (!but.includes("contact")) expect(contactsOf(got.contact)).toEqual(contactsOf(asked.contact));
  expect(answer.toTag).toBeDefined();
}

/** Sends messages over UDP from the port that their Vias name. @returns the answer to each */
async function overUdp(options: RegistrarOptions, ...texts: string[]): Promise<[RunningRegistrar, SipMessage[]]> {
  using on = await RunningRegistrar.start(options);
  using client = await DatagramClient.open(CLIENT, 5060);
  const answers: SipMessage[] = [];
  for (const text of texts) {
    client.send(text, on.address.port);
    answers.push(new SipMessage(client.received[await client.until(() => true, answers.length)]!));
  }
  return [on, answers];
}

describe("RFC 3665 s2, over TLS", () => {
  const domains = ["biloxi.example.com", "ss2.biloxi.example.com"];
  const realm = "atlanta.example.com";
  const uri = "sips:ss2.biloxi.example.com";
  const DESK = "<sips:bob@client.biloxi.example.com>";
  const MAIL = "<mailto:bob@biloxi.example.com>";

  async function start() {
    const auth = digest({ realm, users: { bob: "zanzibar" }, algorithms: ["MD5"], failures: false });
    const serving: ServeOptions = { listen: "tls://127.0.0.1:0", tls: CERTIFICATES.server };
    const on = await RunningRegistrar.start({ auth, domains, maxExpires: 2 ** 30 }, serving);
    const client = await StreamClient.open(on.address, { transport: "tls" });
    let nonce = "";
    let nc = 0;
    /** Sends an example, with credentials that fit what was asked in the place of the RFC's. */
    const send = async (number: string, password = "zanzibar"): Promise<SipMessage> => {
      const login = { username: "bob", password, nonce, realm, uri, nc: ++nc, algorithm: "MD5" };
      const answered = `Authorization: ${credentials(login)}\r\n`;
      const text = example(number).replace(/^Authorization:.*\r\n(?: .*\r\n)*/m, answered);
      client.send(text);
      const answer = await client.next(({ status }) => status > 0);
      if (answer.status === 401) {
        ({ nonce = "" } = paramsOf(`WWW-Authenticate: ${answer.header("WWW-Authenticate")}`));
        nc = 0;
      }
      return answer;
    };
    /** Has the registrar know the nonce and the contacts, as s2.2 to s2.5 suppose it does. */
    const known = async (...contacts: string[]) => {
      const bob = new Registrant(client, "sips:bob@biloxi.example.com");
      const challenge = await bob.register({ uri });
      ({ nonce = "" } = paramsOf(`WWW-Authenticate: ${challenge.header("WWW-Authenticate")}`));
      const value = () => credentials({ username: "bob", password: "zanzibar", nonce, realm, uri, nc: ++nc });
      for (const contact of contacts) {
        const response = await bob.register({ uri, contacts: [contact], headers: [`Authorization: ${value()}`] });
        expect(response.status).toBe(200);
      }
    };
    const close = () => {
      client[Symbol.dispose]();
      on[Symbol.dispose]();
    };
    return { on, send, known, [Symbol.dispose]: close };
  }

  test("2.1 new registration: 401 and its challenge, then 200", async () => {
    using at = await start();
    const challenge = await at.send("0005");
    expectSame(challenge, example("0006"), "www-authenticate");
    const params = paramsOf(`WWW-Authenticate: ${challenge.header("WWW-Authenticate")}`);
    expect(params).toMatchObject({ realm, qop: "auth", algorithm: "MD5" });
    expect(at.on.phones.stats.bindings).toBe(0);
    expectSame(await at.send("0007"), example("0008"));
    expect(at.on.contacts("sip:bob@biloxi.example.com")).toEqual(["sips:bob@client.biloxi.example.com"]);
  });

  test("2.2 update of the contact list", async () => {
    using at = await start();
    await at.known(`${DESK};expires=3600`);
    const response = await at.send("0009");
    // The RFC's registrar gives a mail address 2^32-1 seconds without being asked.
    expectSame(response, example("0010"), "contact");
    expect(response.headers("Contact").sort()).toEqual([`${MAIL};expires=3600`, `${DESK};expires=3600`]);
  });

  test("2.3 request for the current contact list", async () => {
    using at = await start();
    await at.known(`${DESK};expires=3600`, `${MAIL};expires=4294967295`);
    const response = await at.send("0011");
    expectSame(response, example("0010"), "contact");
    expect(response.headers("Contact").sort()).toEqual([`${MAIL};expires=1073741824`, `${DESK};expires=3600`]);
  });

  test("2.4 cancellation: all of it is gone", async () => {
    using at = await start();
    await at.known(DESK, MAIL);
    expectSame(await at.send("0012"), example("0013"));
    expect(at.on.phones.stats).toMatchObject({ bindings: 0, unregistered: 2 });
  });

  test("2.5 unsuccessful registration: 401 twice", async () => {
    using at = await start();
    expectSame(await at.send("0014"), example("0015"), "www-authenticate");
    expectSame(await at.send("0016", "wrong"), example("0017"), "www-authenticate");
    expect(at.on.phones.stats.bindings).toBe(0);
  });
});

test("RFC 3261 s24.1: Bob registers for two hours", async () => {
  const [on, [answer]] = await overUdp({ domains: ["biloxi.com", "registrar.biloxi.com"] }, example("0514"));
  // The RFC's answer has the time in an Expires of its own, against its own s10.3.
  expectSame(answer!, example("0515"), "contact", "expires");
  expect(answer!.headers("Contact")).toEqual(["<sip:bob@192.0.2.4>;expires=7200"]);
  expect(on.contacts("sip:bob@biloxi.com")).toEqual(["sip:bob@192.0.2.4"]);
});

test("RFC 3327 s5.5: P3 and P1 are the way to UA1, and the UA is told of it", async () => {
  const domains = ["registrar.examplehome.com", "examplehome.com"];
  const [on, [answer]] = await overUdp({ domains }, example("0455"));
  expectSame(answer!, example("0456"), "contact");
  expect(answer!.headers("Contact")).toEqual(["<sip:UA1@192.0.2.4>;expires=3600"]);
  expect(on.phones.lookup("sip:UA1@EXAMPLEHOME.COM")).toMatchObject([
    {
      contact: "sip:UA1@192.0.2.4",
      path: "<sip:P3.EXAMPLEHOME.COM;lr>,<sip:P1.EXAMPLEVISITED.COM;lr>",
      received: "",
      flow: null,
      isBehindNat: false,
    },
  ]);
});

test("RFC 3608 s6.4: the service route is told, in its order", async () => {
  const serviceRoute = ["sip:P2.HOME.EXAMPLE.COM;lr", "sip:HSP.HOME.EXAMPLE.COM;lr"];
  const [, [answer]] = await overUdp({ domains: ["home.example.com"], serviceRoute }, example("0532"));
  expectSame(answer!, example("0533"), "contact");
  expect(answer!.headers("Contact")).toEqual(["<sip:UA1@UADDR1.VISITED.EXAMPLE.ORG>;expires=3600"]);
});

describe("RFC 5626 s9, behind its edge proxies", () => {
  const EP1 = "<sip:VskztcQ/S8p4WPbOnHbuyh5iJvJIW3ib@ep1.example.com;lr;ob>";
  const EP2 = "<sip:wazHDLdIMtUg6r0I/oRZ15zx3zHE1w1Z@ep2.example.com;lr;ob>";

  /** A REGISTER as an edge proxy passes it on. */
  function passedOn(number: string, via: string, path: string): string {
    return example(number)
      .replace(/^Route:.*\r\n/m, `Path: ${path}\r\n`)
      .replace(/^Via:/m, `Via: SIP/2.0/UDP ${via}\r\nVia:`);
  }

  test("two flows of one instance are two bindings, each by its own proxy", async () => {
    const ep1 = passedOn("0542", "192.0.2.15;branch=z9hG4bKnuiqisi", EP1);
    const ep2 = passedOn("0544", "192.0.2.16;branch=z9hG4bKnuiqisj", EP2);
    const [on, [first, second]] = await overUdp({ domains: ["example.com"] }, ep1, ep2);
    expectSame(first!, example("0543"), "via");
    expectSame(second!, example("0545"), "via");
    expect(first!.headers("Flow-Timer")).toEqual([]);
    const instance = "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";
    const contact = "sip:bob@192.0.2.2;transport=tcp";
    expect(on.phones.lookup("sip:bob@example.com")).toMatchObject([
      { instance, contact, regId: 2, path: EP2, callId: "E05133BD26DD", flow: null },
      { instance, contact, regId: 1, path: EP1, callId: "16CB75F21C70", flow: null },
    ]);
  });

  test("a flow that failed is registered again over another token", async () => {
    const ep1 = passedOn("0542", "192.0.2.15;branch=z9hG4bKnuiqisi", EP1);
    const again = EP1.replace("Vskzt", "Other");
    const next = passedOn("0542", "192.0.2.15;branch=z9hG4bKnuiqisk", again).replace("CSeq: 1", "CSeq: 2");
    const [on, [, answer]] = await overUdp({}, ep1, next);
    expect(answer!.headers("Contact")).toHaveLength(1);
    expect(on.phones.lookup("sip:bob@example.com")).toMatchObject([{ regId: 1, path: again }]);
  });

  test("s3.2: a stray semicolon in the example is malformed", async () => {
    const [on, [answer]] = await overUdp({}, example("0540"));
    expect([answer!.status, answer!.reason]).toEqual([400, "Malformed Contact"]);
    expect(on.phones.stats.bindings).toBe(0);
  });
});

describe("RFC 5627 s9", () => {
  const first = example("0004");
  const rebooted = first
    .replaceAll("192.0.2.1", "192.0.2.2")
    .replace("z9hG4bKnashds7", "z9hG4bKnasbba")
    .replace("a73kszlfl", "ha8d777f0")
    .replace("1j9FpLxk3uxtm8tn", "hf8asxzff8s7f");
  const PUBLIC = "sip:callee@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
  const temporaryOf = (contact: string) => /;temp-gruu="([^"]*)"/.exec(contact)![1]!;

  test("the callee gets its GRUUs, and others once it has crashed", async () => {
    const [on, [before, after]] = await overUdp({ domains: ["example.com"] }, first, rebooted);
    const [contact] = before!.headers("Contact");
    expect(contact).toStartWith(
      `<sip:callee@192.0.2.1>;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";expires=3600;pub-gruu="${PUBLIC}";temp-gruu="`,
    );
    expect(temporaryOf(contact!)).toMatch(/^sip:tgruu\.[\w-]{32}@example\.com;gr$/);
    const contacts = after!.headers("Contact");
    expect(contacts.map((value) => value.split(";")[0]).sort()).toEqual([
      "<sip:callee@192.0.2.1>",
      "<sip:callee@192.0.2.2>",
    ]);
    for (const value of contacts) expect(value).toContain(`;pub-gruu="${PUBLIC}"`);
    // s9: the temporary one is the same for both, the one made last.
    const [temporary, same] = contacts.map(temporaryOf);
    expect(same).toBe(temporary!);
    expect(on.contacts(PUBLIC)).toEqual(["sip:callee@192.0.2.2", "sip:callee@192.0.2.1"]);
    expect(on.contacts(temporary)).toHaveLength(2);
    // s5.1: another Call-ID has ended what was made before.
    expect(on.contacts(temporaryOf(contact!))).toEqual([]);
    expect(after!.headers("Require")).toEqual([]);
  });
});

test("RFC 7118 s8.1: a browser registers over its WebSocket, with a flow and GRUUs", async () => {
  using on = await RunningRegistrar.start(
    { domains: ["example.com", "proxy.example.com"] },
    { listen: "ws://127.0.0.1:0" },
  );
  using client = await StreamClient.open(on.address, { transport: "ws" });
  client.send(example("0491").replace("SIP/2.0/WSS", "SIP/2.0/WS"));
  const answer = await client.next(200);
  expectSame(answer, example("0492").replace("SIP/2.0/WSS", "SIP/2.0/WS"), "contact");
  const [contact] = answer.headers("Contact");
  expect(contact).toStartWith(
    '<sip:alice@df7jal23ls0d.invalid;transport=ws>;reg-id=1;+sip.instance="<urn:uuid:f81-7dec-14a06cf1>";expires=3600' +
      ';pub-gruu="sip:alice@example.com;gr=urn:uuid:f81-7dec-14a06cf1";temp-gruu="sip:tgruu.',
  );
  expect(answer.header("Require")).toBe("outbound");
  const [binding] = on.phones.lookup("sip:alice@example.com");
  expect(binding).toMatchObject({ regId: 1, contact: "sip:alice@df7jal23ls0d.invalid;transport=ws" });
  expect(binding!.flow?.channel.transport).toBe("WS");
});
