import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Arena } from "../../src/message/arena.ts";
import type { Limits } from "../../src/message/limits.ts";
import { type ResponseParts, writeResponse } from "../../src/message/response.ts";
import { expectCopiedFields } from "../support/copied-fields.ts";
import { scan, scanned } from "../support/scan.ts";
import { bytesOf, onlyValueOf, readSip, textOf, valuesOf } from "../support/sip-text.ts";

const HEAD = ["From: <sip:a@example.com>;tag=1", "To: <sip:b@example.com>", "Call-ID: c1", "CSeq: 7 INVITE"];
const SOURCE = "203.0.113.77";
const PORT = 40000;

/** A request of these Via lines and other lines. */
function request(vias: readonly string[], lines: readonly string[] = HEAD): string {
  const all = ["INVITE sip:b@example.com SIP/2.0", ...vias.map((via) => `Via: ${via}`), ...lines];
  return `${all.join("\r\n")}\r\n\r\n`;
}

/** The response to a request that may have faults, as text of one character an octet. */
function respond(
  text: string,
  parts: Partial<ResponseParts> = {},
  { address = SOURCE, port = PORT, arena = new Arena(), limits = {} as Partial<Limits> } = {},
): string {
  const { message } = scanned(text, limits);
  const start = writeResponse(arena, message, { status: 200, toTag: bytesOf("ours"), ...parts }, address, port);
  return textOf(arena.bytes.subarray(start, arena.at));
}

/** The Via values of the response, a string a line. */
function viasFor(...vias: string[]): string[] {
  return valuesOf(readSip(bytesOf(respond(request(vias)))), "via");
}

describe("a response", () => {
  test("is the status line, the request's fields in the request's order, and what is new behind them", () => {
    const text = request(
      ["SIP/2.0/UDP h;branch=z9hG4bK1"],
      ["CSEQ : 7 INVITE", "Subject: no", "t:<sip:b@example.com>", "Max-Forwards: 70", "i: c1", "F: <sip:a@h>;tag=1"],
    );
    const parts = { headers: bytesOf("Server: x\r\n"), body: bytesOf("v=0\r\n"), contentType: "application/sdp" };
    expect(respond(text, { ...parts, reason: "Fine É" })).toBe(
      "SIP/2.0 200 Fine \xc3\x89\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;received=203.0.113.77\r\nCSEQ : 7 INVITE\r\n" +
        "t:<sip:b@example.com>;tag=ours\r\ni: c1\r\nF: <sip:a@h>;tag=1\r\nServer: x\r\n" +
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    );
    expect(respond(text)).toEndWith("F: <sip:a@h>;tag=1\r\nContent-Length: 0\r\n\r\n");
    expect(respond(text)).toStartWith("SIP/2.0 200 OK\r\n");
  });

  test("has the registered reason, that of its class where none is registered, or the one given", () => {
    const text = request(["SIP/2.0/UDP h"]);
    for (const [status, line] of [
      [100, "SIP/2.0 100 Trying"],
      [481, "SIP/2.0 481 Call/Transaction Does Not Exist"],
      [499, "SIP/2.0 499 Bad Request"],
      [699, "SIP/2.0 699 Busy Everywhere"],
    ] as const) {
      expect(respond(text, { status })).toStartWith(`${line}\r\n`);
      expect(respond(text, { status, reason: "Own" })).toStartWith(`SIP/2.0 ${status} Own\r\n`);
    }
    expect(respond(text, { reason: "" })).toStartWith("SIP/2.0 200 \r\n");
  });

  test("without a body has no Content-Type", () => {
    for (const body of [undefined, new Uint8Array(0)]) {
      const answer = readSip(bytesOf(respond(request(["SIP/2.0/UDP h"]), { body, contentType: "application/sdp" })));
      expect(valuesOf(answer, "content-type")).toEqual([]);
    }
  });

  test("carries a large body whole", () => {
    const body = Uint8Array.from({ length: 60_000 }, (_, i) => i & 0xff);
    const answer = readSip(bytesOf(respond(request(["SIP/2.0/UDP h"]), { body, contentType: "x/y" })));
    expect(bytesOf(answer.body)).toEqual(body);
  });
});

describe("the top Via (RFC 3261 s18.2.1, RFC 3581 s4)", () => {
  test("gets received where sent-by is another host than the source", () => {
    expect(viasFor("SIP/2.0/UDP 192.0.2.1:5070;branch=x")).toEqual([
      `SIP/2.0/UDP 192.0.2.1:5070;branch=x;received=${SOURCE}`,
    ]);
    expect(viasFor("SIP/2.0/UDP host.example.com")).toEqual([`SIP/2.0/UDP host.example.com;received=${SOURCE}`]);
    expect(viasFor(`SIP/2.0/UDP ${SOURCE}1`)).toEqual([`SIP/2.0/UDP ${SOURCE}1;received=${SOURCE}`]);
  });

  test("is left as it is where sent-by is the source and rport is not asked for", () => {
    const via = `SIP/2.0/UDP ${SOURCE}:5070 ; branch=x;y`;
    expect(viasFor(via)).toEqual([via]);
    const six = "SIP/2.0/UDP [2001:db8::1]:5070;branch=x";
    expect(respond(request([six]), {}, { address: "2001:db8::1" })).toContain(`\r\nVia: ${six}\r\n`);
  });

  test("gets the source's IPv6 address in received", () => {
    const text = respond(request(["SIP/2.0/UDP [2001:db8::1];branch=x"]), {}, { address: "2001:db8::2" });
    expect(text).toContain("\r\nVia: SIP/2.0/UDP [2001:db8::1];branch=x;received=2001:db8::2\r\n");
  });

  test("has rport filled in, with or without a value, and received with it", () => {
    for (const rport of ["rport", "rport=1", "rport=65535", "RPORT", "rport =\r\n 5060", "rport=junk"]) {
      expect(viasFor(`SIP/2.0/UDP h;${rport};branch=x`)).toEqual([
        `SIP/2.0/UDP h;rport=${PORT};branch=x;received=${SOURCE}`,
      ]);
      expect(viasFor(`SIP/2.0/UDP h;branch=x;${rport}`)).toEqual([
        `SIP/2.0/UDP h;branch=x;rport=${PORT};received=${SOURCE}`,
      ]);
    }
    expect(viasFor(`SIP/2.0/UDP ${SOURCE}:${PORT};rport`)).toEqual([
      `SIP/2.0/UDP ${SOURCE}:${PORT};rport=${PORT};received=${SOURCE}`,
    ]);
  });

  test("loses what its sender wrote as received", () => {
    for (const [via, expected] of [
      ["SIP/2.0/UDP h;received=6.6.6.6;branch=x", `SIP/2.0/UDP h;branch=x;received=${SOURCE}`],
      ["SIP/2.0/UDP h;branch=x;Received = 6.6.6.6", `SIP/2.0/UDP h;branch=x;received=${SOURCE}`],
      ["SIP/2.0/UDP h;branch=x ;\r\n received=1::1;y", `SIP/2.0/UDP h;branch=x ;y;received=${SOURCE}`],
      ["SIP/2.0/UDP h;received;branch=x", `SIP/2.0/UDP h;branch=x;received=${SOURCE}`],
      [`SIP/2.0/UDP ${SOURCE};received=6.6.6.6;branch=x`, `SIP/2.0/UDP ${SOURCE};branch=x`],
      ["SIP/2.0/UDP h;received=6.6.6.6;x;rport;y", `SIP/2.0/UDP h;x;rport=${PORT};y;received=${SOURCE}`],
      ["SIP/2.0/UDP h;rport=1;x;received=6.6.6.6;y", `SIP/2.0/UDP h;rport=${PORT};x;y;received=${SOURCE}`],
    ] as const) {
      expect([via, viasFor(via)]).toEqual([via, [expected]]);
    }
  });

  test("comes back whole where it is malformed: what is its received cannot be told", () => {
    for (const via of [
      "SIP/2.0/UDP 192.0.2.15;;,;,,",
      "SIP/2.0/UDP h;received=6.6.6.6;;branch=x",
      "SIP/2.0/UDP h;received=6.6 .6.6;branch=x",
      'SIP/2.0/UDP h;received=6.6"6.6;branch=x',
      "SIP/2.0/UDP h;received=6.6.6.6;branch=x;received=7.7.7.7",
    ]) {
      expect([via, viasFor(via)]).toEqual([via, [`${via};received=${SOURCE}`]]);
    }
  });

  test("is the first value of its line alone; the values behind the comma stay as they are", () => {
    const rest = "SIP/2.0/TCP i;rport;received=6.6.6.6 ,\r\n SIP/2.0/UDP j";
    expect(viasFor(`SIP/2.0/UDP h;rport;x="a,b;received=c" , ${rest}`)).toEqual([
      `SIP/2.0/UDP h;rport=${PORT};x="a,b;received=c" ;received=${SOURCE}, ${rest}`,
    ]);
    const own = `SIP/2.0/UDP ${SOURCE},${rest}`;
    expect(viasFor(own)).toEqual([own]);
  });

  test("is the first line alone; the lines behind it stay as they are, in their order", () => {
    const others = ["SIP/2.0/UDP i;rport;received=6.6.6.6", "SIP/2.0/TCP j;branch=1,SIP/2.0/TLS k", "SIP/2.0/UDP l"];
    expect(viasFor("SIP/2.0/UDP h;rport", ...others)).toEqual([
      `SIP/2.0/UDP h;rport=${PORT};received=${SOURCE}`,
      ...others,
    ]);
    expect(viasFor(`SIP/2.0/UDP ${SOURCE}`, ...others)).toEqual([`SIP/2.0/UDP ${SOURCE}`, ...others]);
  });

  test("may be folded anywhere", () => {
    const via = "SIP\r\n / 2.0\r\n /\r\n UDP\r\n h\r\n ;\r\n rport\r\n ;\r\n branch\r\n =\r\n x";
    expect(viasFor(via)).toEqual([`${via.replace("rport", `rport=${PORT}`)};received=${SOURCE}`]);
  });

  test("may stand behind other fields", () => {
    const lines = [...HEAD.slice(0, 2), "Subject: x", "Via: SIP/2.0/UDP h;rport", ...HEAD.slice(2), "v: SIP/2.0/UDP i"];
    const text = respond(request([], lines));
    expect(text).toBe(
      "SIP/2.0 200 OK\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=ours\r\n" +
        `Via: SIP/2.0/UDP h;rport=${PORT};received=${SOURCE}\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\nv: SIP/2.0/UDP i\r\n` +
        "Content-Length: 0\r\n\r\n",
    );
  });
});

describe("the To tag", () => {
  function toFor(to: string, parts: Partial<ResponseParts> = {}): string {
    const lines = HEAD.map((line) => (line.startsWith("To") ? `To: ${to}` : line));
    return onlyValueOf(readSip(bytesOf(respond(request(["SIP/2.0/UDP h"], lines), parts))), "to");
  }

  test("is added once where there is none, behind all that is there", () => {
    for (const to of [
      "<sip:b@h>",
      "sip:b@h;user=phone",
      '"x;tag=1" <sip:b@h;tag=2>',
      "<sip:b@h>;x=y",
      "Bob <sip:b@h>",
    ]) {
      expect(toFor(to)).toBe(`${to};tag=ours`);
    }
  });

  test("is left alone where it is there", () => {
    for (const to of ["<sip:b@h>;tag=theirs", "sip:b@h;TAG\r\n = theirs;x", "<sip:b@h>;tag=theirs"]) {
      expect(toFor(to)).toBe(to);
    }
  });

  test("is not added where none is given", () => {
    expect(toFor("<sip:b@h>", { toTag: null })).toBe("<sip:b@h>");
  });

  test("is added to the first of several Tos: a response has one", () => {
    const lines = [...HEAD, ...Array.from({ length: 100 }, () => "t: <sip:x@h>")];
    const text = respond(request(["SIP/2.0/UDP h"], lines), { status: 400 });
    expect(text.match(/tag=ours/g)).toHaveLength(1);
    expect(text).toContain("\r\nTo: <sip:b@example.com>;tag=ours\r\n");
  });
});

describe("what is copied only when it is asked for", () => {
  const lines = ["Record-Route: <sip:p1;lr>", ...HEAD, "Record-Route: <sip:p2;lr>,\r\n <sip:p3>", "Timestamp: 54.5"];
  const text = request(["SIP/2.0/UDP h"], lines);

  test("Record-Route, every line in order", () => {
    const answer = readSip(bytesOf(respond(text, { recordRoute: true })));
    expect(valuesOf(answer, "record-route")).toEqual(["<sip:p1;lr>", "<sip:p2;lr>,\r\n <sip:p3>"]);
    expect(valuesOf(readSip(bytesOf(respond(text))), "record-route")).toEqual([]);
    expect(valuesOf(readSip(bytesOf(respond(text, { recordRoute: false, status: 100 }))), "record-route")).toEqual([]);
  });

  test("Timestamp in a 100 and in no other (RFC 3261 s8.2.6.1)", () => {
    expect(valuesOf(readSip(bytesOf(respond(text, { status: 100 }))), "timestamp")).toEqual(["54.5"]);
    for (const status of [180, 200, 404]) {
      expect(valuesOf(readSip(bytesOf(respond(text, { status }))), "timestamp")).toEqual([]);
    }
  });
});

describe("line ends", () => {
  test("of a request in bare LFs become CRLFs", () => {
    const lines = [...HEAD, "Record-Route: <sip:p>", "v: SIP/2.0/UDP i"];
    const text = request(["SIP/2.0/UDP h;rport"], lines);
    const wanted = respond(text, { recordRoute: true });
    expect(respond(text.replace(/\r\n/g, "\n"), { recordRoute: true })).toBe(wanted);
    // And where they are mixed, in every way three lines can be.
    for (let mask = 0; mask < 256; mask++) {
      let line = 0;
      const mixed = text.replace(/\r\n/g, () => ((mask >> line++) & 1 ? "\n" : "\r\n"));
      expect(respond(mixed, { recordRoute: true })).toBe(wanted);
    }
  });

  test("with white space or more CRs before them lose those", () => {
    const text = request(["SIP/2.0/UDP h;rport", "SIP/2.0/UDP i"]);
    const [startLine] = text.split("\r\n");
    for (const end of [
      " \r\n",
      "\t\r\n",
      " \t \r\n",
      "\r\r\n",
      "\r\r\r\n",
      " \n",
      "\t\n",
      "  \n",
      "\r\n \r\n",
      "\n\t\n",
    ]) {
      const lines = text.slice(startLine!.length + 2, -2).replaceAll("\r\n", end);
      expect([end, respond(`${startLine}\r\n${lines}\r\n`)]).toEqual([end, respond(text)]);
    }
  });

  test("a datagram that ends in the middle of a line is answered in whole lines", () => {
    const text = request(["SIP/2.0/UDP h;rport;branch=x"]);
    for (let length = text.indexOf("\r\nFrom"); length < text.length; length++) {
      const cut = text.slice(0, length);
      const answer = readSip(bytesOf(respond(cut, { status: 400 })));
      expect([cut, answer.status, valuesOf(answer, "via")]).toEqual([
        cut,
        400,
        [`SIP/2.0/UDP h;rport=${PORT};branch=x;received=${SOURCE}`],
      ]);
    }
  });
});

test("the response to any request is well formed and carries its fields", () => {
  const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,10}$/);
  const white = fc.constantFrom("", " ", "\t", "\r\n ");
  const host = fc.oneof(
    fc.ipV4(),
    fc.domain(),
    fc.constant(SOURCE),
    fc.ipV6().map((address) => `[${address}]`),
  );
  const via = fc
    .record({
      host,
      params: fc.uniqueArray(fc.constantFrom("rport", "received=6.6.6.6", "branch=z9hG4bKa", "x")),
      white,
    })
    .map(
      ({ host: at, params, white: space }) => `SIP/2.0/UDP ${at}${params.map((param) => `${space};${param}`).join("")}`,
    );
  const viaLine = fc
    .tuple(fc.constantFrom("Via", "v", "VIA"), fc.array(via, { minLength: 1, maxLength: 3 }), white)
    .map(([name, values, space]) => `${name}${space.replace("\r\n", "")}: ${values.join(`${space},`)}`);
  const to = fc.tuple(token, fc.boolean()).map(([user, tag]) => `To: <sip:${user}@h>${tag ? ";tag=t" : ""}`);
  const other = fc.tuple(token, token).map(([name, value]) => `X-${name}: ${value}`);
  const lines = fc
    .tuple(fc.array(viaLine, { minLength: 1, maxLength: 4 }), to, fc.array(other, { maxLength: 4 }))
    .chain(([vias, toLine, others]) => {
      const rest = [HEAD[0]!, toLine, HEAD[2]!, HEAD[3]!, ...others];
      // Fields in any order, Vias in theirs.
      return fc.shuffledSubarray([...vias, ...rest], { minLength: vias.length + rest.length }).map((shuffled) => {
        const ordered = [...vias];
        return shuffled.map((line) => (/^v/i.test(line) ? ordered.shift()! : line));
      });
    });
  const shapes = fc.record({ lines, status: fc.constantFrom(100, 180, 200, 404, 600), bare: fc.boolean() });
  const arena = new Arena();
  fc.assert(
    fc.property(shapes, ({ lines: all, status, bare }) => {
      const text = `INVITE sip:b@h SIP/2.0\r\n${all.join("\r\n")}\r\n\r\n`;
      const bytes = bytesOf(bare ? text.replace(/\r\n(?![ \t])/g, "\n") : text);
      const start = writeResponse(arena, scan(bytes), { status, toTag: bytesOf("ours") }, SOURCE, PORT);
      const response = arena.bytes.slice(start, arena.at);
      expectCopiedFields(response, bytes, SOURCE, PORT);
      expect(scan(response).status).toBe(status);
    }),
    { numRuns: 500 },
  );
});

test("responses to one request stay the same while others are written and the arena is emptied", () => {
  const arena = new Arena();
  const { message } = scanned(request(["SIP/2.0/UDP h;rport"]));
  const other = scanned(request(["SIP/2.0/TCP other.example.com;branch=z9hG4bKother"])).message.keep();
  const kept = message.keep();
  const parts = { status: 180, toTag: bytesOf("ours") };
  const write = (of: typeof kept) => {
    const start = writeResponse(arena, of, parts, SOURCE, PORT);
    return textOf(arena.bytes.subarray(start, arena.at));
  };
  const first = write(kept);
  expect(write(kept)).toBe(first);
  const others = write(other);
  expect(others).toContain("other.example.com");
  expect(write(kept)).toBe(first);
  arena.reset();
  arena.open(2000);
  arena.put(new Uint8Array(2000));
  expect(write(kept)).toBe(first);
  arena.reset();
  expect(write(other)).toBe(others);
});

test("a response never needs more room than was made for it", () => {
  // Requests whose responses grow most: lines in bare LFs, many of them, and many Tos without a tag.
  const hostile = [
    request(["SIP/2.0/UDP h;rport"], [...HEAD, ...Array.from({ length: 240 }, () => "t:")]),
    request(["SIP/2.0/UDP h;rport"], [...HEAD, ...Array.from({ length: 240 }, () => "v:")]).replace(/\r\n/g, "\n"),
    request(
      ["SIP/2.0/UDP h;rport"],
      Array.from({ length: 250 }, (_, i) => (i % 2 ? "t:" : "f:")),
    ).replace(/\r\n/g, "\n"),
    request(["SIP/2.0/UDP h;rport"], [...HEAD, ...Array.from({ length: 4000 }, () => "v:")]).replace(/\r\n/g, "\n"),
  ];
  const limits = { headers: 5000 };
  const parts = { status: 400, toTag: bytesOf("0123456789ab"), reason: "Repeated Header Field That Must Be Single" };
  // Written where the buffer has little room left, every one comes out as it does in an empty buffer.
  const arena = new Arena();
  const filler = new Uint8Array(arena.bytes.length);
  for (const text of hostile) {
    const alone = respond(text, parts, { limits });
    for (let left = 0; left < 40_000; left += 97) {
      arena.reset();
      const fill = Math.min(filler.length, arena.bytes.length) - left;
      arena.open(fill);
      arena.put(filler.subarray(0, fill));
      const crammed = respond(text, parts, { arena, limits });
      if (crammed !== alone) expect([left, crammed.length, crammed === alone]).toEqual([left, alone.length, true]);
    }
  }
});
