/** Bodies of several parts: RFC 2046 s5.1, RFC 5621. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type BodyPart, findBody, partsOf, splitParts } from "../../src/message/multipart.ts";
import { scanned } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

function invite(body: string, contentType: string | null = "multipart/mixed;boundary=b", headers: string[] = []) {
  return scanned(requestText("INVITE", { body, contentType, headers })).keep();
}

/** The parts as type and body, theirs in place of a multipart's; null for a malformed one. */
function brief(parts: readonly BodyPart[] | null): unknown {
  return parts?.map((part) => [part.type, part.isMultipart ? brief(part.parts) : textOf(part.body)]) ?? null;
}

const split = (body: string, contentType?: string | null) => brief(partsOf(invite(body, contentType)));

const SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
const XML = '<?xml version="1.0"?>\r\n<list/>';

describe("partsOf", () => {
  test("the example of RFC 5621 s3.1", () => {
    const body = [
      "--boundary1",
      "Content-Type: application/sdp",
      "",
      `${SDP}`,
      "--boundary1",
      "Content-Type: application/resource-lists+xml",
      "Content-Disposition: recipient-list",
      "",
      XML,
      "--boundary1--",
    ].join("\r\n");
    const [sdp, list, ...more] = partsOf(invite(body, 'multipart/mixed;boundary="boundary1"'))!;
    expect([sdp!.type, textOf(sdp!.body), sdp!.disposition]).toEqual(["application/sdp", SDP, "session"]);
    expect([list!.type, textOf(list!.body), list!.disposition]).toEqual([
      "application/resource-lists+xml",
      XML,
      "recipient-list",
    ]);
    expect(list!.headers).toEqual([
      ["Content-Type", "application/resource-lists+xml"],
      ["Content-Disposition", "recipient-list"],
    ]);
    expect(more).toEqual([]);
  });

  test("preamble, epilogue, white space behind delimiters and bare LFs", () => {
    const body = "not a part\r\n--b \t\r\n\r\none\r\n--b\n\ntwo\n--b--  \r\nnot a part\r\n--b\r\n\r\neither";
    expect(split(body)).toEqual([
      ["text/plain", "one"],
      ["text/plain", "two"],
    ]);
  });

  test("what only looks like a delimiter belongs to its part", () => {
    const inner = "--bb\r\n --b\r\nx--b\r\n--b-\r\n--b--x\r\n-b\r\n--B";
    expect(split(`--b\r\n\r\n${inner}\r\n--b--`)).toEqual([["text/plain", inner]]);
  });

  test("empty parts, parts without header fields, parts of header fields alone", () => {
    expect(
      split("--b\r\n\r\n\r\n--b\r\n--b\r\nContent-Type: a/b\r\n--b\r\nContent-Type: a/b\r\n\r\n--b--\r\n"),
    ).toEqual([
      ["text/plain", ""],
      ["text/plain", ""],
      ["a/b", ""],
      ["a/b", ""],
    ]);
  });

  test("header fields: folds, any case, white space, rubbish passed over", () => {
    const [part] = partsOf(
      invite(
        "--b\r\nCONTENT-TYPE :\r\n\tText/Plain;\r\n  charset=UTF-8\r\nrubbish\r\n: x\r\nX-A:b: c \r\n\r\nx\r\n--b--",
      ),
    )!;
    expect(part!.headers).toEqual([
      ["CONTENT-TYPE", "Text/Plain; charset=UTF-8"],
      ["X-A", "b: c"],
    ]);
    expect([part!.type, part!.mediaType!.params.get("charset"), part!.header("x-a")]).toEqual([
      "text/plain",
      "UTF-8",
      "b: c",
    ]);
  });

  test("the octets are views on the message, whatever they are", () => {
    const octets = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const body = bytesOf(`--b\r\nContent-Type: application/ISUP\r\n\r\n${octets}\r\n--b--`);
    const [part] = splitParts(body, { type: "multipart", subtype: "mixed", params: new Map([["boundary", "b"]]) })!;
    expect(textOf(part!.body)).toBe(octets);
    expect(part!.body.buffer).toBe(body.buffer);
  });

  test("a part with a Content-Type that cannot be read is octets", () => {
    const [part] = partsOf(invite("--b\r\nContent-Type: what\r\n\r\nx\r\n--b--"))!;
    expect([part!.type, part!.mediaType, part!.parts]).toEqual(["application/octet-stream", null, []]);
  });

  test("optional parts and what they are for", () => {
    const [first, second] = partsOf(
      invite(
        "--b\r\nContent-Type: application/isup\r\nContent-Disposition: Signal ; handling=optional\r\n\r\nx\r\n" +
          "--b\r\nContent-Disposition: render;handling=required\r\n\r\nx\r\n--b--",
      ),
    )!;
    expect([first!.disposition, first!.isOptional]).toEqual(["signal", true]);
    expect([second!.disposition, second!.isOptional]).toEqual(["render", false]);
  });

  test("a body that is no multipart is the only part, with what the message says of it", () => {
    const [part, ...more] = partsOf(
      invite(SDP, null, ["c: application/sdp", "Content-Disposition: session;handling=optional", "Subject: x"]),
    )!;
    expect([part!.type, textOf(part!.body), part!.isOptional, more.length]).toEqual(["application/sdp", SDP, true, 0]);
    expect(part!.headers.map(([name]) => name)).toEqual(["Content-Type", "Content-Disposition"]);
    expect(partsOf(invite("", null))).toEqual([]);
  });

  test("multiparts in multiparts", () => {
    const inner = `--i\r\n\r\nplain\r\n--i\r\nContent-Type: application/sdp\r\n\r\n${SDP}\r\n--i--`;
    const body = `--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n${inner}\r\n--b\r\n\r\nlast\r\n--b--`;
    expect(split(body)).toEqual([
      [
        "multipart/alternative",
        [
          ["text/plain", "plain"],
          ["application/sdp", SDP],
        ],
      ],
      ["text/plain", "last"],
    ]);
  });

  test("null for a malformed one", () => {
    for (const [body, type] of [
      ["--b\r\n\r\nx\r\n--b--", "multipart/mixed"],
      ["--b\r\n\r\nx\r\n--b--", 'multipart/mixed;boundary=""'],
      ["--b \r\n\r\nx\r\n--b --", 'multipart/mixed;boundary="b "'],
      ["--[\r\n\r\nx\r\n--[--", 'multipart/mixed;boundary="["'],
      [`--${"b".repeat(71)}\r\n\r\nx\r\n--${"b".repeat(71)}--`, `multipart/mixed;boundary=${"b".repeat(71)}`],
      ["--b\r\n\r\nx", "multipart/mixed;boundary=b"],
      ["--b\r\n\r\nx\r\n--c--", "multipart/mixed;boundary=b"],
      ["x", "multipart/mixed;boundary=b"],
      ["--b--", "multipart/mixed;boundary=b"],
      [`${"--b\r\n\r\n".repeat(65)}--b--`, "multipart/mixed;boundary=b"],
    ]) {
      expect([body, split(body!, type)]).toEqual([body, null]);
    }
    expect(split(`${"--b\r\n\r\n".repeat(64)}--b--`)).toHaveLength(64);
  });
});

describe("findBody", () => {
  const part = (type: string, body: string) => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  const find = (body: string, type?: string) => {
    const found = findBody(invite(body, type), "application/sdp");
    return found === null ? null : textOf(found.body);
  };

  test("the first of its type, the last among alternatives, however deep", () => {
    const two = `${part("text/plain", "x") + part("application/sdp", "first") + part("APPLICATION/SDP", "last")}--b--`;
    expect(find(two)).toBe("first");
    expect(find(two, "Multipart/Alternative;boundary=b")).toBe("last");
    const nested = `--o\r\nContent-Type: multipart/alternative;boundary=b\r\n\r\n${two}\r\n--o--`;
    expect(find(nested, "multipart/mixed;boundary=o")).toBe("last");
    expect(find("plain", "application/sdp")).toBe("plain");
  });

  test("nothing where there is none, or where the body is malformed", () => {
    expect(find(`${part("text/plain", "x")}--b--`)).toBeNull();
    expect(find(part("application/sdp", "x"))).toBeNull();
    const broken = part("multipart/mixed;boundary=z", "--z\r\n\r\nx");
    expect(find(`${broken + part("application/sdp", "x")}--b--`)).toBe("x");
  });

  test("multiparts nested without end are not followed without end", () => {
    let body = `--x20\r\nContent-Type: application/sdp\r\n\r\nx\r\n--x20--`;
    for (let depth = 19; depth >= 0; depth--) {
      body = `--x${depth}\r\nContent-Type: multipart/mixed;boundary=x${depth + 1}\r\n\r\n${body}\r\n--x${depth}--`;
    }
    expect(find(body, "multipart/mixed;boundary=x0")).toBeNull();
  });
});

test("what is written is read again", () => {
  const word = fc.stringMatching(/^[a-z]{1,8}$/);
  const boundary = fc.stringMatching(/^[0-9A-Za-z'()+_,\-./:=?]{1,70}$/);
  const part = fc.record({ type: fc.option(fc.tuple(word, word)), body: fc.string({ unit: "binary-ascii" }) });
  fc.assert(
    fc.property(boundary, fc.array(part, { minLength: 1, maxLength: 5 }), (mark, parts) => {
      fc.pre(parts.every(({ body }) => !body.includes(`--${mark}`)));
      fc.pre(parts.every(({ type }) => type?.[0] !== "multipart"));
      const body = parts.map(
        ({ type, body }) => `--${mark}\r\n${type === null ? "" : `Content-Type: ${type.join("/")}\r\n`}\r\n${body}\r\n`,
      );
      expect(split(`${body.join("")}--${mark}--`, `multipart/mixed;boundary="${mark}"`)).toEqual(
        parts.map(({ type, body }) => [type?.join("/") ?? "text/plain", body]),
      );
    }),
    { numRuns: 500 },
  );
});

test("any octets are split or refused, and no part reaches out of the body", () => {
  const piece = fc.constantFrom(
    "--b",
    "--b--",
    "\r\n",
    "\n",
    "\r",
    "Content-Type: multipart/mixed;boundary=b",
    ":",
    " ",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 30 }), (pieces) => {
      const message = invite(textOf(bytesOf(pieces.join("").replace(/[^\0-\xff]/g, "?"))) || "x");
      const walk = (parts: readonly BodyPart[] | null, depth: number): void => {
        for (const part of parts ?? []) {
          expect(part.body.length).toBeLessThanOrEqual(message.body.length);
          expect(part.type).toContain("/");
          if (depth < 5) walk(part.parts, depth + 1);
        }
      };
      walk(partsOf(message), 0);
      findBody(message, "application/sdp");
    }),
    { numRuns: 2000 },
  );
});

test("a large hostile body is split in little time", () => {
  const bodies = ["--b\r\n".repeat(12_000), "--".repeat(30_000), `--b\r\n${" \n".repeat(30_000)}\r\n--b--`];
  const begun = performance.now();
  for (const body of bodies) split(body);
  split(`--b\r\nContent-Type: ${" ".repeat(50_000)}\r\n\r\n--b--`);
  expect(performance.now() - begun).toBeLessThan(2000);
});
