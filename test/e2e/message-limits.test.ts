/** The ceilings on messages, seen on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { answersTo, brief, echoRequest, echoServer } from "../support/echo-server.ts";
import { type SipText, valuesOf } from "../support/sip-text.ts";

// Longer than a client waits, so that a failure says what did not come.
setDefaultTimeout(15_000);

async function ask(datagrams: readonly string[], limits = {}): Promise<SipText[][]> {
  using server = await echoServer(limits);
  return await answersTo(datagrams, server);
}

describe("at a limit a message passes, over it the answer says which limit", () => {
  test("header fields: 400", async () => {
    const fields = echoRequest().split("\r\n").length - 3;
    const extra = (count: number) => Array.from({ length: count }, () => "X: y");
    expect(
      brief(await ask([echoRequest(extra(30 - fields)), echoRequest(extra(31 - fields))], { headers: 30 })),
    ).toEqual(["200 OK", "400 Too Many Header Fields"]);
  });

  test("length of a header field: 400", async () => {
    const field = (length: number) => [`Subject: ${"x".repeat(length - "Subject: \r\n".length)}`];
    expect(brief(await ask([echoRequest(field(1000)), echoRequest(field(1001))], { headerLength: 1000 }))).toEqual([
      "200 OK",
      "400 Header Field Too Long",
    ]);
  });

  test("length of the Request-URI: 414", async () => {
    const uri = (length: number) => `sip:${"u".repeat(length - "sip:@h".length)}@h`;
    expect(
      brief(await ask([echoRequest([], "", uri(100)), echoRequest([], "", uri(101))], { uriLength: 100 })),
    ).toEqual(["200 OK", "414 Request-URI Too Long"]);
  });

  test("length of the message: 413 for its body, 513 for its head", async () => {
    // The length of a body has four digits in both.
    const sized = (length: number) =>
      echoRequest([], "b".repeat(length - echoRequest([], "b".repeat(1000)).length + 1000));
    const head = (length: number) => echoRequest([`X: ${"x".repeat(length - echoRequest(["X: "]).length)}`]);
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
    const answers = await ask([echoRequest(vias(10)), echoRequest(vias(11))], { vias: 10 });
    expect(brief(answers)).toEqual(["200 OK", "400 Too Many Via Values"]);
    expect(valuesOf(answers[1]![0]!, "via")[1]).toBe(vias(11)[0]!.slice("Via: ".length));
  });

  test("by default a message of 65,507 octets passes, the largest that UDP carries", async () => {
    const body = "b".repeat(60_000);
    const rest = 65_507 - echoRequest(["X: "], body).length;
    const text = echoRequest([`X: ${"x".repeat(5000)}`, `Y: ${"y".repeat(rest - 5000 - 5)}`], body);
    expect(text.length).toBe(65_507);
    const [[answer]] = (await ask([text])) as [[SipText]];
    expect(answer.status).toBe(200);
    expect(answer.body).toBe(body);
  });
});
