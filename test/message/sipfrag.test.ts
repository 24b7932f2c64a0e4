/** Status lines as `message/sipfrag` (RFC 3420, RFC 3515 s2.4.5). */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../../src/message/bytes.ts";
import { readSipfrag, writeSipfrag } from "../../src/message/sipfrag.ts";

test("is written with the registered reason, or the one given, on one line", () => {
  expect(writeSipfrag(100)).toBe("SIP/2.0 100 Trying\r\n");
  expect(writeSipfrag(486, "Not Now")).toBe("SIP/2.0 486 Not Now\r\n");
  expect(writeSipfrag(486, "Not\r\nNow: x")).toBe("SIP/2.0 486 Not Now: x\r\n");
});

test("the status line at its beginning is read", () => {
  const read = (text: string) => readSipfrag(ascii(text));
  expect(read("SIP/2.0 200 OK\r\nWarning: 399 x y\r\n\r\n")).toEqual({ status: 200, reason: "OK" });
  expect(read("SIP/2.0 200 OK")).toEqual({ status: 200, reason: "OK" });
  expect(read("sip/2.0 183\r\n")).toEqual({ status: 183, reason: "" });
  expect(read("SIP/2.0 603 \n")).toEqual({ status: 603, reason: "" });
  for (const text of ["", "200 OK", " SIP/2.0 200 OK", "SIP/2.0 2000 OK", "SIP/2.0 099 x", "SIP/3.0 200 OK", "\r\n"]) {
    expect(read(text)).toBeNull();
  }
});

test("what is written is read; anything else is no exception", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 699 }), fc.stringMatching(/^[ -~]{0,60}$/), (status, reason) => {
      expect(readSipfrag(ascii(writeSipfrag(status, reason)))).toEqual({ status, reason: reason.trim() });
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void readSipfrag(bytes)));
});
