/** Octets that are no messages, over TCP: what is still answered, and what ends the connection (RFC 3261 s18.3). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fullUas } from "../../src/index.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { requestText } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

describe("what cannot be framed closes the connection, and is counted", () => {
  /** What came before the end, and the reasons. */
  async function sent(octets: string | Uint8Array) {
    using peer = await serverAndStream(fullUas());
    const { client, server } = peer;
    client.send(octets);
    const answers = await client.restAtEnd();
    await until("the connection to be gone", () => server.stats().connections === 0);
    return { answers: answers.map(({ status, reason }) => `${status} ${reason}`), stats: server.stats() };
  }

  test("a request without Content-Length: 400", async () => {
    const text = requestText("OPTIONS", { transport: "TCP" }).replace(/Content-Length: 0\r\n/, "");
    const { answers, stats } = await sent(text + text);
    expect(answers).toEqual(["400 Missing Content-Length"]);
    expect(stats).toMatchObject({ unframed: 1, malformed: 1, connectionsClosed: 1 });
  });

  test("a response without Content-Length: nothing", async () => {
    const { answers, stats } = await sent("SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\r\n");
    expect(answers).toEqual([]);
    expect(stats).toMatchObject({ unframed: 1 });
  });

  test("a sound request before it is answered first", async () => {
    const { answers, stats } = await sent(`${requestText("OPTIONS", { transport: "TCP" })}\0\0\0`);
    expect(answers).toEqual(["200 OK"]);
    expect(stats).toMatchObject({ unframed: 1 });
  });

  test("a malformed Content-Length and two that differ: 400, with the reason", async () => {
    for (const [line, reason] of [
      ["Content-Length: x", "400 Malformed Content-Length"],
      ["Content-Length: -1", "400 Malformed Content-Length"],
      ["Content-Length: 0\r\nContent-Length: 1", "400 Content-Length Values Differ"],
    ] as const) {
      const text = requestText("OPTIONS", { transport: "TCP" }).replace("Content-Length: 0", line);
      expect([line, ...(await sent(text)).answers]).toEqual([line, reason]);
    }
  });

  test("a head that does not end within the limit: 513", async () => {
    const text = requestText("OPTIONS", { transport: "TCP" }).replace(/\r\n\r\n$/, "\r\nX: y".repeat(20_000));
    const { answers, stats } = await sent(text);
    expect(answers).toEqual(["513 Message Too Large"]);
    expect(stats).toMatchObject({ unframed: 1 });
  });

  test("a client of TLS and one of HTTP, at once", async () => {
    using running = await testServer({ ...fullUas(), listen: "tcp://127.0.0.1:0" });
    const { port } = running.address;
    const secured = StreamClient.open(running.address, { transport: "tls" });
    expect(
      await secured.then(
        () => "open",
        () => "refused",
      ),
    ).toBe("refused");
    expect(
      await fetch(`http://127.0.0.1:${port}/`).then(
        () => "answered",
        () => "refused",
      ),
    ).toBe("refused");
    await until("both to be gone", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ unframed: 2, connectionsClosed: 2, malformedDropped: 2 });
    // The log says whom it was, as what went wrong is the peer's.
    expect(running.log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
    expect(running.log.lines.filter(({ message }) => message.startsWith("closed a connection"))).toHaveLength(2);
  });

  test("other faults do not: the next request on the connection is served", async () => {
    using peer = await serverAndStream(fullUas());
    const { client, server } = peer;
    for (const [wrong, brief] of [
      [client.text("OPTIONS").replace(/Call-ID: /, "X-Call-ID: "), "400 Missing Call-ID"],
      [client.text("OPTIONS").replace("SIP/2.0\r\n", "SIP/7.0\r\n"), "505 Version Not Supported"],
      [client.text("OPTIONS").replace("Max-Forwards: 70", "no header field"), "400 Malformed Header Line"],
      [client.text("MESSAGE", { body: "x".repeat(70_000) }), "413 Request Entity Too Large"],
    ] as const) {
      client.send(wrong);
      const { status, reason } = await client.next(() => true);
      expect(`${status} ${reason}`).toBe(brief);
    }
    expect((await client.ask("OPTIONS")).status).toBe(200);
    expect(server.stats()).toMatchObject({ connections: 1, unframed: 0, malformed: 4 });
  });
});
