import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ascii, latin1 } from "../../src/message/bytes.ts";
import { FAULT, type Fault, faultText } from "../../src/sdp/fault.ts";
import { ADDRESS_TYPE, DIRECTION, MEDIA_KIND, PROTO } from "../../src/sdp/kinds.ts";
import { MAX_MEDIA, MAX_RTPMAPS, SdpScan } from "../../src/sdp/scan.ts";

const crlf = (text: string): Uint8Array => ascii(text.replaceAll("\n", "\r\n"));

function scanned(text: string): SdpScan {
  const scan = new SdpScan();
  const bytes = crlf(text);
  expect(scan.scan(bytes, 0, bytes.length)).toBe(FAULT.NONE);
  return scan;
}

function faultOf(text: string): Fault {
  const scan = new SdpScan();
  const bytes = crlf(text);
  return scan.scan(bytes, 0, bytes.length);
}

const address = (scan: SdpScan, i: number) => latin1(scan.bytes, scan.addressStart(i), scan.addressEnd(i));
const formats = (scan: SdpScan, i: number) => latin1(scan.bytes, scan.formatsStart(i), scan.formatsEnd(i));
const encoding = (scan: SdpScan, i: number) => latin1(scan.bytes, scan.encodingStart(i), scan.encodingEnd(i));
const rtpmaps = (scan: SdpScan, i: number) =>
  Array.from({ length: scan.rtpmapEnd(i) - scan.rtpmapFirst(i) }, (_, k) => {
    const row = scan.rtpmapFirst(i) + k;
    return `${scan.payload(row)} ${encoding(scan, row)}/${scan.clock(row)}/${scan.channels(row)}`;
  });

const HEAD = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";

describe("what a scan finds", () => {
  test("RFC 3264 s10.1: streams, ports, formats and rtpmap lines, each under its own m= line", () => {
    const scan = scanned(
      "v=0\no=alice 2890844526 2890844526 IN IP4 host.anywhere.com\ns=\nc=IN IP4 host.anywhere.com\nt=0 0\n" +
        "m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 51372 RTP/AVP 31\na=rtpmap:31 H261/90000\n" +
        "m=video 53000 RTP/AVP 32\na=rtpmap:32 MPV/90000\n",
    );
    expect(scan.mediaCount).toBe(3);
    expect([0, 1, 2].map((i) => scan.kind(i))).toEqual([MEDIA_KIND.AUDIO, MEDIA_KIND.VIDEO, MEDIA_KIND.VIDEO]);
    expect([0, 1, 2].map((i) => scan.port(i))).toEqual([49170, 51372, 53000]);
    expect([0, 1, 2].map((i) => formats(scan, i))).toEqual(["0", "31", "32"]);
    expect([0, 1, 2].map((i) => rtpmaps(scan, i))).toEqual([
      ["0 PCMU/8000/1"],
      ["31 H261/90000/1"],
      ["32 MPV/90000/1"],
    ]);
    expect(address(scan, 2)).toBe("host.anywhere.com");
    expect(latin1(scan.bytes, scan.originStart, scan.originEnd)).toBe(
      "alice 2890844526 2890844526 IN IP4 host.anywhere.com",
    );
    expect(latin1(scan.bytes, scan.timesStart, scan.timesEnd)).toBe("t=0 0");
  });

  test("RFC 5118 s4.8: each stream's own c= line, IPv4 and IPv6 mixed, none for the session", () => {
    const scan = scanned(
      "v=0\no=bob 280744730 28977631 IN IP4 host.example.com\ns=\nt=0 0\nm=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.1\n" +
        "m=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\na=rtpmap:107 H263-1998/90000\n",
    );
    expect([scan.addressType(0), scan.addressType(1)]).toEqual([ADDRESS_TYPE.IP4, ADDRESS_TYPE.IP6]);
    expect([address(scan, 0), address(scan, 1)]).toEqual(["192.0.2.1", "2001:db8::1"]);
  });

  test("RFC 5118 s4.9: an IPv4-mapped IPv6 address", () => {
    const scan = scanned(
      "v=0\no=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2\ns=Call me soon, please!\n" +
        "c=IN IP6 ::ffff:192.0.2.2\nt=3338481189 3370017201\nm=audio 6000 RTP/AVP 2\na=rtpmap:2 G726-32/8000\n",
    );
    expect(scan.addressType(0)).toBe(ADDRESS_TYPE.IP6);
    expect(address(scan, 0)).toBe("::ffff:192.0.2.2");
    expect(latin1(scan.bytes, scan.timesStart, scan.timesEnd)).toBe("t=3338481189 3370017201");
  });

  test("RFC 4475 mismatch02: no s=, no t=, an rtpmap without a clock rate", () => {
    const scan = scanned(
      "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\nm=audio 49217 RTP/AVP 0 12\n" +
        "m=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n",
    );
    expect(formats(scan, 0)).toBe("0 12");
    expect(rtpmaps(scan, 1)).toEqual(["31 LPC/0/1"]);
    expect(scan.timesStart).toBe(scan.timesEnd);
  });

  test("a stream's direction over the session's, the session's for the others", () => {
    const scan = scanned(
      `${HEAD}a=sendonly\nm=audio 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0\na=inactive\nm=audio 3 RTP/AVP 0\n`,
    );
    expect([0, 1, 2].map((i) => scan.direction(i))).toEqual([
      DIRECTION.SENDONLY,
      DIRECTION.INACTIVE,
      DIRECTION.SENDONLY,
    ]);
  });

  test("all four directions, and attributes that only look like one", () => {
    const lines = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive", "a=inactively", "a=INACTIVE", "a=ptime:20"];
    const scan = scanned(HEAD + lines.map((line) => `m=audio 1 RTP/AVP 0\n${line}\n`).join(""));
    expect(lines.map((_, i) => scan.direction(i))).toEqual([
      DIRECTION.SENDRECV,
      DIRECTION.SENDONLY,
      DIRECTION.RECVONLY,
      DIRECTION.INACTIVE,
      DIRECTION.UNSTATED,
      DIRECTION.UNSTATED,
      DIRECTION.UNSTATED,
    ]);
  });

  test("transport protocols, media types in any case, and a number of ports", () => {
    const scan = scanned(
      `${HEAD}m=Audio 1 rtp/avp 0\nm=audio 2 RTP/AVPF 0\nm=audio 3 RTP/SAVP 0\nm=audio 4 RTP/SAVPF 0\n` +
        "m=image 5 udptl t38\nm=application 6/2 UDP/BFCP *\nm=hologram 7 x y\n",
    );
    expect(Array.from({ length: 7 }, (_, i) => scan.proto(i))).toEqual([
      PROTO.RTP_AVP,
      PROTO.RTP_AVPF,
      PROTO.RTP_SAVP,
      PROTO.RTP_SAVPF,
      PROTO.OTHER,
      PROTO.OTHER,
      PROTO.OTHER,
    ]);
    expect([0, 4, 5, 6].map((i) => scan.kind(i))).toEqual([
      MEDIA_KIND.AUDIO,
      MEDIA_KIND.IMAGE,
      MEDIA_KIND.APPLICATION,
      MEDIA_KIND.OTHER,
    ]);
    expect([scan.portCount(4), scan.portCount(5)]).toEqual([1, 2]);
  });

  test("channels of an rtpmap, and ill-formed rtpmap lines skipped", () => {
    const scan = scanned(
      `${HEAD}m=audio 1 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:128 X/8000\na=rtpmap:1000 X/8000\n` +
        "a=rtpmap: X/8000\na=rtpmap:97\na=rtpmap:97 /8000\na=rtpmap:97 X/80k\na=rtpmap:97 X/8000/0\n" +
        "a=rtpmap:97 X/4294967295\na=rtpmap:97\tX/8000\na=rtpmap:97 Y/8000\n",
    );
    expect(rtpmaps(scan, 0)).toEqual(["96 opus/48000/2", "97 Y/8000/1"]);
  });

  test("an rtpmap above the first m= line belongs to no stream", () => {
    expect(scanned(`${HEAD}a=rtpmap:0 PCMU/8000\nm=audio 1 RTP/AVP 0\n`).rtpmapCount).toBe(0);
  });

  test("a body in the middle of a buffer, and a scan used again after a longer body", () => {
    const scan = scanned(`${HEAD}a=inactive\n${"m=audio 1 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n".repeat(5)}`);
    const bytes = crlf(`m=audio 9 RTP/AVP 9\nXX${HEAD}m=audio 7 RTP/AVP 8\nm=video 1 RTP/AVP 9\n`);
    const start = bytes.indexOf(0x58) + 2;
    const end = bytes.length - "m=video 1 RTP/AVP 9\r\n".length;
    expect(scan.scan(bytes, start, end)).toBe(FAULT.NONE);
    expect([scan.mediaCount, scan.rtpmapCount, scan.port(0)]).toEqual([1, 0, 7]);
    expect([scan.direction(0), scan.rtpmapEnd(0) - scan.rtpmapFirst(0)]).toEqual([DIRECTION.UNSTATED, 0]);
  });

  test("nothing after the end of the body is read, though the buffer goes on", () => {
    const scan = new SdpScan();
    const bytes = crlf(`${HEAD}m=audio 1 RTP/AVP 0 8\na=sendonly\n`);
    expect(scan.scan(bytes, 0, bytes.length - 3)).toBe(FAULT.NONE);
    expect(scan.direction(0)).toBe(DIRECTION.UNSTATED);
    expect(scan.scan(bytes, 0, bytes.length - "8\r\na=sendonly\r\n".length)).toBe(FAULT.NONE);
    expect(formats(scan, 0)).toBe("0");
    expect(scan.scan(crlf("v=0\n"), 0, 2)).toBe(FAULT.VERSION);
  });

  test("more rtpmap lines than the first table holds are all kept", () => {
    const scan = scanned(`${HEAD}m=video 1 RTP/AVP 96\n${"a=rtpmap:96 VP8/90000\n".repeat(300)}a=rtpmap:97 X/1\n`);
    expect(scan.rtpmapCount).toBe(301);
    expect(rtpmaps(scan, 0)[0]).toBe("96 VP8/90000/1");
    expect(rtpmaps(scan, 0)[300]).toBe("97 X/1/1");
  });
});

describe("what phones get away with", () => {
  const same = (text: string) => {
    const scan = new SdpScan();
    const bytes = ascii(text);
    expect(scan.scan(bytes, 0, bytes.length)).toBe(FAULT.NONE);
    return [
      scan.mediaCount,
      scan.port(0),
      formats(scan, 0).split(/ +/),
      address(scan, 0),
      scan.direction(0),
      rtpmaps(scan, 0),
    ];
  };
  const plain = `${HEAD}m=audio 4000 RTP/AVP 0 8\na=rtpmap:8 PCMA/8000\na=recvonly`;
  const expected = [1, 4000, ["0", "8"], "192.0.2.1", DIRECTION.RECVONLY, ["8 PCMA/8000/1"]];

  test.each([
    ["LF alone, last line unended", plain],
    ["LF alone", `${plain}\n`],
    ["CRLF", `${plain}\n`.replaceAll("\n", "\r\n")],
    ["CRLF, last line ended by CR", `${plain.replaceAll("\n", "\r\n")}\r`],
    ["blank lines within and after", `${plain.replaceAll("\n", "\r\n\r\n")}\r\n\r\n\n`],
    ["trailing spaces", `${plain}\n`.replaceAll("\n", "  \r\n")],
    ["several spaces between fields", plain.replaceAll(" ", "   ")],
    ["lines of unknown types, b= and k= anywhere", plain.replaceAll("\n", "\nx=\nb=AS:64\nk=prompt\ny=1\n")],
    ["a user name of two words", plain.replace("o=-", "o=two words")],
    ["c= after t=", plain.replace("c=IN IP4 192.0.2.1\nt=0 0\n", "t=0 0\nc=IN IP4 192.0.2.1\n")],
  ])("%s", (_, text) => {
    expect(same(text)).toEqual(expected);
  });

  test("no c= for a stream that is not wanted", () => {
    expect(faultOf("v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\nm=audio 0 RTP/AVP 0\n")).toBe(FAULT.NONE);
  });
});

describe("faults", () => {
  const media = (line: string) => `${HEAD}${line}\n`;
  test.each<[string, string, Fault]>([
    ["nothing", "", FAULT.EMPTY],
    ["blank lines only", "\n\n", FAULT.EMPTY],
    ["not a session description", "hello\n", FAULT.LINE],
    ["a line of one letter", "v", FAULT.LINE],
    ["a line that begins with a space", `${HEAD} m=audio 1 RTP/AVP 0\n`, FAULT.LINE],
    ["v= not first", "o=- 1 1 IN IP4 h\nv=0\n", FAULT.VERSION],
    ["version 1", HEAD.replace("v=0", "v=1"), FAULT.VERSION],
    ["version 00", HEAD.replace("v=0", "v=00"), FAULT.VERSION],
    ["v= empty at the end", "v=", FAULT.VERSION],
    ["o= missing", HEAD.replace(/o=.*\n/, ""), FAULT.ORIGIN],
    ["o= with five fields", HEAD.replace("o=- 1 1", "o=- 1"), FAULT.ORIGIN],
    ["v= alone", "v=0\n", FAULT.ORIGIN],
    ["v= twice", `${HEAD}v=0\n`, FAULT.ORDER],
    ["a second session description", HEAD + HEAD, FAULT.ORDER],
    ["s= twice", HEAD.replace("s=-\n", "s=-\ns=-\n"), FAULT.ORDER],
    ["s= after t=", HEAD.replace("s=-\n", "").replace("t=0 0\n", "t=0 0\ns=-\n"), FAULT.ORDER],
    ["o= after s=", `v=0\ns=-\no=- 1 1 IN IP4 h\n`, FAULT.ORIGIN],
    ["t= after m=", `${HEAD}m=audio 1 RTP/AVP 0\nt=0 0\n`, FAULT.ORDER],
    ["t= of one number", HEAD.replace("t=0 0", "t=0"), FAULT.TIME],
    ["t= of words", HEAD.replace("t=0 0", "t=now then"), FAULT.TIME],
    ["t= of three numbers", HEAD.replace("t=0 0", "t=0 0 0"), FAULT.TIME],
    ["a NUL in r=", `${HEAD}r=7d\u0000 1h 0\n`, FAULT.TIME],
    ["c= of two fields", HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4"), FAULT.CONNECTION],
    ["c= of four fields", HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1 x"), FAULT.CONNECTION],
    ["no c= for a stream", "v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\nm=audio 1 RTP/AVP 0\n", FAULT.UNCONNECTED],
    ["m= empty", media("m="), FAULT.MEDIA],
    ["m= without formats", media("m=audio 1 RTP/AVP"), FAULT.MEDIA],
    ["m= without formats but a space", media("m=audio 1 RTP/AVP "), FAULT.MEDIA],
    ["m= that begins with a space", media("m= audio 1 RTP/AVP 0"), FAULT.MEDIA],
    ["m= with tabs", media("m=audio\t1 RTP/AVP 0"), FAULT.MEDIA],
    ["m= with a NUL among its formats", media("m=audio 1 RTP/AVP 0\u00008"), FAULT.MEDIA],
    ["a port of letters", media("m=audio x RTP/AVP 0"), FAULT.PORT],
    ["a negative port", media("m=audio -1 RTP/AVP 0"), FAULT.PORT],
    ["port 65536", media("m=audio 65536 RTP/AVP 0"), FAULT.PORT],
    ["no number of ports after the slash", media("m=audio 1/ RTP/AVP 0"), FAULT.PORT],
    ["0 ports", media("m=audio 1/0 RTP/AVP 0"), FAULT.PORT],
    ["one m= line too many", HEAD + "m=audio 1 RTP/AVP 0\n".repeat(MAX_MEDIA + 1), FAULT.TOO_MANY_MEDIA],
    [
      "one rtpmap line too many",
      `${HEAD}m=audio 1 RTP/AVP 0\n${"a=rtpmap:0 PCMU/8000\n".repeat(MAX_RTPMAPS + 1)}`,
      FAULT.TOO_MANY_RTPMAPS,
    ],
  ])("%s", (_, text, fault) => {
    expect(faultOf(text)).toBe(fault);
  });

  test("as many streams and rtpmap lines as a scan holds", () => {
    expect(faultOf(HEAD + "m=audio 1 RTP/AVP 0\n".repeat(MAX_MEDIA))).toBe(FAULT.NONE);
    expect(faultOf(`${HEAD}m=audio 1 RTP/AVP 0\n${"a=rtpmap:0 X/1\n".repeat(MAX_RTPMAPS)}`)).toBe(FAULT.NONE);
  });

  test("faultAt is where the line at fault begins", () => {
    const scan = new SdpScan();
    const bytes = crlf(`${HEAD}m=audio 1 RTP/AVP 0\nm=video x RTP/AVP 31\n`);
    scan.scan(bytes, 0, bytes.length);
    expect(latin1(bytes, scan.faultAt, scan.faultAt + 9)).toBe("m=video x");
  });

  test("every fault has words for a reason phrase of its own", () => {
    const texts = Object.values(FAULT).map(faultText);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of texts) expect(text).toMatch(/^[A-Z][ -~]+$/);
  });
});

describe("hostile bodies", () => {
  const within = (scan: SdpScan, start: number, end: number) => {
    const ranges: [number, number][] = [];
    for (let i = 0; i < scan.mediaCount; i++) {
      ranges.push([scan.nameStart(i), scan.nameEnd(i)], [scan.protoStart(i), scan.protoEnd(i)]);
      ranges.push([scan.formatsStart(i), scan.formatsEnd(i)]);
      if (scan.addressType(i) !== ADDRESS_TYPE.NONE) ranges.push([scan.addressStart(i), scan.addressEnd(i)]);
      for (let k = scan.rtpmapFirst(i); k < scan.rtpmapEnd(i); k++) {
        ranges.push([scan.encodingStart(k), scan.encodingEnd(k)]);
        expect(scan.payload(k)).toBeWithin(0, 128);
      }
    }
    for (const [from, to] of ranges) {
      expect(from).toBeGreaterThanOrEqual(start);
      expect(to).toBeGreaterThan(from);
      expect(to).toBeLessThanOrEqual(end);
    }
  };

  test("any octets: no exception, and an accepted body's ranges lie within it", () => {
    const scan = new SdpScan();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(20), (tail, skip) => {
        const head = crlf(HEAD);
        const bytes = new Uint8Array(skip + head.length + tail.length + 30).fill(0x61);
        bytes.set(head, skip);
        bytes.set(tail, skip + head.length);
        const end = skip + head.length + tail.length;
        if (scan.scan(bytes, skip, end) === FAULT.NONE) within(scan, skip, end);
        scan.scan(tail, 0, tail.length);
      }),
    );
  });

  test("a body cut at any octet, or with one octet changed, is scanned without an exception", () => {
    const scan = new SdpScan();
    const whole = crlf(`${HEAD}m=audio 4000/2 RTP/AVP 0 96\na=rtpmap:96 opus/48000/2\na=sendonly\nc=IN IP6 ::1\n`);
    let accepted = 0;
    for (let cut = 0; cut <= whole.length; cut++) {
      if (scan.scan(whole, 0, cut) !== FAULT.NONE) continue;
      within(scan, 0, cut);
      accepted++;
    }
    expect(accepted).toBeGreaterThan(40);
    for (let at = 0; at < whole.length; at++) {
      for (const octet of [0, 9, 10, 13, 32, 47, 48, 58, 61, 0x6d, 255]) {
        const bytes = whole.slice();
        bytes[at] = octet;
        if (scan.scan(bytes, 0, bytes.length) === FAULT.NONE) within(scan, 0, bytes.length);
      }
    }
  });
});
