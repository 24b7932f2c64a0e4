import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ViaTransport, viasOf } from "../../src/message/via.ts";
import { corpus } from "../support/fixtures.ts";
import { scanned } from "../support/scan.ts";
import { looseFields, viaParts } from "../support/sip-text.ts";

/** A message with these Via lines. */
function withVias(...values: string[]): ReturnType<typeof scanned> {
  const vias = values.map((value) => `Via: ${value}\r\n`).join("");
  return scanned(
    `OPTIONS sip:b@example.com SIP/2.0\r\n${vias}From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\n` +
      "Call-ID: c1\r\nCSeq: 1 OPTIONS\r\n\r\n",
  );
}

const BARE = { port: undefined, branch: undefined, received: undefined, rport: undefined };

describe("viasOf", () => {
  test("reads transport, sent-by and the parameters that matter", () => {
    const { message } = withVias("SIP/2.0/UDP 192.0.2.1:5070;rport=1234;x=y;received=192.0.2.9;branch=z9hG4bK1;lone");
    expect(viasOf(message)).toEqual([
      {
        transport: ViaTransport.UDP,
        host: "192.0.2.1",
        port: 5070,
        branch: "z9hG4bK1",
        received: "192.0.2.9",
        rport: 1234,
      },
    ]);
  });

  test("reads them in any order and case, with white space and folds wherever they may stand", () => {
    const { message } = withVias(
      "SIP  /   2.0\r\n /UDP\r\n    192.0.2.2\t:\r\n 5060 ; BRANCH\r\n =\r\n 390skdjuw ;\r\n Rport ; ReceiveD = 1::2",
    );
    expect(message.fault).toBe(0);
    expect(viasOf(message)).toEqual([
      {
        transport: ViaTransport.UDP,
        host: "192.0.2.2",
        port: 5060,
        branch: "390skdjuw",
        received: "1::2",
        rport: true,
      },
    ]);
  });

  test("keeps the order over lines and commas", () => {
    const { message } = withVias('SIP/2.0/UDP a, SIP/2.0/TCP b:1;x="c,d" ,\r\n SIP/2.0/TLS c', "SIP/2.0/WS d");
    expect(viasOf(message).map(({ host, port, transport }) => [host, port, transport])).toEqual([
      ["a", undefined, ViaTransport.UDP],
      ["b", 1, ViaTransport.TCP],
      ["c", undefined, ViaTransport.TLS],
      ["d", undefined, ViaTransport.WS],
    ]);
  });

  test("knows the transports in any case, and takes others", () => {
    const names = ["udp", "Tcp", "TLS", "ws", "WSS", "sctp", "UNKNOWN", "UDPX", "U"];
    const { message } = withVias(...names.map((name) => `SIP/2.0/${name} h`));
    expect(viasOf(message).map(({ transport }) => transport)).toEqual([
      ViaTransport.UDP,
      ViaTransport.TCP,
      ViaTransport.TLS,
      ViaTransport.WS,
      ViaTransport.WSS,
      ViaTransport.SCTP,
      ViaTransport.Other,
      ViaTransport.Other,
      ViaTransport.Other,
    ]);
  });

  test("an IPv6 reference keeps its brackets", () => {
    for (const [value, host, port] of [
      ["SIP/2.0/UDP [2001:db8::9:1]", "[2001:db8::9:1]", undefined],
      ["SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19", "[::ffff:192.0.2.10]", 19823],
    ] as const) {
      expect(viasOf(withVias(value).message)).toMatchObject([{ host, port }]);
    }
  });

  test("received may be a bare IPv6 address or one in brackets (RFC 5118 s4.5)", () => {
    for (const received of ["2001:db8::9:255", "[2001:db8::9:255]"]) {
      const { message } = withVias(`SIP/2.0/UDP [2001:db8::9:1];received=${received};branch=z9hG4bKas3`);
      expect(viasOf(message)).toMatchObject([{ received, branch: "z9hG4bKas3" }]);
    }
  });

  test("parameters that only look alike are others", () => {
    const { message } = withVias('SIP/2.0/UDP h;branchx=1;xbranch=2;rports;receive=3;x=";branch=4"');
    expect(viasOf(message)).toEqual([{ transport: ViaTransport.UDP, host: "h", ...BARE }]);
  });

  test("agrees with a reader of text on every Via of the RFCs' examples", () => {
    let read = 0;
    for (const { name, bytes } of corpus()) {
      const { message } = scanned(bytes);
      // RFC 3428 has an empty parameter in the second Via of txt-0462.
      if (message.fault !== 0 || name === "txt-0462") continue;
      const expected = looseFields(bytes)
        .filter(([field]) => field === "via")
        .flatMap(([, value]) => value.split(","))
        .map(viaParts)
        .map(({ sentBy, params }) => {
          const [, host, port] = /^SIP\/2\.0\/\S+ (\[.*\]|[^:]*)(?::(\d+))?$/.exec(sentBy)!;
          const { branch, received } = Object.fromEntries(params) as Record<string, string>;
          return { host: host!, port: port === undefined ? undefined : Number(port), branch, received };
        });
      const vias = viasOf(message).map(({ host, port, branch, received }) => ({ host, port, branch, received }));
      expect([name, vias]).toEqual([name, expected]);
      read += vias.length;
    }
    expect(read).toBeGreaterThan(600);
  });
});

describe("a malformed top Via", () => {
  test("tells where to answer once its sent-by is read", () => {
    for (const value of [
      "SIP/2.0/UDP 192.0.2.15;;,;,,",
      "SIP/2.0/UDP h;branch",
      "SIP/2.0/UDP h;branch=",
      "SIP/2.0/UDP h;maddr",
      "SIP/2.0/UDP h:",
      "SIP/2.0/UDP h:x",
      "SIP/2.0/UDP h:65536",
      "SIP/2.0/UDP h i",
      'SIP/2.0/UDP h;x="y',
    ]) {
      const { message, answerable } = withVias(value);
      expect([value, message.faultText, answerable]).toEqual([value, "Malformed Via", true]);
    }
  });

  test("tells nothing when there is no sent-by", () => {
    for (const value of [
      "",
      "SIP",
      "SIP/2.0",
      "SIP/2.0/",
      "SIP/2.0/UDP",
      "SIP/2.0/UDP ",
      "SIP/2.0/UDP ;branch=x",
      "SIP/2.0/UDP :5060",
      "SIP/2.0 UDP h",
      "SIP/2.0/UDP p1@visited.net",
      "SIP/2.0/UDP [::1",
      "/2.0/UDP h",
    ]) {
      const { message, answerable } = withVias(value);
      expect([value, message.faultText, answerable]).toEqual([value, "Malformed Via", false]);
    }
  });

  test("names no parameter twice that matters (RFC 3261 s7.3.1)", () => {
    for (const twice of [
      "branch=a;branch=b",
      "received=1.1.1.1;received=2.2.2.2",
      "rport;rport=5",
      "maddr=h;x;MADDR=i",
    ]) {
      const { message, answerable } = withVias(`SIP/2.0/UDP h;${twice}`);
      expect([twice, message.faultText, answerable]).toEqual([twice, "Malformed Via", true]);
    }
    expect(withVias("SIP/2.0/UDP h;x;x;branch=a").message.fault).toBe(0);
  });

  test("below the top nothing is looked at until it is asked for; the list ends before what is malformed", () => {
    const { message } = withVias("SIP/2.0/UDP a", "SIP/2.0/UDP b;;", "SIP/2.0/UDP c");
    expect(message.fault).toBe(0);
    expect(viasOf(message).map(({ host }) => host)).toEqual(["a"]);
  });
});

test("a Via written of any parts is read as them", () => {
  const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,12}$/);
  const space = fc.constantFrom("", " ", "\t", "\r\n ", " \r\n\t");
  const some = fc.constantFrom(" ", "\t", "\r\n ");
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
    fc.domain(),
  );
  const port = fc.option(fc.nat(65535), { nil: undefined });
  const shape = fc.record({
    transport: token,
    host,
    port,
    branch: fc.option(token, { nil: undefined }),
    received: fc.option(fc.oneof(fc.ipV4(), fc.ipV6()), { nil: undefined }),
    rport: fc.option(fc.oneof(fc.constant(true as const), fc.nat(65535)), { nil: undefined }),
    spaces: fc.array(space, { minLength: 12, maxLength: 12 }),
    gap: some,
  });
  fc.assert(
    fc.property(fc.array(shape, { minLength: 1, maxLength: 4 }), (shapes) => {
      const values = shapes.map(({ transport, host, port, branch, received, rport, spaces, gap }) => {
        const [a, b, c, d, e, f, g, h, i, j, k, l] = spaces;
        const at = port === undefined ? "" : `${e}:${f}${port}`;
        const params = [
          branch === undefined ? "" : `${g};${h}branch${i}=${j}${branch}`,
          received === undefined ? "" : `${h};${i}received=${received}`,
          rport === undefined ? "" : rport === true ? `${k};rport` : `${k};${l}RPORT=${rport}`,
        ];
        return `SIP${a}/${b}2.0${c}/${d}${transport}${gap}${host}${at}${params.join("")}`;
      });
      const expected = shapes.map(({ host, port, branch, received, rport }) => ({
        host,
        port,
        branch,
        received,
        rport,
      }));
      const { message } = withVias(values.join(","));
      const read = viasOf(message).map(({ transport, ...rest }) => rest);
      expect(read).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
