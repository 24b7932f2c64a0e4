/** What a request is refused for before a handler sees it: RFC 3261 s8.2, on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { minimal, type ServeOptions } from "../../src/index.ts";
import { OFFER, type RequestShape, requestText, type SipMessage } from "../support/sip-messages.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

/** The final responses to requests that a server of these handlers is asked. */
async function asked(options: ServeOptions, requests: readonly [string, RequestShape][]) {
  using running = await testServer(options);
  using client = await WireClient.open(running.address);
  const responses: SipMessage[] = [];
  for (const [method, shape] of requests) responses.push(await client.ask(method, shape));
  return responses;
}

/** A server whose every handler writes down what it was given and answers. */
async function taking(
  options: ServeOptions = {},
): Promise<{ running: TestServer; client: WireClient; seen: string[] }> {
  const seen: string[] = [];
  const running = await testServer({
    invite(call) {
      seen.push("INVITE");
      call.reject(486);
    },
    request(request) {
      seen.push(request.method);
      request.reply(200);
    },
    ...options,
  });
  return { running, client: await WireClient.open(running.address), seen };
}

describe("methods (s8.2.1)", () => {
  test("405 with Allow for one that is known and not handled, 501 for one that is not known", async () => {
    const answers = await asked(
      { invite: (call) => call.reject(486), info: (request) => request.reply(200) },
      ["MESSAGE", "REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "FOO", "invite"].map((method) => [method, {}]),
    );
    expect(answers.map(({ status }) => status)).toEqual([405, 405, 405, 405, 405, 405, 501, 501]);
    for (const answer of answers) {
      expect(answer.list("Allow")).toEqual(["INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS", "INFO"]);
      expect(answer.toTag).toMatch(/^\w{7,}$/);
    }
  });

  test("minimal: OPTIONS alone", async () => {
    const [options, invite, bye, message, foo] = await asked(minimal(), [
      ["OPTIONS", {}],
      ["INVITE", {}],
      ["BYE", {}],
      ["MESSAGE", {}],
      ["FOO", {}],
    ]);
    expect(options!.status).toBe(200);
    for (const refused of [invite!, bye!, message!]) expect(refused.status).toBe(405);
    expect(foo!.status).toBe(501);
    for (const each of [options!, invite!, bye!, message!, foo!]) expect(each.list("Allow")).toEqual(["OPTIONS"]);
  });

  test("`request` takes every method without a handler of its own, unknown ones too", async () => {
    const { running, client, seen } = await taking({ message: (request) => request.reply(202) });
    using _running = running;
    using _client = client;
    for (const method of ["INFO", "REGISTER", "FOO"]) expect((await client.ask(method)).status).toBe(200);
    expect((await client.ask("MESSAGE")).status).toBe(202);
    // OPTIONS, BYE and CANCEL are the server's own.
    expect((await client.ask("OPTIONS")).status).toBe(200);
    expect((await client.ask("BYE")).status).toBe(481);
    expect((await client.ask("CANCEL")).status).toBe(481);
    expect(seen).toEqual(["INFO", "REGISTER", "FOO"]);
  });
});

test("`request` alone does not take INVITE: a call is more than a request", async () => {
  const [invite] = await asked({ request: (request) => request.reply(480) }, [["INVITE", {}]]);
  expect(invite!.status).toBe(405);
  expect(invite!.list("Allow")).toEqual(["OPTIONS"]);
});

describe("what the request asks for", () => {
  test("Require of an option that is not understood: 420 with just those in Unsupported (s8.2.2.3)", async () => {
    const { running, client, seen } = await taking({ supported: ["timer", "path"] });
    using _running = running;
    using _client = client;
    const refused = await client.ask("INVITE", { headers: ["Require: timer, 199", "Require: precondition"] });
    expect(refused.status).toBe(420);
    expect(refused.list("Unsupported")).toEqual(["199", "precondition"]);
    expect((await client.ask("MESSAGE", { headers: ["Require: timer"] })).status).toBe(200);
    // Proxy-Require is not for a UAS.
    expect((await client.ask("MESSAGE", { headers: ["Proxy-Require: nothing"] })).status).toBe(200);
    expect(seen).toEqual(["MESSAGE", "MESSAGE"]);
  });

  test("option tags are tokens: their case does not count (s7.3.1), the request's or ours", async () => {
    const { running, client } = await taking({ supported: ["timer", "Path"] });
    using _running = running;
    using _client = client;
    for (const require of ["Timer", "PATH", "path", "timer,Path"]) {
      const { status } = await client.ask("MESSAGE", { headers: [`Require: ${require}`] });
      expect([require, status]).toEqual([require, 200]);
    }
  });

  test("an unknown scheme: 416; sip, sips and tel pass (s8.2.2.1)", async () => {
    const { running, client } = await taking();
    using _running = running;
    using _client = client;
    for (const [uri, status] of [
      ["http://example.com/", 416],
      ["unknown:opaque", 416],
      ["urn:service:sos", 416],
      ["sip:bob@example.com", 200],
      ["sips:bob@example.com", 200],
      ["SIP:bob@example.com", 200],
      ["tel:+1-212-555-0101", 200],
    ] as const) {
      expect([uri, (await client.ask("MESSAGE", { uri })).status]).toEqual([uri, status]);
    }
  });

  test("another version: 505, also for a method that is not handled", async () => {
    const { running, client, seen } = await taking();
    using _running = running;
    using _client = client;
    for (const version of ["SIP/7.0", "SIP/1.0", "SIP/2.1"]) {
      const request = requestText("MESSAGE", { sentBy: client.sentBy }).replace("SIP/2.0\r\n", `${version}\r\n`);
      client.send(request);
      expect((await client.next(505)).startLine).toStartWith("SIP/2.0 505 ");
    }
    // The version's letters may be small (s7.1).
    client.send(requestText("MESSAGE", { sentBy: client.sentBy }).replace("SIP/2.0\r\n", "sip/2.0\r\n"));
    expect((await client.next(200)).method).toBe("MESSAGE");
    expect(seen).toEqual(["MESSAGE"]);
  });
});

describe("bodies (s8.2.3)", () => {
  const body = "some body";
  const invites: readonly [string, RequestShape, number][] = [
    ["SDP", { body: OFFER }, 486],
    ["SDP in other letters and with a parameter", { body: OFFER, contentType: "Application/SDP;charset=utf-8" }, 486],
    ["no body, whatever type", { contentType: "image/png" }, 486],
    ["another type", { body, contentType: "application/isup" }, 415],
    [
      "another type that must be handled",
      {
        body,
        contentType: "image/png",
        headers: ["Content-Disposition: session;handling=required"],
      },
      415,
    ],
    [
      "another type that may be ignored",
      {
        body,
        contentType: "image/png",
        headers: ["Content-Disposition: icon; handling=optional"],
      },
      486,
    ],
    [
      "the same, quoted and in capitals",
      {
        body,
        contentType: "image/png",
        headers: ['Content-Disposition: icon ; Handling = "OPTIONAL"'],
      },
      486,
    ],
    ["no type", { body, contentType: null }, 400],
    ["an encoding", { body, headers: ["Content-Encoding: gzip"] }, 415],
    ["identity", { body: OFFER, headers: ["Content-Encoding: Identity"] }, 486],
    ["an encoding in compact form", { body, headers: ["e: gzip"] }, 415],
    [
      "an encoded body that may be ignored",
      {
        body,
        headers: ["Content-Encoding: gzip", "Content-Disposition: icon;handling=optional"],
      },
      486,
    ],
  ];
  for (const [what, shape, status] of invites) {
    test(`${what}: ${status}`, async () => {
      const { running, client, seen } = await taking();
      using _running = running;
      using _client = client;
      const answer = await client.ask("INVITE", shape);
      expect(answer.status).toBe(status);
      expect(seen).toEqual(status === 486 ? ["INVITE"] : []);
      if (status !== 415) return;
      if (what.includes("encoding")) expect(answer.list("Accept-Encoding")).toEqual(["identity"]);
      else expect(answer.list("Accept")).toEqual(["application/sdp"]);
    });
  }

  test("`accept` names what is read; `*` reads all", async () => {
    const plain: RequestShape = { body, contentType: "text/plain" };
    const { running, client } = await taking({ accept: ["text/plain", "application/sdp"] });
    using _running = running;
    using _client = client;
    expect((await client.ask("MESSAGE", plain)).status).toBe(200);
    const refused = await client.ask("MESSAGE", { body, contentType: "text/html" });
    expect(refused.status).toBe(415);
    expect(refused.list("Accept")).toEqual(["text/plain", "application/sdp"]);

    const all = await taking({ accept: ["*"] });
    using _all = all.running;
    using _other = all.client;
    expect((await all.client.ask("MESSAGE", { body, contentType: "text/html" })).status).toBe(200);
    expect((await all.client.ask("MESSAGE", { body, contentType: null })).status).toBe(200);
  });

  test("where no types are named, those of methods without a session are for their handlers", async () => {
    using running = await testServer({
      invite: (call) => void call.answer("v=0\r\n"),
      info: (request) => request.reply(request.header("Content-Type") === "application/dtmf-relay" ? 200 : 415),
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite();
    call.ack();
    expect((await call.ask("INFO", { body: "Signal=5\r\n", contentType: "application/dtmf-relay" })).status).toBe(200);
    expect((await call.ask("INFO", { body, contentType: "text/plain" })).status).toBe(415);
    expect((await call.ask("INVITE", { body, contentType: "text/plain" })).status).toBe(415);
  });

  test("a BYE's body is not looked at", async () => {
    using running = await testServer({ invite: (call) => void call.answer("v=0\r\n") });
    using client = await WireClient.open(running.address);
    const call = await client.invite();
    call.ack();
    expect((await call.ask("BYE", { body, contentType: "application/isup" })).status).toBe(200);
  });

  test("what a request in a dialog must not have, refuses it there too, and the dialog stands", async () => {
    using running = await testServer({
      invite: (call) => void call.answer("v=0\r\n"),
      info: (request) => request.reply(200),
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite();
    call.ack();
    expect((await call.ask("INFO", { body, headers: ["Content-Encoding: gzip"] })).status).toBe(415);
    expect((await call.ask("INFO", { headers: ["Require: nothing"] })).status).toBe(420);
    expect((await call.ask("INFO")).status).toBe(200);
    expect(running.server.stats().dialogs).toBe(1);
  });
});

describe("the answer of a refusal", () => {
  test("copies Via, From, To, Call-ID and CSeq octet for octet and in order", async () => {
    const vias = [
      'SIP/2.0/UDP first.example.com;branch=z9hG4bKone;x="a b"',
      "SIP / 2.0 / UDP  second.example.com:5080 ; branch = z9hG4bKtwo",
    ];
    using running = await testServer({});
    using client = await WireClient.open(running.address);
    const refused = await client.ask("FOO", {
      from: '"A. \\"G.\\" Bell" <sip:agb@example.com> ;tag=one;x',
      to: "Watson <sip:watson@example.com;user=phone>;p=v",
      callId: "a.b!c%d*e_f+g`h'i~j(k)l<m>n:o\\p\"q/r[s]t?u{v}@w",
      cseq: 2_147_483_647,
      headers: vias.map((via) => `Via: ${via}`),
    });
    expect(refused.status).toBe(501);
    expect(refused.headers("Via").slice(1)).toEqual(vias);
    expect(refused.header("From")).toBe('"A. \\"G.\\" Bell" <sip:agb@example.com> ;tag=one;x');
    expect(refused.header("To")).toMatch(/^Watson <sip:watson@example\.com;user=phone>;p=v;tag=\w+$/);
    expect(refused.callId).toBe("a.b!c%d*e_f+g`h'i~j(k)l<m>n:o\\p\"q/r[s]t?u{v}@w");
    expect(refused.header("CSeq")).toBe("2147483647 FOO");
  });

  test("a 4xx that comes again has the same tag", async () => {
    using running = await testServer({});
    using client = await WireClient.open(running.address);
    const request = client.request("FOO");
    const first = await client.next(501);
    client.send(request.text);
    expect((await client.next(501)).text).toBe(first.text);
    // A malformed one is answered without a transaction, and has the same tag all the same (s8.2.7).
    const malformed = requestText("FOO", { sentBy: client.sentBy }).replace("Max-Forwards: 70", "Max-Forwards: many");
    client.send(malformed);
    const tag = (await client.next(400)).toTag;
    client.send(malformed);
    expect((await client.next(400)).toTag).toBe(tag!);
  });
});
