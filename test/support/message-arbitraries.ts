/** Messages for properties: drawn from the grammar in every spelling it allows, and others that break it. */
import fc from "fast-check";
import type { Fixture } from "./fixtures.ts";
import { bytesOf, textOf } from "./sip-text.ts";

/** A message as it was drawn. */
export interface GrammarMessage {
  /** One character an octet. */
  text: string;
  method: string;
  uri: string;
  /** Names and values as a reader has to see them. */
  fields: [name: string, value: string][];
  body: string;
}

const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,10}$/);
const space = fc.stringMatching(/^[ \t]{0,2}$/);
const lineEnd = fc.constantFrom("\r\n", "\r\n", "\r\n", "\n");
/** White space within a value; may fold. */
const inner = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("", " ", "  ", "\t") },
  { weight: 1, arbitrary: fc.tuple(space, lineEnd, fc.constantFrom(" ", "\t", " \t")).map((parts) => parts.join("")) },
);
/** White space where some has to be. */
const gap = inner.map((white) => white || " ");

/** A name in its long or compact form, letters in any case. */
function spelled(...names: string[]): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom(...names), fc.nat(0xffff)).map(([name, mask]) => {
    const letters = [...name].map((letter, i) =>
      (mask >> (i & 15)) & 1 ? letter.toUpperCase() : letter.toLowerCase(),
    );
    return letters.join("");
  });
}

const params = fc
  .array(fc.tuple(inner, inner, token, inner, fc.option(fc.oneof(token, fc.constant('"a;b, \\"c\\""'))), inner), {
    maxLength: 3,
  })
  .map((list) =>
    list.map(([a, b, name, c, value, d]) => `${a};${b}x${name}${value === null ? "" : `${c}=${d}${value}`}`).join(""),
  );
const host = fc.oneof(fc.ipV4(), fc.domain(), fc.constantFrom("[2001:db8::1]", "[::ffff:192.0.2.1]", "localhost"));
const user = fc.stringMatching(/^[A-Za-z0-9\-_.!~*'()&=+$,;?/]{1,10}$/);
const uri = fc
  .tuple(fc.constantFrom("sip", "sips", "SIP"), user, host)
  .map(([scheme, name, at]) => `${scheme}:${name}@${at}`);
const display = fc.oneof(
  fc.constant(""),
  token.map((word) => `${word} `),
  fc.constant('"Bell, \\"A\\" <x>;y" '),
);
const address = fc.tuple(display, uri, params).map(([name, at, rest]) => `${name}<${at}>${rest}`);
const via = fc
  .tuple(inner, inner, fc.constantFrom("UDP", "TCP", "tls", "XY"), gap, host, params, token)
  .map(
    ([a, b, transport, c, at, rest, branch]) => `SIP${a}/2.0/${b}${transport}${c}${at}${rest};branch=z9hG4bK${branch}`,
  );
const anyText = fc.tuple(token, inner, token).map((parts) => parts.join(""));

function line(name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<{ name: string; value: string }> {
  return fc.record({ name, value });
}

const method = fc.oneof(
  fc.constantFrom("INVITE", "ACK", "OPTIONS", "REGISTER", "PUBLISH", "invite"),
  token.filter((name) => !/^sip$/i.test(name)),
);

/** A request without a fault: fields in any order, in any spelling, folded and spaced where the grammar lets them be. */
export const grammarMessage: fc.Arbitrary<GrammarMessage> = fc
  .record({ method, uri, body: fc.string({ unit: fc.constantFrom(..."v=0\r\n\0\xff a"), maxLength: 30 }) })
  .chain(({ method: name, uri: target, body }) => {
    const cseq = fc.tuple(fc.nat(0x7fffffff), gap).map(([number, white]) => `${number}${white}${name}`);
    const needed = fc.tuple(
      fc.array(
        line(
          spelled("Via", "v"),
          fc.array(via, { minLength: 1, maxLength: 3 }).map((values) => values.join(" ,")),
        ),
        { minLength: 1, maxLength: 3 },
      ),
      line(
        spelled("From", "f"),
        fc.tuple(address, token).map(([value, tag]) => `${value};tag=${tag}`),
      ),
      line(spelled("To", "t"), address),
      line(spelled("Call-ID", "i"), token),
      line(spelled("CSeq"), cseq),
    );
    const others = fc.array(
      fc.oneof(
        line(spelled("Contact", "m", "Route", "Record-Route"), address),
        line(spelled("Subject", "s", "Server", "Supported", "k"), anyText),
        line(
          token.map((own) => `X-${own}`),
          fc.oneof(anyText, fc.constantFrom("", ";;,,", ":", '"', "<")),
        ),
      ),
      { maxLength: 6 },
    );
    const length = fc.option(line(spelled("Content-Length", "l"), fc.constant(String(body.length))));
    const spacing = fc.record({
      before: fc.constantFrom("", "", "\r\n", "\n\r\n"),
      ends: fc.array(lineEnd, { minLength: 32, maxLength: 32 }),
      colons: fc.array(fc.tuple(space, inner, inner), { minLength: 32, maxLength: 32 }),
    });
    return fc
      .tuple(needed, others, length, spacing)
      .chain(([[vias, ...single], rest, known, { before, ends, colons }]) => {
        const all = [...vias, ...single, ...rest, ...(known === null ? [] : [known])];
        return fc.shuffledSubarray(all, { minLength: all.length }).map((lines): GrammarMessage => {
          let text = `${before}${name} ${target} SIP/2.0${ends[0]}`;
          lines.forEach((field, i) => {
            const [a, b, c] = colons[i]!;
            text += `${field.name}${a}:${b}${field.value}${c}${ends[i + 1]}`;
          });
          return {
            text: `${text}\r\n${body}`,
            method: name,
            uri: target,
            fields: lines.map((field) => [field.name, field.value]),
            body,
          };
        });
      });
  });

/** Octets that mean something to a parser, likelier than others. */
const mark = fc.oneof(
  fc.constantFrom(...bytesOf('\r\n\t :;,<>"@=/\\[]()?&%*\0\x7f\xff09AVz')),
  fc.integer({ min: 0, max: 255 }),
);

/** One change to a text. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), at: fc.nat(), octet: mark }),
  fc.record({ kind: fc.constant("insert" as const), at: fc.nat(), octet: mark }),
  fc.record({ kind: fc.constant("delete" as const), at: fc.nat(), length: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    kind: fc.constant("repeat" as const),
    at: fc.nat(),
    length: fc.integer({ min: 1, max: 200 }),
    to: fc.nat(),
  }),
  fc.record({ kind: fc.constant("line" as const), at: fc.nat(), to: fc.nat() }),
  fc.record({ kind: fc.constant("bare" as const) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutated(text: string, change: Mutation): string {
  const put = (at: number, skip: number, what: string) => text.slice(0, at) + what + text.slice(at + skip);
  const place = (at: number) => at % (text.length + 1);
  switch (change.kind) {
    case "set":
      return put(place(change.at), 1, String.fromCharCode(change.octet));
    case "insert":
      return put(place(change.at), 0, String.fromCharCode(change.octet));
    case "delete":
      return put(place(change.at), change.length, "");
    case "repeat":
      return put(place(change.to), 0, text.slice(place(change.at), place(change.at) + change.length));
    case "line": {
      // A header line again, somewhere else.
      const lines = text.split("\r\n");
      lines.splice(change.to % (lines.length + 1), 0, lines[change.at % lines.length]!);
      return lines.join("\r\n");
    }
    case "bare":
      return text.replace(/\r\n/g, "\n");
    case "cut":
      return text.slice(0, place(change.at));
  }
}

/** Octets that a server may be sent: random ones, pieces of SIP in any order, and real messages with a few changes. */
export function hostileMessage(fixtures: readonly Fixture[]): fc.Arbitrary<Uint8Array> {
  const pieces = fc.constantFrom(
    ..."INVITE |OPTIONS |sip:b@h| SIP/2.0|SIP/2.0 200 OK|\r\n|\n|\r|\r\n\r\n|Via: SIP/2.0/UDP h|v:|;rport|;branch=z9hG4bK".split(
      "|",
    ),
    ...'From: |f:|<sip:a@h>|;tag=1|To: |Call-ID: c|CSeq: |1 OPTIONS|Content-Length: |l:|5| |\t|,|;|"|<|>|:'.split("|"),
  );
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }) },
    { weight: 2, arbitrary: fc.array(pieces, { maxLength: 60 }).map((list) => bytesOf(list.join(""))) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom(...fixtures), fc.array(mutation, { minLength: 1, maxLength: 5 }))
        .map(([{ bytes }, changes]) => bytesOf(changes.reduce(mutated, textOf(bytes)))),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(grammarMessage, fc.array(mutation, { minLength: 1, maxLength: 3 }))
        .map(([{ text }, changes]) => bytesOf(changes.reduce(mutated, text))),
    },
  );
}
