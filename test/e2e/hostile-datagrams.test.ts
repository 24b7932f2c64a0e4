/** A server that is sent thousands of datagrams that are hardly messages, over UDP, with every handler reading them. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { fullUas, type Handlers, type IncomingRequest, type Message } from "../../src/index.ts";
import { Method } from "../../src/message/method.ts";
import { viasOf } from "../../src/message/via.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { exchange } from "../support/exchange.ts";
import { corpus, torture } from "../support/fixtures.ts";
import { hostileMessage } from "../support/message-arbitraries.ts";
import { scan, scanned } from "../support/scan.ts";
import { textOf } from "../support/sip-text.ts";
import { testServer } from "../support/test-server.ts";

// Longer than a client waits, so that a failure says what did not come.
setDefaultTimeout(15_000);

/** Answers at this address and port reach the client where the top Via names the default port, or asks with `rport`. */
const CLIENT = "127.0.0.8";
const CLIENT_PORT = 5060;
/** Nothing is sent a second time while the test runs: every answer is one to the message before it. */
const SLOW = { t1: 600_000, t2: 600_000, t4: 600_000 };

/** Reads all there is to read of a request. */
function readAll(request: IncomingRequest): void {
  const { contacts, from, to, uri } = request;
  for (const address of [from, to, ...(Array.isArray(contacts) ? contacts : [])]) {
    void [address.displayName, address.q, address.expires, address.tag, String(address)];
    void [address.uri?.user, address.uri?.host, address.uri?.port, address.uri?.transport, String(address.uri)];
  }
  void [uri?.user, uri?.params.get("lr"), request.vias, request.supported, request.callId, request.cseq];
  void [request.method, request.body, request.source, request.localHost, request.accepts("text", "plain")];
  for (const [name] of request.message.fields()) request.headers(name);
}

function readingHandlers(): Handlers {
  const uas = fullUas();
  return {
    invite(call) {
      readAll(call);
      return uas.invite!(call);
    },
    request(request) {
      readAll(request);
      request.reply(200);
    },
    accept: ["*"],
  };
}

/**
 * What a response has of its request: every Via in order, but for the parameters of the top one, which are marked with
 * where the response goes; Call-ID and CSeq.
 */
function identity(message: Message): string {
  const [top = "", ...rest] = message.headers("Via");
  return JSON.stringify([/^[^;,]*/.exec(top)![0].trim(), rest, message.header("Call-ID"), message.header("CSeq")]);
}

test("every datagram is answered as it should be or not at all, and the server goes on", async () => {
  using server = await testServer({
    ...readingHandlers(),
    timers: SLOW,
    limits: { transactions: 20_000, dialogs: 20_000 },
  });
  using client = await DatagramClient.open(CLIENT, CLIENT_PORT);
  const { port } = server.address;
  // Of everything sent: a message with the branch of one before it is that one again, and gets its answer.
  const asked = new Set<string>();
  let answered = 0;
  let silent = 0;

  const property = fc.asyncProperty(hostileMessage([...torture(), ...corpus()]), async (bytes) => {
    const { message, answerable } = scanned(bytes);
    asked.add(identity(message));
    const answers = await exchange(client, bytes, port);
    const errors = server.log.lines.filter(({ level }) => level === "error");
    expect(errors).toEqual([]);

    const mayAnswer = answerable && message.isRequest && message.method !== Method.ACK;
    if (!mayAnswer) expect(answers.map(textOf)).toEqual([]);
    const [top] = viasOf(message);
    const reachable = top !== undefined && (top.rport !== undefined || (top.port ?? CLIENT_PORT) === CLIENT_PORT);
    // An INVITE that is sent again after its 200 is absorbed (RFC 6026 s7.1); all else has an answer at once.
    if (mayAnswer && reachable && (message.fault !== 0 || message.method !== Method.INVITE)) {
      expect(answers.length).toBeGreaterThan(0);
    }

    for (const answer of answers) {
      const response = message.fault === 0 ? scan(answer) : scanned(answer).message;
      expect(response.isResponse).toBe(true);
      expect(response.status).toBeGreaterThanOrEqual(message.fault === 0 ? 100 : 400);
      expect(asked.has(identity(response))).toBe(true);
    }
    if (answers.length === 0) silent++;
    else answered++;
  });
  await fc.assert(property, { numRuns: 3000 });

  expect(answered).toBeGreaterThan(500);
  expect(silent).toBeGreaterThan(100);
  expect(server.server.stats().handlerErrors).toBe(0);
}, 60_000);
