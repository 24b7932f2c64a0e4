import { describe, expect, test } from "bun:test";
import { ascii, latin1 } from "../../src/message/bytes.ts";
import { MISMATCH, mismatch, mismatchText, NO_ANSWER, writeAnswer, writeOffer } from "../../src/sdp/answer.ts";
import { codec, G722, OPUS, PCMA, PCMU } from "../../src/sdp/codec.ts";
import { LocalMedia, type LocalMediaOptions } from "../../src/sdp/local.ts";
import { SdpScan } from "../../src/sdp/scan.ts";

const HEAD = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";
const OURS = "v=0\no=- 7 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n";
const local = new LocalMedia({ port: 49920, sessionId: 7, version: 1 });

function scanned(text: string): SdpScan {
  const scan = new SdpScan();
  const bytes = ascii(text.replaceAll("\n", "\r\n"));
  scan.scan(bytes, 0, bytes.length);
  return scan;
}

/** The answer to an offer, with LF for CRLF; or the reason for none. */
function answer(offer: string, to: LocalMedia = local): string | number {
  const out = new Uint8Array(4096);
  const end = writeAnswer(scanned(offer), out, 0, to);
  if (end < 0) return end;
  const text = latin1(out, 0, end);
  expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  return text.replaceAll("\r\n", "\n");
}

describe("RFC 3264 s10", () => {
  const bob = (version: number, port: number) =>
    new LocalMedia({
      codecs: [PCMU, codec("G723", 8000)],
      address: "host.example.com",
      username: "bob",
      sessionId: 2890844730,
      version,
      port,
    });
  const bobs = (version: number) =>
    `v=0\no=bob 2890844730 ${version} IN IP4 host.example.com\ns=-\nc=IN IP4 host.example.com\nt=0 0\n`;
  const alice = "v=0\no=alice 2890844526 2890844526 IN IP4 host.anywhere.com\ns=\nc=IN IP4 host.anywhere.com\nt=0 0\n";

  test("s10.1, the basic exchange: audio accepted, both video streams refused in their places", () => {
    const offer =
      "m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 51372 RTP/AVP 31\na=rtpmap:31 H261/90000\n" +
      "m=video 53000 RTP/AVP 32\na=rtpmap:32 MPV/90000\n";
    expect(answer(alice + offer, bob(2890844730, 49920))).toBe(
      `${bobs(2890844730)}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 0 RTP/AVP 31\nm=video 0 RTP/AVP 32\n`,
    );
  });

  test("s10.1, the second offer: a stream of events alone is no codec, and is refused beside the audio", () => {
    const offer =
      "m=audio 65422 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 0 RTP/AVP 31\nm=video 53000 RTP/AVP 32\n" +
      "a=rtpmap:32 MPV/90000\nm=audio 51434 RTP/AVP 110\na=rtpmap:110 telephone-events/8000\na=recvonly\n";
    expect(answer(alice + offer, bob(1, 49920))).toBe(
      `${bobs(1)}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 0 RTP/AVP 31\nm=video 0 RTP/AVP 32\n` +
        "m=audio 0 RTP/AVP 110\n",
    );
  });

  test("s10.2, one of N codecs: the first is chosen and the stream stays inactive", () => {
    const offer =
      "m=audio 62986 RTP/AVP 0 4 18\na=rtpmap:0 PCMU/8000\na=rtpmap:4 G723/8000\na=rtpmap:18 G729/8000\na=inactive\n";
    expect(answer(alice + offer, bob(2890844731, 54344))).toBe(
      `${bobs(2890844731)}m=audio 54344 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=inactive\n`,
    );
  });

  test("s10.2, the updated offer", () => {
    const offer = "m=audio 62986 RTP/AVP 4\na=rtpmap:4 G723/8000\na=sendrecv\n";
    expect(answer(alice + offer, bob(2890844732, 54344))).toBe(
      `${bobs(2890844732)}m=audio 54344 RTP/AVP 4\na=rtpmap:4 G723/8000\na=sendrecv\n`,
    );
  });
});

describe("direction (RFC 3264 s6.1)", () => {
  test.each([
    ["sendonly", "recvonly"],
    ["recvonly", "sendonly"],
    ["inactive", "inactive"],
    ["sendrecv", "sendrecv"],
  ])("%s is answered %s, from the stream or from the session", (offered, answered) => {
    const expected = `${OURS}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=${answered}\n`;
    expect(answer(`${HEAD}m=audio 4000 RTP/AVP 0\na=${offered}\n`)).toBe(expected);
    expect(answer(`${HEAD}a=${offered}\nm=audio 4000 RTP/AVP 0\n`)).toBe(expected);
  });

  test("the old hold of RFC 2543, c=0.0.0.0, is an offer like any other", () => {
    const expected = `${OURS}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n`;
    expect(answer(`${HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")}m=audio 4000 RTP/AVP 0\n`)).toBe(expected);
  });
});

describe("the codec", () => {
  const accepted = (formats: string, attributes: string) => `${OURS}m=audio 49920 RTP/AVP ${formats}\n${attributes}`;

  test.each([
    ["static types by number alone", "0", "", "0", "PCMU/8000"],
    ["PCMA by number", "8 0", "", "8", "PCMA/8000"],
    ["G722 by number", "9 8", "", "9", "G722/8000"],
    ["the offer's order, not ours", "8 0 9", "a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n", "8", "PCMA/8000"],
    ["codecs we lack passed over", "18 3 4 8", "a=rtpmap:18 G729/8000\n", "8", "PCMA/8000"],
    ["a dynamic type by its rtpmap", "96 0", "a=rtpmap:96 opus/48000/2\n", "96", "opus/48000/2"],
    ["the encoding name in any case", "96", "a=rtpmap:96 OPUS/48000/2\n", "96", "opus/48000/2"],
    ["a static codec under a dynamic type", "97", "a=rtpmap:97 pcmu/8000\n", "97", "PCMU/8000"],
    ["one channel, spelled out", "0", "a=rtpmap:0 PCMU/8000/1\n", "0", "PCMU/8000"],
    ["another clock rate is another codec", "96 8", "a=rtpmap:96 PCMU/16000\n", "8", "PCMA/8000"],
    ["opus of one channel is not opus", "96 8", "a=rtpmap:96 opus/48000\n", "8", "PCMA/8000"],
    ["a static number mapped to something else", "0 8", "a=rtpmap:0 SPEEX/8000\n", "8", "PCMA/8000"],
    ["a dynamic type without rtpmap", "96 0", "", "0", "PCMU/8000"],
    ["formats that are no payload types", "x 128 00000 0", "", "0", "PCMU/8000"],
    ["the last of two rtpmap lines", "96", "a=rtpmap:96 X/8000\na=rtpmap:96 PCMA/8000\n", "96", "PCMA/8000"],
  ])("%s", (_, formats, attributes, payload, rtpmap) => {
    expect(answer(`${HEAD}m=audio 4000 RTP/AVP ${formats}\n${attributes}`)).toBe(
      accepted(payload, `a=rtpmap:${payload} ${rtpmap}\n`),
    );
  });

  test("an rtpmap of another stream does not count", () => {
    const offer = `${HEAD}m=audio 1 RTP/AVP 96\na=rtpmap:96 X/8000\nm=audio 2 RTP/AVP 96\n`;
    expect(answer(offer.replace("X/8000", "PCMU/8000"))).toContain("m=audio 0 RTP/AVP 96\n");
    expect(answer(`${offer}m=audio 3 RTP/AVP 97\na=rtpmap:97 PCMA/8000\n`)).toBe(
      `${OURS}m=audio 0 RTP/AVP 96\nm=audio 0 RTP/AVP 96\nm=audio 49920 RTP/AVP 97\na=rtpmap:97 PCMA/8000\n`,
    );
  });

  test("codecs of the operator's choice", () => {
    const g729 = new LocalMedia({ codecs: [codec("g729", 8000)], port: 5000, sessionId: 7, version: 1 });
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0 18\n`, g729)).toBe(
      `${OURS}m=audio 5000 RTP/AVP 18\na=rtpmap:18 g729/8000\n`,
    );
  });
});

describe("telephone events", () => {
  const TE = "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n";

  test("are accepted beside a codec, under the offer's payload type", () => {
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0 8 101\n${TE}a=sendonly\n`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\n${TE}a=recvonly\n`,
    );
  });

  test("come after the codec even if offered before it", () => {
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 101 8\n${TE}`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\n${TE}`,
    );
  });

  test("are no codec by themselves", () => {
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 101\n${TE}`)).toBe(NO_ANSWER.NO_COMMON_CODEC);
  });

  test("must be in the format list, and not only in an rtpmap", () => {
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n${TE}`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n`,
    );
  });

  test("follow the codec's clock where the offer has it, else 8000", () => {
    const opus = "a=rtpmap:96 opus/48000/2\n";
    const wide = "a=rtpmap:110 telephone-event/48000\n";
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 96 101 110\n${opus}${TE}${wide}`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 96 110\n${opus}${wide}a=fmtp:110 0-15\n`,
    );
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 96 101\n${opus}${TE}`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 96 101\n${opus}${TE}`,
    );
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0 110\n${wide}`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n`,
    );
  });

  test("are taken once, as first listed, when offered twice", () => {
    const twice = `${TE}a=rtpmap:102 telephone-event/8000\n`;
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0 101 102\n${twice}`)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\n${TE}`,
    );
  });

  test("can be turned off", () => {
    const without = new LocalMedia({ telephoneEvents: false, port: 49920, sessionId: 7, version: 1 });
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0 101\n${TE}`, without)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n`,
    );
  });
});

describe("streams refused", () => {
  test("only the first audio stream that shares a codec is taken", () => {
    const offer = "m=audio 1 RTP/AVP 18\nm=audio 2 RTP/AVP 8\nm=audio 3 RTP/AVP 0\n";
    expect(answer(HEAD + offer)).toBe(
      `${OURS}m=audio 0 RTP/AVP 18\nm=audio 49920 RTP/AVP 8\na=rtpmap:8 PCMA/8000\nm=audio 0 RTP/AVP 0\n`,
    );
  });

  test("keep media type, protocol and formats, and lose number of ports and attributes", () => {
    const offer =
      "m=video 51372/2 RTP/AVP 31 97\na=rtpmap:97 H264/90000\nm=audio 1 RTP/SAVP 0\nm=audio 2 RTP/AVPF 0\n" +
      "m=image 3 udptl t38\nm=application 4 UDP/DTLS/SCTP webrtc-datachannel\n";
    expect(answer(HEAD + offer)).toBe(
      `${OURS}m=video 0 RTP/AVP 31 97\nm=audio 0 RTP/SAVP 0\nm=audio 49920 RTP/AVPF 0\na=rtpmap:0 PCMU/8000\n` +
        "m=image 0 udptl t38\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\n",
    );
  });

  test("a stream offered with port 0 stays at 0, and the next one is taken", () => {
    expect(answer(`${HEAD}m=audio 0 RTP/AVP 0\nm=audio 2 RTP/AVP 8\n`)).toBe(
      `${OURS}m=audio 0 RTP/AVP 0\nm=audio 49920 RTP/AVP 8\na=rtpmap:8 PCMA/8000\n`,
    );
  });

  test("an offer whose streams all have port 0, or that has none, is answered in kind", () => {
    expect(answer(`${HEAD}m=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 31\n`)).toBe(
      `${OURS}m=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 31\n`,
    );
    expect(answer(HEAD)).toBe(OURS);
  });

  test.each([
    ["IN IP4 233.252.0.1/127", MISMATCH.MULTICAST],
    ["IN IP4 224.0.0.1/1", MISMATCH.MULTICAST],
    ["IN IP6 ff00::db8:0:101", MISMATCH.MULTICAST],
    ["IN IP6 FF15::101/3", MISMATCH.MULTICAST],
  ])("multicast is refused: c=%s", (connection, reason) => {
    const offer = `${HEAD}m=audio 1 RTP/AVP 0\nc=${connection}\n`;
    expect(answer(offer)).toBe(NO_ANSWER.NO_COMMON_CODEC);
    expect(mismatch(scanned(offer))).toBe(reason);
  });

  test.each([
    "IN IP4 223.255.255.1",
    "IN IP4 240.0.0.1",
    "IN IP4 22.4.0.1",
    "IN IP6 ff::1",
    "IN IP6 fe80::1",
    "IN IP4 ff00.example",
  ])("unicast is not: c=%s", (connection) => {
    expect(answer(`${HEAD}m=audio 1 RTP/AVP 0\nc=${connection}\n`)).toContain("m=audio 49920 ");
  });
});

describe("no answer", () => {
  test.each([
    ["no codec in common", "m=audio 1 RTP/AVP 18 4\nm=video 2 RTP/AVP 31\n", MISMATCH.MEDIA_FORMAT],
    ["video alone", "m=video 2 RTP/AVP 0\n", MISMATCH.MEDIA_TYPE],
    [
      "a live stream of video beside a dead one of audio",
      "m=audio 0 RTP/AVP 0\nm=video 2 RTP/AVP 31\n",
      MISMATCH.MEDIA_TYPE,
    ],
    ["audio over SRTP alone", "m=audio 1 RTP/SAVP 0\nm=audio 2 UDP/TLS/RTP/SAVPF 0\n", MISMATCH.TRANSPORT],
    ["SRTP, and RTP without a common codec", "m=audio 1 RTP/SAVP 0\nm=audio 2 RTP/AVP 18\n", MISMATCH.MEDIA_FORMAT],
  ])("%s", (_, offer, warning) => {
    expect(answer(HEAD + offer)).toBe(NO_ANSWER.NO_COMMON_CODEC);
    expect(mismatch(scanned(HEAD + offer))).toBe(warning);
  });

  test("each mismatch in the words of RFC 3261 s20.43", () => {
    expect(Object.values(MISMATCH).map(mismatchText)).toEqual([
      "Incompatible transport protocol",
      "Media type not available",
      "Incompatible media format",
      "Multicast not available",
    ]);
  });

  test("a body at fault", () => {
    expect(answer("m=audio 1 RTP/AVP 0\n")).toBe(NO_ANSWER.MALFORMED);
    expect(answer("")).toBe(NO_ANSWER.MALFORMED);
  });

  test("a buffer that is short by any number of octets, with nothing written past its end", () => {
    const offer = scanned(
      `${HEAD}r=7d 1h 0 25h\nm=audio 1 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\n` +
        "a=rtpmap:101 telephone-event/48000\na=sendonly\nm=video 1 RTP/AVP 31\n",
    );
    const whole = new Uint8Array(1024);
    const length = writeAnswer(offer, whole, 0, local);
    for (const write of [writeAnswer.bind(null, offer), writeOffer]) {
      const needed = write(whole, 0, local);
      expect(needed).toBeGreaterThan(100);
      const arena = new Uint8Array(length + 300);
      for (let room = 0; room < needed; room++) {
        arena.fill(0xee);
        expect(write(arena.subarray(0, room + 3), 3, local)).toBe(NO_ANSWER.NO_ROOM);
        expect(arena.subarray(room + 3).every((octet) => octet === 0xee)).toBe(true);
      }
      expect(write(arena.subarray(0, needed + 3), 3, local)).toBe(needed + 3);
      expect(arena.subarray(3, needed + 3)).toEqual(whole.subarray(0, needed));
      expect([arena[2], arena[needed + 3]]).toEqual([0xee, 0xee]);
    }
  });
});

describe("our side of the session", () => {
  test("t= is the offer's, with its r= and z=, and is 0 0 where the offer has none", () => {
    const times = "t=3034423619 3042462419\nr=7d 1h 0 25h\nt=0 0\nz=2882844526 -1h\n";
    expect(answer(HEAD.replace("t=0 0\n", times.replace("t=0 0\n", "b=AS:64\nt=0 0\n\n")))).toBe(
      OURS.replace("t=0 0\n", times),
    );
    expect(answer(HEAD.replace("t=0 0\n", ""))).toBe(OURS);
  });

  test("an IPv6 address", () => {
    const six = new LocalMedia({ address: "2001:db8::5", port: 6000, sessionId: 7, version: 1 });
    const offer =
      "v=0\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\ns=Live video feed for today's meeting\n" +
      "c=IN IP6 2001:db8::20\nt=3338481189 3370017201\nm=audio 6000 RTP/AVP 2 0\na=rtpmap:2 G726-32/8000\n" +
      "m=video 6024 RTP/AVP 107\na=rtpmap:107 H263-1998/90000\n";
    expect(answer(offer, six)).toBe(
      "v=0\no=- 7 1 IN IP6 2001:db8::5\ns=-\nc=IN IP6 2001:db8::5\nt=3338481189 3370017201\n" +
        "m=audio 6000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 0 RTP/AVP 107\n",
    );
  });

  test("numbers of any size, set anew from call to call", () => {
    const changing = new LocalMedia();
    for (const number of [0, 9, 10, 99_999_999, 100_000_000, 1_000_000_007, 4294967296, Number.MAX_SAFE_INTEGER]) {
      changing.sessionId = number;
      changing.version = number;
      changing.port = 1 + (number % 65535);
      const text = answer(`${HEAD}m=audio 1 RTP/AVP 0\n`, changing);
      expect(text).toContain(`\no=- ${number} ${number} IN IP4 127.0.0.1\n`);
      expect(text).toContain(`\nm=audio ${changing.port} RTP/AVP 0\n`);
    }
  });

  test.each<[string, LocalMediaOptions]>([
    ["an address in brackets", { address: "[::1]" }],
    ["no address", { address: "" }],
    ["an address of two lines", { address: "h\r\na=x" }],
    ["a user name of two words", { username: "two words" }],
    ["port 0", { port: 0 }],
    ["port 65536", { port: 65536 }],
    ["half a port", { port: 1.5 }],
    ["a negative session id", { sessionId: -1 }],
    ["a version of 2^53", { version: 2 ** 53 }],
    ["nothing to offer", { offered: [] }],
    ["telephone events as a codec", { codecs: [codec("Telephone-Event", 8000)] }],
  ])("%s is refused", (_, options) => {
    expect(() => new LocalMedia(options)).toThrow(RangeError);
  });

  test.each([
    ["", 8000, 1],
    ["a b", 8000, 1],
    ["X/8000", 8000, 1],
    ["X", 0, 1],
    ["X", 8000, 1.5],
  ])("codec %p of %d Hz and %d channels is refused", (name, clock, channels) => {
    expect(() => codec(name, clock, channels)).toThrow(RangeError);
  });
});

describe("an offer of ours", () => {
  const offer = (from: LocalMedia) => {
    const out = new Uint8Array(1024);
    return latin1(out, 0, writeOffer(out, 0, from)).replaceAll("\r\n", "\n");
  };

  test("PCMU, PCMA and telephone events", () => {
    expect(offer(local)).toBe(
      `${OURS}m=audio 49920 RTP/AVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n` +
        "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n",
    );
  });

  test("other codecs, dynamic ones numbered from 96 around the events' 101", () => {
    const many = Array.from({ length: 6 }, (_, i) => codec(`X${i}`, 8000));
    const text = offer(new LocalMedia({ codecs: [OPUS, G722, ...many] }));
    expect(text).toContain("m=audio 9 RTP/AVP 96 9 97 98 99 100 102 103 101\na=rtpmap:96 opus/48000/2\n");
  });

  test("is answered by ourselves with its first codec", () => {
    expect(answer(offer(new LocalMedia({ offered: [PCMA, PCMU] })))).toBe(
      `${OURS}m=audio 49920 RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n`,
    );
  });
});
