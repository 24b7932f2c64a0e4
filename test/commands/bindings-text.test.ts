/** Registrations as people and programs read them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bindingText, jsonLine, octetsOf, spanText, tableText, wordsOf } from "../../src/commands/bindings-text.ts";
import { BindingFlag } from "../../src/location/row.ts";
import { bindingRow } from "../support/registrations.ts";

const NOW = 1_800_000_000;

test.each([
  [0, "0 seconds"],
  [1, "1 second"],
  [119, "119 seconds"],
  [120, "2 minutes"],
  [3540, "59 minutes"],
  [7199, "119 minutes"],
  [7200, "2 hours"],
  [172_799, "47 hours"],
  [172_800, "2 days"],
  [31_536_000, "365 days"],
])("%d seconds are %s", (seconds, words) => {
  expect(spanText(seconds)).toBe(words);
});

describe("the table", () => {
  test("has a line each, by address and then the best first, in columns", () => {
    const rows = [
      bindingRow({ aor: "sip:carol@example.com", contact: "sip:carol@192.0.2.9", received: "", userAgent: "" }, NOW),
      bindingRow({ q: 500, contact: "sip:bob@192.0.2.5", expires: NOW + 59 }, NOW),
      bindingRow({}, NOW),
    ];
    expect(tableText(rows, { now: NOW }).split("\n")).toEqual([
      "ADDRESS                CONTACT                 EXPIRES        Q    FROM                USER AGENT",
      "sip:bob@example.com    sip:bob@192.0.2.4:5060  in 60 minutes  1    udp:192.0.2.4:5060  Phone/1",
      "sip:bob@example.com    sip:bob@192.0.2.5       in 59 seconds  0.5  udp:192.0.2.4:5060  Phone/1",
      "sip:carol@example.com  sip:carol@192.0.2.9     in 60 minutes  1",
    ]);
  });

  test("moves no cursor, whatever somebody has put into a store", () => {
    const odd = "\x1b[2J\x9b";
    const texts = { aor: `sip:${odd}@x`, contact: `sip:${odd}`, received: odd, userAgent: odd };
    expect(tableText([bindingRow(texts, NOW)], { now: NOW })).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  test("goes on without the names of its columns", () => {
    const rows = Array.from({ length: 200_000 }, () => bindingRow({}, NOW));
    const lines = tableText(rows, { isFirst: false, now: NOW }).split("\n");
    expect(lines).toHaveLength(rows.length);
    expect(lines[0]).toStartWith("sip:bob@example.com  sip:bob@192.0.2.4:5060  in 60 minutes  ");
  });

  test("cuts what is too long, and shows UTF-8 as it is meant", () => {
    const row = bindingRow({ contact: `sip:${"x".repeat(200)}@192.0.2.4`, userAgent: octetsOf("Tëlefon") }, NOW);
    const line = tableText([row], { now: NOW }).split("\n")[1]!;
    expect(line).toContain(`sip:${"x".repeat(53)}...  in 60`);
    expect(line).toEndWith("Tëlefon");
  });

  test("of whatever came from the network has no controls", () => {
    const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(octets, octets, octets, (contact, userAgent, name) => {
        const row = bindingRow({ contact, userAgent, name, params: name, callId: contact }, NOW);
        expect(tableText([row], { now: NOW }).split("\n")).toHaveLength(2);
        const lines = `${tableText([row], { now: NOW })}\n${bindingText(row.aor, [row], NOW)}`.split("\n");
        for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(JSON.parse(jsonLine(row, NOW))).toMatchObject({ aor: row.aor });
      }),
    );
  });
});

test("one address in full leaves out what there is not, and says what is the matter", () => {
  const row = bindingRow(
    {
      name: "Bob",
      path: "<sip:edge.example.com;lr>",
      instance: "<urn:uuid:1>",
      regId: 1,
      q: 700,
      flags: BindingFlag.Nat | BindingFlag.FlowLost,
    },
    NOW,
  );
  expect(bindingText(row.aor, [row, bindingRow({}, NOW)], NOW)).toBe(`sip:bob@example.com: 2 contacts

  Bob <sip:bob@192.0.2.4:5060>
    expires     in 60 minutes, 2027-01-15T09:00:00Z
    registered  60 seconds ago, 2027-01-15T07:59:00Z
    q           0.7
    from        udp:192.0.2.4:5060
    path        <sip:edge.example.com;lr>
    instance    <urn:uuid:1>
    reg-id      1
    user agent  Phone/1
    Call-ID     c1@192.0.2.4
    CSeq        7
    state       behind a NAT, its connection is gone

  sip:bob@192.0.2.4:5060
    expires     in 60 minutes, 2027-01-15T09:00:00Z
    registered  60 seconds ago, 2027-01-15T07:59:00Z
    q           1
    from        udp:192.0.2.4:5060
    user agent  Phone/1
    Call-ID     c1@192.0.2.4
    CSeq        7`);
});

test("a JSON line has everything, times as RFC 3339 and seconds", () => {
  expect(JSON.parse(jsonLine(bindingRow({ flags: BindingFlag.Silent }, NOW), NOW + 100))).toEqual({
    aor: "sip:bob@example.com",
    contact: "sip:bob@192.0.2.4:5060",
    name: "",
    q: 1,
    expires: "2027-01-15T09:00:00Z",
    expiresIn: 3500,
    updated: "2027-01-15T07:59:00Z",
    params: "",
    instance: "",
    regId: 0,
    path: "",
    received: "udp:192.0.2.4:5060",
    userAgent: "Phone/1",
    callId: "c1@192.0.2.4",
    cseq: 7,
    isBehindNat: false,
    isFlowOnly: false,
    isFlowLost: false,
    isSilent: true,
  });
});

test("of what was just registered for an hour, an hour is left and no more", () => {
  // Times of bindings are rounded up.
  const row = bindingRow({}, Math.ceil(Date.now() / 1000));
  expect(JSON.parse(jsonLine(row)).expiresIn).toBeLessThanOrEqual(3600);
});

test("octets that are no UTF-8 are shown one by one", () => {
  expect(wordsOf("\xe4\xc3")).toBe("äÃ");
  expect(wordsOf("\x1b[2J")).toBe("\\x1b[2J");
});
