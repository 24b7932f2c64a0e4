/**
 * The messages of RFC 4475 and RFC 5118 over TCP, each on a connection of its own: whole, and a few in two reads cut at
 * every octet. The verdict is that over UDP, but for messages whose Content-Length does not say where they end: a stream
 * cannot go on after those (RFC 3261 s18.3).
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fullUas } from "../../src/index.ts";
import { DEFAULT_STREAMS } from "../../src/transport/settings.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { exchange } from "../support/exchange.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type TortureCase, torture } from "../support/fixtures.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { readSip } from "../support/sip-text.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(15_000);

/** Where over UDP a client has to be whose message asks for no `rport`. */
const VIA_PORTS: Readonly<Record<string, number>> = {
  quotbal: 5050,
  "ipv4-mapped-ipv6": 19823,
  "mult-ip-in-header": 6050,
};
const HOST = "127.0.0.9";

/** What does not end where Content-Length says, or says nothing: what comes back, and whether the connection ends. */
const ENDS_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  // No number; two that differ; none, as RFC 2543 allowed.
  ncl: ["400 Malformed Content-Length", "closed"],
  mcl01: ["400 Content-Length Values Differ", "closed"],
  inv2543: ["400 Missing Content-Length", "closed"],
  // Content-Length 0, with an INVITE behind it that a stream has to read as the next request. Its body is cut short, and
  // what is left of it is no SIP.
  dblreq: [
    "405 Method Not Allowed",
    "100 Trying",
    "180 Ringing",
    "400 Bad SDP: Line without a type in session description",
    "closed",
  ],
};
/** More is announced than comes, or the head has no end: the server waits for the rest. */
const UNENDED = new Set(["clerr", "baddn"]);

const messages = torture();
const named = (name: string) => messages.find((message) => message.name === name)!;
const briefOf = ({ status, reason }: { status: number; reason: string }) => `${status} ${reason}`;

/** The verdict over UDP. */
async function overUdp({ name, bytes }: TortureCase): Promise<string[]> {
  using server = await testServer(fullUas());
  using client = await DatagramClient.open(HOST, VIA_PORTS[name] ?? 5060);
  return (await exchange(client, bytes, server.address.port)).map((answer) => briefOf(readSip(answer)));
}

/**
 * The verdict over TCP: what came, and `closed` where the connection is over.
 * @param name of a message that ends the connection: nothing is sent behind it, since octets that reach a closed
 *   connection may cost the answer before them
 */
async function overTcp(name: string, slices: readonly Uint8Array[] = [named(name).bytes]): Promise<string[]> {
  using peer = await serverAndStream(fullUas(), { host: HOST });
  const { client, log } = peer;
  if (slices.length === 1) client.send(slices[0]!);
  else await client.sendSlices(slices);
  const probe = ENDS_ELSEWHERE[name] === undefined ? client.request("OPTIONS") : null;
  await client.until(
    "the verdict",
    () => client.isClosed || client.has((message) => message.callId === probe?.callId && message.status >= 200),
  );
  const answers = client.take().filter(({ callId }) => callId !== probe?.callId);
  expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
  return [...answers.map(briefOf), ...(client.isClosed ? ["closed"] : [])];
}

describe("whole", () => {
  for (const message of messages) {
    const { rfc, section, name } = message;
    if (UNENDED.has(name)) continue;
    const own = ENDS_ELSEWHERE[name];
    test(`${rfc} s${section} ${name}: ${own === undefined ? "as over UDP" : own.join(", ")}`, async () => {
      expect(await overTcp(name)).toEqual([...(own ?? (await overUdp(message)))]);
    });
  }

  for (const name of UNENDED) {
    test(`${name}: the rest is waited for, and not for ever`, async () => {
      const clock = new FakeClock();
      using peer = await serverAndStream({ ...fullUas(), clock });
      const { client, server } = peer;
      client.send(named(name).bytes);
      await clock.pass(DEFAULT_STREAMS.messageTimeout - 100);
      expect(server.stats()).toMatchObject({ connections: 1, messagesReceived: 0 });
      await clock.pass(200);
      expect(await client.restAtEnd()).toEqual([]);
      expect(server.stats()).toMatchObject({ connections: 0, messageTimeouts: 1, malformed: 0 });
    });
  }

  test("all that end where they say, one behind the other on one connection", async () => {
    using peer = await serverAndStream(fullUas(), { host: HOST });
    const { client, server } = peer;
    const sound = messages.filter(
      ({ name }) => !UNENDED.has(name) && (ENDS_ELSEWHERE[name]?.at(-1) ?? "") !== "closed",
    );
    for (const { bytes } of sound) client.send(bytes);
    expect((await client.ask("OPTIONS")).status).toBe(200);
    const finals = client.take().filter(({ status }) => status >= 200).length;
    const { connections, messagesReceived } = server.stats();
    // And the question behind them.
    expect({ connections, messagesReceived }).toEqual({ connections: 1, messagesReceived: sound.length + 1 });
    expect(finals).toBeGreaterThan(40);
  });
});

describe("in two reads, cut at every octet", () => {
  /** How often each verdict was given; a new server for each cut. */
  async function verdicts(name: string): Promise<Map<string, number>> {
    const seen = new Map<string, number>();
    const { bytes } = named(name);
    for (let cut = 1; cut < bytes.length; cut++) {
      const verdict = (await overTcp(name, [bytes.subarray(0, cut), bytes.subarray(cut)])).join(", ");
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
    }
    return seen;
  }

  // Folds and odd spacing; octets of every kind; a binary body; a length that is none; a version that is not ours.
  for (const name of ["wsinv", "intmeth", "mpart01", "ncl", "badvers"]) {
    test(`${name} gets the verdict of the whole`, async () => {
      const { bytes } = named(name);
      expect([...(await verdicts(name))]).toEqual([[(await overTcp(name)).join(", "), bytes.length - 1]]);
    }, 30_000);
  }
});
