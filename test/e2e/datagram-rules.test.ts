/** What RFC 3261 s18 and RFC 5626 say of datagrams, seen on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { DatagramClient } from "../support/datagram-client.ts";
import { answersTo, brief, echoRequest, echoServer } from "../support/echo-server.ts";
import { exchange } from "../support/exchange.ts";
import { requestText } from "../support/sip-messages.ts";
import { onlyValueOf, readSip, type SipText, textOf, viaParts } from "../support/sip-text.ts";

// Longer than a client waits, so that a failure says what did not come.
setDefaultTimeout(15_000);

async function ask(datagrams: readonly (string | Uint8Array)[]): Promise<SipText[][]> {
  using server = await echoServer();
  return await answersTo(datagrams, server);
}

describe("the body of a datagram (RFC 3261 s18.3)", () => {
  const withLength = (line: string) => echoRequest([], "12345").replace(/Content-Length: 5\r\n/, line);

  test("reaches to its end, or as far as Content-Length says, and no farther", async () => {
    const answers = await ask(["", "l: 5\r\n", "Content-Length: 3\r\n", "Content-Length: 0\r\n"].map(withLength));
    expect(answers.map((list) => list.map(({ status, body }) => [status, body]))).toEqual([
      [[200, "12345"]],
      [[200, "12345"]],
      [[200, "123"]],
      [[200, ""]],
    ]);
  });

  test("that is shorter than Content-Length says is refused, as is a Content-Length that is none", async () => {
    expect(
      brief(await ask(["Content-Length: 6\r\n", "Content-Length: x\r\n", "l: 5\r\nl: 4\r\n"].map(withLength))),
    ).toEqual([
      "400 Content-Length Exceeds The Datagram",
      "400 Malformed Content-Length",
      "400 Content-Length Values Differ",
    ]);
  });
});

test("keep-alives are not answered (RFC 5626 s4.4, RFC 3261 s7.5)", async () => {
  const stun = new Uint8Array(20);
  stun.set([0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
  const datagrams = ["\r\n\r\n", "\r\n", "\0\0\0\0", "\0", " ", new Uint8Array(0), stun];
  using server = await echoServer();
  expect(brief(await answersTo(datagrams, server))).toEqual(datagrams.map(() => ""));
  expect(server.server.stats()).toMatchObject({ keepAlives: datagrams.length, malformed: 0 });
});

test("what is not SIP, and responses to nothing, are not answered", async () => {
  const response = (line: string) => echoRequest().replace(/^.*/, line);
  const datagrams = [
    "\r\n".repeat(20),
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    textOf(new Uint8Array(100).fill(0xff)),
    response("SIP/2.0 200 OK"),
    response("SIP/2.0 999 OK"),
    response("SIP/3.0 200 OK"),
    echoRequest().replaceAll("MESSAGE", "ACK"),
    echoRequest().replaceAll("MESSAGE", "ACK").replace("From:", "From:;"),
  ];
  expect(brief(await ask(datagrams))).toEqual(datagrams.map(() => ""));
});

test("line ends before a request are passed over", async () => {
  expect(brief(await ask([`\r\n\r\n${echoRequest()}`, `\r\n\r\n\r\n\r\n${echoRequest()}`]))).toEqual([
    "200 OK",
    "200 OK",
  ]);
});

test("a request in bare LFs is answered, in CRLFs, and counted", async () => {
  using server = await echoServer();
  const [answers] = await answersTo([echoRequest([], "x").replace(/\r\n/g, "\n"), echoRequest()], server);
  expect(answers!.map(({ status, body }) => [status, body])).toEqual([[200, "x"]]);
  expect(server.server.stats().bareLineFeeds).toBe(1);
});

describe("an answer goes to the address the request came from (RFC 3261 s18.2.2, RFC 3581 s4)", () => {
  /** Two clients at one address: `asking` sends, with a Via that names the port of `named`. */
  async function route(viaParams: string, sentBy?: string): Promise<"asking" | "named"> {
    using server = await echoServer();
    using asking = await DatagramClient.open("127.0.0.1");
    using named = await DatagramClient.open("127.0.0.1");
    const via = sentBy ?? `127.0.0.1:${named.port}`;
    const text = requestText("OPTIONS", { sentBy: via, viaParams, callId: "routed" });
    const atSource = await exchange(asking, text, server.address.port);
    // The server has answered the probe by now, so it has sent the answer too.
    if (atSource.length > 0) {
      const { params } = viaParts(onlyValueOf(readSip(atSource[0]!), "via"));
      expect([params.get("rport"), params.get("received")]).toEqual([String(asking.port), "127.0.0.1"]);
      return "asking";
    }
    await named.until((answer) => textOf(answer).includes("routed"));
    return "named";
  }

  test("at the port its Via names", async () => {
    expect(await route("")).toBe("named");
    expect(await route(";x=rport")).toBe("named");
  });

  test("at the port it came from, where rport asks for that", async () => {
    expect(await route(";rport")).toBe("asking");
    expect(await route(";rport=9")).toBe("asking");
    expect(await route(";rport", "192.0.2.1:9")).toBe("asking");
  });

  test("whatever address or maddr its Via names", async () => {
    using elsewhere = await DatagramClient.open("127.0.0.2");
    expect(await route(`;maddr=127.0.0.2`)).toBe("named");
    expect(await route(";rport;maddr=127.0.0.2", `127.0.0.2:${elsewhere.port}`)).toBe("asking");
    expect(elsewhere.received).toEqual([]);
  });
});
