import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { aorOf, MAX_AOR, writeAor } from "../../src/message/aor.ts";
import { bytesOf } from "../support/sip-text.ts";

const out = new Uint8Array(MAX_AOR);

function written(uri: string): string | null {
  const bytes = bytesOf(`<${uri}>`);
  const length = writeAor(bytes, 1, bytes.length - 1, out);
  return length === 0 ? null : Buffer.from(out.subarray(0, length)).toString();
}

describe("the address-of-record of", () => {
  test.each([
    ["sip:alice@example.com", "sip:alice@example.com"],
    ["SIPS:alice@EXAMPLE.com:5061;transport=tls?a=b", "sip:alice@example.com"],
    ["sip:al%69ce:secret@example.com.", "sip:alice@example.com"],
    ["sip:Alice@[2001:DB8::1]:5060", "sip:Alice@[2001:db8::1]"],
    ["sip:Alice@[2001:0db8:0:0::0001]", "sip:Alice@[2001:db8::1]"],
    ["sip:[::FFFF:192.0.2.1]", "sip:[::ffff:c000:201]"],
    ["sip:a%40b@example.com", "sip:a%40b@example.com"],
    ["sip:+1-212@example.com;user=phone", "sip:+1-212@example.com"],
    ["sip:example.com", "sip:example.com"],
    ["tel:+1-201-555-0123", "tel:+12015550123"],
    ["tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"],
    ["http://example.com", null],
    ["sip:", null],
    ["sip:a@b c", null],
  ])("%s", (uri, aor) => {
    expect(aorOf(uri)).toBe(aor);
    expect(written(uri)).toBe(aor);
  });

  test("a URI that is too long names nobody", () => {
    expect(written(`sip:${"a".repeat(MAX_AOR)}@example.com`)).toBeNull();
    expect(written(`sip:${"%61".repeat(400)}@example.com`)).toBe(`sip:${"a".repeat(400)}@example.com`);
  });

  test("any URI: the octets are those of the text", () => {
    const part = fc.string({ unit: fc.constantFrom(..."abZ09-_.!~*'()%41%zz;?:@&=+$,/[]\"\u00e9 ") });
    fc.assert(
      fc.property(fc.constantFrom("sip", "sips", "tel", "x"), part, part, (scheme, user, host) => {
        const uri = `${scheme}:${user}@${host}`;
        const aor = aorOf(uri);
        expect(written(uri)).toBe(aor !== null && aor.length <= MAX_AOR ? aor : null);
      }),
    );
  });
});
