/** The ceilings on messages and the rules for datagrams, seen on the wire. */
import { describe, expect, test } from "bun:test";
import { DatagramClient } from "../support/datagram-client.ts";
import { exchange } from "../support/exchange.ts";
import { requestText } from "../support/sip-messages.ts";
import { readSip, type SipText, textOf, valuesOf } from "../support/sip-text.ts";
import { testServer } from "../support/test-server.ts";

/** What each datagram gets, from one server. */
async function ask(datagrams: readonly (string | Uint8Array)[], limits = {}): Promise<SipText[][]> {
  using server = await testServer({
    limits,
    accept: ["*"],
    message(request) {
      request.reply(200, { contentType: "x/y", body: request.body });
    },
  });
  using client = await DatagramClient.open("127.0.0.1");
  const answers: SipText[][] = [];
  for (const datagram of datagrams) {
    const sent = typeof datagram === "string" ? datagram.replace("PORT", String(client.port)) : datagram;
    answers.push((await exchange(client, sent, server.address.port)).map((answer) => readSip(answer)));
  }
  return answers;
}

/** A MESSAGE of this client. */
function message(headers: readonly string[] = [], body = "", uri?: string): string {
  return requestText("MESSAGE", { sentBy: "127.0.0.1:PORT", headers, body, contentType: "x/y", uri });
}

function brief(answers: readonly SipText[][]): string[] {
  return answers.map((list) => list.map(({ status, reason }) => `${status} ${reason}`).join(", "));
}

describe("at a limit a message passes, over it the answer says which limit", () => {
  test("header fields: 400", async () => {
    const fields = message().split("\r\n").length - 3;
    const extra = (count: number) => Array.from({ length: count }, () => "X: y");
    expect(brief(await ask([message(extra(30 - fields)), message(extra(31 - fields))], { headers: 30 }))).toEqual([
      "200 OK",
      "400 Too Many Header Fields",
    ]);
  });

  test("length of a header field: 400", async () => {
    const field = (length: number) => [`Subject: ${"x".repeat(length - "Subject: \r\n".length)}`];
    expect(brief(await ask([message(field(1000)), message(field(1001))], { headerLength: 1000 }))).toEqual([
      "200 OK",
      "400 Header Field Too Long",
    ]);
  });

  test("length of the Request-URI: 414", async () => {
    const uri = (length: number) => `sip:${"u".repeat(length - "sip:@h".length)}@h`;
    expect(brief(await ask([message([], "", uri(100)), message([], "", uri(101))], { uriLength: 100 }))).toEqual([
      "200 OK",
      "414 Request-URI Too Long",
    ]);
  });

  test("length of the message: 413 for its body, 513 for its head", async () => {
    // The port has five digits or four; what is measured is sent as it is.
    const sized = (length: number) => {
      const text = message([], "b".repeat(100)).replace("127.0.0.1:PORT", "127.0.0.1;rport");
      return (
        text.replace(/Content-Length: .*\r\n/, "") + "b".repeat(length - text.length + "Content-Length: 100\r\n".length)
      );
    };
    const head = (length: number) => {
      const text = message(["Subject: "]).replace("127.0.0.1:PORT", "127.0.0.1;rport");
      return text.replace("Subject: ", `Subject: ${"x".repeat(length - text.length)}`);
    };
    const datagrams = [sized(1500), sized(1501), head(1500), head(1501)];
    expect(datagrams.map(({ length }) => length)).toEqual([1500, 1501, 1500, 1501]);
    expect(brief(await ask(datagrams, { messageSize: 1500 }))).toEqual([
      "200 OK",
      "413 Request Entity Too Large",
      "200 OK",
      "513 Message Too Large",
    ]);
  });

  test("Via values: 400, and every Via comes back", async () => {
    const vias = (count: number) => [`Via: ${Array.from({ length: count - 1 }, () => "SIP/2.0/UDP h").join(", ")}`];
    const answers = await ask([message(vias(10)), message(vias(11))], { vias: 10 });
    expect(brief(answers)).toEqual(["200 OK", "400 Too Many Via Values"]);
    expect(valuesOf(answers[1]![0]!, "via")[1]).toBe(vias(11)[0]!.slice("Via: ".length));
  });

  test("by default a message of 65,507 octets passes, the largest that UDP carries", async () => {
    const frame = message([], "b".repeat(1000)).replace("127.0.0.1:PORT", "127.0.0.1;rport").length - 1000;
    const body = "b".repeat(60_000);
    const text = message([`X: ${"x".repeat(65_507 - frame - 60_000 - 6)}`], body).replace(
      "127.0.0.1:PORT",
      "127.0.0.1;rport",
    );
    expect(text.length).toBe(65_507);
    const [[answer]] = (await ask([text])) as [[SipText]];
    expect(answer.status).toBe(200);
    expect(answer.body).toBe(body);
  });
});

describe("the body of a datagram (RFC 3261 s18.3)", () => {
  const withLength = (line: string) => message([], "12345").replace(/Content-Length: 5\r\n/, line);

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
  stun.set([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
  const datagrams = ["\r\n\r\n", "\r\n", "\0\0\0\0", "\0", " ", "\r\n".repeat(20), new Uint8Array(0), stun];
  expect(brief(await ask(datagrams))).toEqual(datagrams.map(() => ""));
});

test("what is not SIP, and responses to nothing, are not answered", async () => {
  const response = (line: string) => message().replace(/^.*/, line);
  const datagrams = [
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    textOf(new Uint8Array(100).fill(0xff)),
    response("SIP/2.0 200 OK"),
    response("SIP/2.0 999 OK"),
    response("SIP/3.0 200 OK"),
    message().replaceAll("MESSAGE", "ACK"),
    message().replaceAll("MESSAGE", "ACK").replace("From:", "From:;"),
  ];
  expect(brief(await ask(datagrams))).toEqual(datagrams.map(() => ""));
});

test("line ends before a request are passed over", async () => {
  expect(brief(await ask([`\r\n\r\n${message()}`, `\r\n\r\n\r\n\r\n${message()}`]))).toEqual(["200 OK", "200 OK"]);
});

test("a request in bare LFs is answered, in CRLFs", async () => {
  const [answers] = await ask([message([], "x").replace(/\r\n/g, "\n")]);
  expect(answers!.map(({ status, body }) => [status, body])).toEqual([[200, "x"]]);
});
