/** A stream is cut into the same messages whatever slices it comes in, and whatever it holds does no harm. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Framer, ScannerPool } from "../../src/message/framer.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { corpus, torture } from "../support/fixtures.ts";
import { asDatagram, type Framed, framesOf, octetsOf, slicesAt } from "../support/framing.ts";
import { grammarMessage, hostileMessage } from "../support/message-arbitraries.ts";
import { requestText } from "../support/sip-messages.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

const fixtures = [...torture(), ...corpus()];

/** A message of the grammar as a stream carries it: with Content-Length, its first line first. */
const streamMessage = grammarMessage.map(({ text, fields, body }) => {
  const message = text.replace(/^[\r\n]+/, "");
  const isDelimited = fields.some(([name]) => /^(content-length|l)$/i.test(name));
  return isDelimited ? message : message.replace(/\r?\n/, (end) => `${end}Content-Length: ${body.length}${end}`);
});
const cuts = fc.array(fc.nat(), { maxLength: 12 });

/** Kinds, texts and faults, without the tables. */
function brief(events: readonly Framed[]): string[] {
  return events.map((event) => {
    if (event.kind === "ping") return "ping";
    return event.kind === "broken" ? `broken ${event.fault}` : `${event.text.split(/\r?\n/)[0]} ${event.fault}`;
  });
}

function frame(text: string, limits = {}): Framed[] {
  return framesOf([bytesOf(text)], limits).events;
}

const OPTIONS = requestText("OPTIONS");
const MESSAGE = requestText("MESSAGE", { body: "hello, world", contentType: "text/plain" });

/** The request with this in place of its Content-Length line. */
function delimitedBy(line: string, text = MESSAGE): string {
  return text.replace(/Content-Length: \d+\r\n/, line);
}

describe("messages in a stream", () => {
  test("any messages in any slicing are those that a scan of each by itself gives", () => {
    fc.assert(
      fc.property(fc.array(streamMessage, { minLength: 1, maxLength: 5 }), cuts, (texts, places) => {
        const stream = bytesOf(texts.join(""));
        const { events, isPartial } = framesOf(slicesAt(stream, places));
        expect(events).toEqual(texts.map((text) => ({ kind: "message", ...asDatagram(bytesOf(text)) })));
        expect(isPartial).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("the same octet by octet", () => {
    fc.assert(
      fc.property(fc.array(streamMessage, { minLength: 1, maxLength: 3 }), (texts) => {
        const { events } = framesOf(octetsOf(bytesOf(texts.join(""))));
        expect(events).toEqual(texts.map((text) => ({ kind: "message", ...asDatagram(bytesOf(text)) })));
      }),
      { numRuns: 100 },
    );
  });

  test("line ends between messages are no part of them; each CRLFCRLF is a ping, in any slicing", () => {
    const between = fc.constantFrom(
      "",
      "\r\n",
      "\r\n\r\n",
      "\r\n\r\n\r\n\r\n",
      "\n",
      "\r",
      "\n\r\n\r\n",
      "\r\n\r\n\r\n",
    );
    const parts = fc.array(fc.tuple(between, streamMessage), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, between, cuts, (list, last, places) => {
        const stream = bytesOf(list.map((pair) => pair.join("")).join("") + last);
        const pings = (text: string) => Array.from(text.matchAll(/\r\n\r\n/g), (): Framed => ({ kind: "ping" }));
        const expected = list.flatMap(([line, text]): Framed[] => [
          ...pings(line),
          { kind: "message", ...asDatagram(bytesOf(text)) },
        ]);
        expect(framesOf(slicesAt(stream, places)).events).toEqual([...expected, ...pings(last)]);
      }),
      { numRuns: 500 },
    );
  });

  test("each message has octets of its own: no others beside it, and nothing of the slice they came in", () => {
    fc.assert(
      fc.property(fc.array(streamMessage, { minLength: 2, maxLength: 5 }), cuts, (texts, places) => {
        const kept: { bytes: Uint8Array; text: string }[] = [];
        const framer = new Framer(new ScannerPool(DEFAULT_LIMITS), {
          framed: ({ bytes }) => kept.push({ bytes, text: textOf(bytes) }),
          broken() {},
          ping() {},
        });
        for (const slice of slicesAt(bytesOf(texts.join("")), places)) {
          const chunk = slice.slice();
          const before = kept.length;
          framer.push(chunk);
          // A slice that is one message to the octet is handed over as it is: nobody writes to it any more.
          if (kept.length !== before + 1 || kept[before]!.bytes !== chunk) chunk.fill(0xaa);
        }
        expect(kept.map(({ bytes }) => textOf(bytes))).toEqual(texts);
        for (const { bytes, text } of kept) expect(bytes.buffer.byteLength).toBe(text.length);
      }),
    );
  });

  test("5,000 messages in one slice, and in slices of 7 octets", () => {
    const stream = bytesOf(OPTIONS.repeat(5000));
    for (const slices of [
      [stream],
      slicesAt(
        stream,
        Array.from({ length: stream.length / 7 }, (_, n) => 7 * n),
      ),
    ]) {
      const { events } = framesOf(slices);
      expect(events).toHaveLength(5000);
      expect(new Set(events.map((event) => event.kind === "message" && event.text))).toEqual(new Set([OPTIONS]));
    }
  });

  test("a message is handed over with its last octet, not before, and nothing is partial then", () => {
    const octets = octetsOf(bytesOf(MESSAGE));
    const before = framesOf(octets.slice(0, -1));
    expect(before).toMatchObject({ events: [], isPartial: true });
    const after = framesOf(octets);
    expect(after).toMatchObject({ isPartial: false });
    expect(after.events).toHaveLength(1);
  });

  test("two framers take turns with one pool of scanners", () => {
    const pool = new ScannerPool(DEFAULT_LIMITS);
    const seen: string[][] = [[], []];
    const framers = seen.map(
      (texts) =>
        new Framer(pool, {
          framed: ({ bytes }) => texts.push(textOf(bytes)),
          broken: ({ faultText }) => texts.push(faultText),
          ping: () => texts.push("ping"),
        }),
    );
    const streams = [OPTIONS + MESSAGE, MESSAGE + OPTIONS].map((text) => octetsOf(bytesOf(text)));
    for (let at = 0; at < streams[0]!.length; at++) {
      for (const [n, framer] of framers.entries()) framer.push(streams[n]![at]!);
    }
    expect(seen).toEqual([
      [OPTIONS, MESSAGE],
      [MESSAGE, OPTIONS],
    ]);
  });
});

describe("hostile octets", () => {
  test("never throw, break off once and last, and do the same in any slicing", () => {
    const stream = fc
      .array(fc.oneof(hostileMessage(fixtures), streamMessage.map(bytesOf)), { minLength: 1, maxLength: 3 })
      .map((parts) => bytesOf(parts.map(textOf).join("")));
    fc.assert(
      fc.property(stream, cuts, (bytes, places) => {
        const { events, isPartial } = framesOf([bytes]);
        const broken = events.filter(({ kind }) => kind === "broken");
        expect(broken.length).toBeLessThanOrEqual(1);
        if (broken.length === 1) {
          expect(events.at(-1)!.kind).toBe("broken");
          expect(isPartial).toBe(false);
        }
        const sliced = framesOf(slicesAt(bytes, places));
        expect(brief(sliced.events)).toEqual(brief(events));
        expect(sliced.isPartial).toBe(isPartial);
      }),
      { numRuns: 3000 },
    );
  });

  test("what begins with no letter of a method is broken off with its first octet", () => {
    for (const octets of [[0x16, 3, 1], [0], [0xff], [0x20], [0x3a]]) {
      expect(framesOf([new Uint8Array(octets)]).events).toEqual([{ kind: "broken", fault: "NotSip", answer: null }]);
    }
  });

  test("a first line that is not SIP's ends the stream: HTTP and SSH", () => {
    for (const line of ["GET / HTTP/1.1", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1 200 OK", "hello"]) {
      expect(brief(frame(`${line}\r\nHost: x\r\n\r\n`))).toEqual(["broken NotSip"]);
    }
  });

  // Which of several faults ends a stream may depend on what had come of it; where it ends must not.
  test("the same with low limits, but for the reason", () => {
    const limits = { messageSize: 700, headers: 12, headerLength: 200, uriLength: 60, vias: 3 };
    const stream = fc
      .array(fc.oneof(hostileMessage(fixtures), streamMessage.map(bytesOf)), { minLength: 1, maxLength: 3 })
      .map((parts) => bytesOf(parts.map(textOf).join("")));
    fc.assert(
      fc.property(stream, cuts, (bytes, places) => {
        const whole = framesOf([bytes], limits);
        const sliced = framesOf(slicesAt(bytes, places), limits);
        const withoutReason = (events: readonly Framed[]) =>
          brief(events).map((line) => line.replace(/^broken .*/, "broken"));
        expect(withoutReason(sliced.events)).toEqual(withoutReason(whole.events));
        expect(sliced.isPartial).toBe(whole.isPartial);
      }),
      { numRuns: 2000 },
    );
  });

  test("after the end nothing is read, not even what is sound", () => {
    const { events, isPartial } = framesOf([bytesOf("\0"), bytesOf(OPTIONS), bytesOf("\r\n\r\n")]);
    expect(brief(events)).toEqual(["broken NotSip"]);
    expect(isPartial).toBe(false);
  });

  test("stop() from within a message: no more of the slice is read, and the scanner goes back once", () => {
    const { events, isPartial } = framesOf([bytesOf(OPTIONS.repeat(3)), bytesOf(OPTIONS)], {}, 2);
    expect(events).toHaveLength(2);
    expect(isPartial).toBe(false);
  });
});

describe("Content-Length", () => {
  const inAnySlicing = (text: string, limits = {}): string[] => {
    const bytes = bytesOf(text);
    const whole = brief(framesOf([bytes], limits).events);
    expect(brief(framesOf(octetsOf(bytes), limits).events)).toEqual(whole);
    for (let cut = 1; cut < bytes.length; cut++) {
      expect([cut, brief(framesOf(slicesAt(bytes, [cut]), limits).events)]).toEqual([cut, whole]);
    }
    return whole;
  };

  test("absent: broken off, with what the answer needs", () => {
    expect(inAnySlicing(delimitedBy("") + OPTIONS)).toEqual(["broken NoContentLength"]);
    const [event] = frame(delimitedBy(""));
    const [via, ...others] = event?.kind === "broken" ? event.answer! : [];
    expect(via).toMatch(/^SIP\/2\.0\/UDP .*;branch=z9hG4bK/);
    expect(others).toHaveLength(2);
  });

  test("no number, too large a number, or a negative one: broken off", () => {
    for (const value of ["", "abc", "-1", "12x", "1 2", "4294967296", "2147483648", "99999999999999999999"]) {
      const events = inAnySlicing(delimitedBy(`Content-Length: ${value}\r\n`) + OPTIONS);
      expect([value, ...events]).toEqual([value, "broken ContentLength"]);
    }
  });

  test("twice and differing: broken off; twice the same: read", () => {
    expect(inAnySlicing(delimitedBy("Content-Length: 12\r\nl: 13\r\n") + OPTIONS)).toEqual([
      "broken ContentLengthDiffers",
    ]);
    expect(inAnySlicing(delimitedBy("Content-Length: 12\r\nl: 12\r\n") + OPTIONS)).toEqual([
      "MESSAGE sip:bob@192.0.2.1 SIP/2.0 None",
      "OPTIONS sip:bob@192.0.2.1 SIP/2.0 None",
    ]);
  });

  // Where the message ends is as uncertain as if there were no other fault: what follows could be smuggled.
  test("differing or malformed behind another fault: broken off all the same", () => {
    const bad = "No colon on this line\r\n";
    for (const lines of [
      "Content-Length: 12\r\nl: 0\r\n",
      "Content-Length: 0\r\nl: 12\r\n",
      "Content-Length: 12\r\nl: x\r\n",
    ]) {
      const events = inAnySlicing(delimitedBy(`${bad}${lines}`) + OPTIONS);
      expect([lines, events.length, events[0]]).toEqual([lines, 1, expect.stringMatching(/^broken /)]);
    }
  });

  test("more header fields than the limit, Content-Length among those not read: broken off", () => {
    const [first, ...others] = delimitedBy("").split("\r\n");
    const many = [first, ...Array.from({ length: 30 }, (_, n) => `X-${n}: y`), "Content-Length: 12", ...others];
    const events = inAnySlicing(`${many.join("\r\n")}${OPTIONS}`, { headers: 20 });
    expect([events.length, events[0]]).toEqual([1, expect.stringMatching(/^broken /)]);
  });

  test("white space round it, a fold before it, leading zeros, the compact form", () => {
    for (const line of [
      "Content-Length :  12 \r\n",
      "Content-Length:\r\n 12\r\n",
      "l: 0012\r\n",
      "CONTENT-LENGTH:12\r\n",
    ]) {
      expect(inAnySlicing(delimitedBy(line) + OPTIONS)).toHaveLength(2);
    }
  });

  test("too short for what was meant: the rest is the next message, and no SIP", () => {
    expect(inAnySlicing(delimitedBy("Content-Length: 5\r\n") + OPTIONS)).toEqual([
      "MESSAGE sip:bob@192.0.2.1 SIP/2.0 None",
      // ", world" begins with no letter of a method.
      "broken NotSip",
    ]);
  });

  test("too long: the message takes of the next one, and waits", () => {
    const { events, isPartial } = framesOf([bytesOf(delimitedBy("Content-Length: 9000\r\n") + OPTIONS)]);
    expect([events, isPartial]).toEqual([[], true]);
  });

  test("a body that is itself a message is not read as one", () => {
    const inner = requestText("MESSAGE", { body: OPTIONS, contentType: "message/sip" });
    expect(inAnySlicing(inner + OPTIONS)).toHaveLength(2);
  });
});

describe("limits", () => {
  const limits = { messageSize: 600 };

  test("a body beyond the limit is passed over, and the next message read, in any slicing", () => {
    const long = requestText("MESSAGE", { body: OPTIONS.repeat(4), contentType: "message/sip" });
    const stream = bytesOf(`${long}\r\n\r\n${OPTIONS}`);
    const expected = [
      "MESSAGE sip:bob@192.0.2.1 SIP/2.0 BodyTooLarge",
      "ping",
      "OPTIONS sip:bob@192.0.2.1 SIP/2.0 None",
    ];
    for (let cut = 1; cut < stream.length; cut++) {
      expect([cut, ...brief(framesOf(slicesAt(stream, [cut]), limits).events)]).toEqual([cut, ...expected]);
    }
    expect(brief(framesOf(octetsOf(stream), limits).events)).toEqual(expected);
    const [first] = framesOf([stream], limits).events;
    expect(first).toMatchObject({ body: "", text: long.slice(0, long.indexOf("\r\n\r\n") + 4) });
  });

  test("while a body is passed over the message is partial", () => {
    const long = requestText("MESSAGE", { body: "x".repeat(1000) });
    expect(framesOf([bytesOf(long.slice(0, -1))], limits).isPartial).toBe(true);
    expect(framesOf([bytesOf(long)], limits).isPartial).toBe(false);
  });

  test("a body of 2 GiB announced keeps nothing of it", () => {
    const head = delimitedBy("Content-Length: 2147483647\r\n").replace(/hello, world$/, "");
    const slices = [bytesOf(head), ...Array.from({ length: 50 }, () => new Uint8Array(65536))];
    const { events, messages, isPartial } = framesOf(slices);
    expect([brief(events), isPartial]).toEqual([["MESSAGE sip:bob@192.0.2.1 SIP/2.0 BodyTooLarge"], true]);
    expect(messages[0]!.bytes.length).toBe(head.length);
  });

  test("at the limit a message passes, whole or in slices", () => {
    const sized = requestText("MESSAGE", { body: "x".repeat(400) });
    const exact = { messageSize: sized.length };
    for (const slices of [[bytesOf(sized)], octetsOf(bytesOf(sized))]) {
      expect(brief(framesOf(slices, exact).events)).toEqual(["MESSAGE sip:bob@192.0.2.1 SIP/2.0 None"]);
      const over = framesOf(slices, { messageSize: sized.length - 1 });
      expect(brief(over.events)).toEqual(["MESSAGE sip:bob@192.0.2.1 SIP/2.0 BodyTooLarge"]);
    }
  });

  test("a head beyond the limit is broken off, in any slicing, with what the answer needs", () => {
    const stream = bytesOf(requestText("OPTIONS", { headers: [`X: ${"x".repeat(600)}`] }) + OPTIONS);
    const expected = frame(textOf(stream), limits);
    expect(brief(expected)).toEqual(["broken MessageTooLarge"]);
    for (let cut = 1; cut < stream.length; cut += 7) {
      expect([cut, framesOf(slicesAt(stream, [cut]), limits).events]).toEqual([cut, expected]);
    }
    expect(framesOf(octetsOf(stream), limits).events).toEqual(expected);
  });

  test("a head that never ends is broken off at the limit, and a line that never ends too", () => {
    for (const filler of ["X: y\r\n", "x", "X: y\r\n "]) {
      const octets = octetsOf(bytesOf(`OPTIONS sip:b@h SIP/2.0\r\nA: ${filler.repeat(1000)}`));
      let fed = 0;
      const faults: string[] = [];
      const framer = new Framer(new ScannerPool({ ...DEFAULT_LIMITS, ...limits }), {
        framed: () => faults.push("a message"),
        broken: ({ faultText }) => faults.push(`${faultText} at ${fed}`),
        ping: () => faults.push("ping"),
      });
      for (const octet of octets) {
        fed++;
        framer.push(octet);
      }
      expect(faults).toEqual(["Message Too Large at 601"]);
    }
  });

  test("what the answer to a head that was cut carries holds no octet that did not come", () => {
    // The last field is cut in the middle: what lies behind it in a buffer is not its value.
    const head =
      "OPTIONS sip:b@h SIP/2.0\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1;x=";
    const { events } = framesOf(octetsOf(bytesOf(head + "y".repeat(1000))), limits);
    expect(events).toHaveLength(1);
    expect(JSON.stringify(events).includes("\\u0000")).toBe(false);
  });
});
