import { expect, test } from "bun:test";
import fc from "fast-check";
import { ascii, latin1 } from "../../src/message/bytes.ts";
import { NO_ANSWER, writeAnswer } from "../../src/sdp/answer.ts";
import { FAULT } from "../../src/sdp/fault.ts";
import { MEDIA_KIND, PROTO } from "../../src/sdp/kinds.ts";
import { LocalMedia } from "../../src/sdp/local.ts";
import { SdpScan } from "../../src/sdp/scan.ts";

const HEAD = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";
const local = new LocalMedia({ port: 49920, sessionId: 7, version: 1 });

const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom("a=rtpmap:0 PCMU/8000", "a=rtpmap:96 opus/48000/2", "a=sendonly", "a=inactive"),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom("a=rtpmap:101 telephone-event/8000", "c=IN IP6 ::1", "c=IN IP4 224.1.1.1", "b=AS:1", ""),
  },
  { weight: 1, arbitrary: fc.constantFrom("c=IN", "t=0 0", "v=0", "a=rtpmap:", "\rx", "r=1\r2", "m=", " ") },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 12 }) },
);
const stream = fc
  .record({
    kind: fc.constantFrom("audio", "audio", "video", "image", "AUDIO"),
    port: fc.constantFrom("0", "4000", "65535", "4000/2"),
    proto: fc.constantFrom("RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl"),
    formats: fc.array(fc.constantFrom("0", "8", "18", "96", "101", "t38", "127", ""), { minLength: 1, maxLength: 6 }),
    lines: fc.array(line, { maxLength: 4 }),
  })
  .map(({ kind, port, proto, formats, lines }) => [`m=${kind} ${port} ${proto} ${formats.join(" ")}`, ...lines]);
const body = fc
  .record({
    head: fc.constantFrom(HEAD, HEAD, HEAD, HEAD.replace("s=-\n", ""), HEAD.replace("t=0 0", "t=1 2\nr=3 4"), "v=0\n"),
    session: fc.array(line, { maxLength: 2 }),
    streams: fc.array(stream, { maxLength: 6 }),
    end: fc.constantFrom("\n", "\r\n"),
  })
  .map(({ head, session, streams, end }) =>
    ascii([...head.trimEnd().split("\n"), ...session, ...streams.flat(), ""].join(end)),
  );

test("any offer has no answer, or one that stands the same scan, stream for stream", () => {
  const offer = new SdpScan();
  const back = new SdpScan();
  let answered = 0;
  fc.assert(
    fc.property(body, fc.nat(40), (bytes, at) => {
      const out = new Uint8Array(at + 2048).fill(0xee);
      offer.scan(bytes, 0, bytes.length);
      const end = writeAnswer(offer, out, at, local);
      expect(out.subarray(0, at).every((octet) => octet === 0xee)).toBe(true);
      if (end < 0) {
        expect(end).toBe(offer.fault === FAULT.NONE ? NO_ANSWER.NO_COMMON_CODEC : NO_ANSWER.MALFORMED);
        return;
      }
      answered++;
      expect(out.subarray(end).every((octet) => octet === 0xee)).toBe(true);
      expect(back.scan(out, at, end)).toBe(FAULT.NONE);
      expect(back.mediaCount).toBe(offer.mediaCount);
      expect(latin1(out, at, end).match(/(^|\n)m=/g)?.length ?? 0).toBe(offer.mediaCount);
      let live = 0;
      for (let i = 0; i < offer.mediaCount; i++) {
        expect(back.kind(i)).toBe(offer.kind(i));
        expect(back.proto(i)).toBe(offer.proto(i));
        if (back.port(i) === 0) {
          expect(latin1(out, back.formatsStart(i), back.formatsEnd(i))).toBe(
            latin1(bytes, offer.formatsStart(i), offer.formatsEnd(i)),
          );
          continue;
        }
        live++;
        expect(offer.port(i)).not.toBe(0);
        expect(back.kind(i)).toBe(MEDIA_KIND.AUDIO);
        expect([PROTO.RTP_AVP, PROTO.RTP_AVPF] as number[]).toContain(back.proto(i));
        const offered = latin1(bytes, offer.formatsStart(i), offer.formatsEnd(i)).split(" ");
        for (const format of latin1(out, back.formatsStart(i), back.formatsEnd(i)).split(" ")) {
          expect(offered).toContain(format);
        }
      }
      expect(live).toBeLessThanOrEqual(1);
    }),
    { numRuns: 1500 },
  );
  expect(answered).toBeGreaterThan(200);
});
