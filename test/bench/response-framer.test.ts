import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ResponseFramer } from "../../bench/load/response-framer.ts";

function response(name: string, body: string): string {
  return `SIP/2.0 200 OK\r\nCall-ID: contented-length\r\nVia: x\r\n${name}: ${body.length}\r\nTo: y\r\n\r\n${body}`;
}

function framed(chunks: readonly string[]): string[] {
  const out: string[] = [];
  const framer = new ResponseFramer((message) => out.push(Buffer.from(message).toString("latin1")));
  for (const chunk of chunks) framer.push(Buffer.from(chunk, "latin1"));
  return out;
}

describe("the framer of responses", () => {
  test("several in one chunk, with line ends between them", () => {
    const [one, other] = [response("Content-Length", "body"), response("l", "")];
    expect(framed([`\r\n\r\n${one}${other}\r\n\r\n${one}`])).toEqual([one, other, one]);
  });

  test("cut anywhere", () => {
    const body = fc.string({ maxLength: 40 }).map((text) => Buffer.from(text).toString("latin1"));
    const messages = fc.array(
      fc.tuple(fc.constantFrom("Content-Length", "content-length", "CONTENT-LENGTH ", "l", "L "), body),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(messages, fc.array(fc.nat(400), { maxLength: 8 }), (list, cuts) => {
        const texts = list.map(([name, text]) => response(name, text));
        const whole = texts.join("");
        const places = [0, ...cuts.filter((at) => at < whole.length).sort((a, b) => a - b), whole.length];
        const chunks = places.slice(1).map((at, i) => whole.slice(places[i], at));
        expect(framed(chunks)).toEqual(texts);
      }),
    );
  });

  test("octet by octet", () => {
    const texts = [response("Content-Length", "0123456789\r\n\r\n"), response("l", "x")];
    expect(framed([...texts.join("")])).toEqual(texts);
  });

  test("a response without Content-Length is a fault", () => {
    expect(() => framed(["SIP/2.0 200 OK\r\nVia: x\r\n\r\n"])).toThrow("without Content-Length");
  });

  test("a head without an end is a fault", () => {
    expect(() => framed(["x".repeat(70_000)])).toThrow("without an end");
  });
});
