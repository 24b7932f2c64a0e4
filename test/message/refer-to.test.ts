/** Refer-To (RFC 3515 s2.1), Referred-By (RFC 3892 s3), Refer-Sub (RFC 4488 s4). */
import { expect, test } from "bun:test";
import { isWithoutSubscription, referredByOf, referToOf, unfolded } from "../../src/message/refer-to.ts";
import { scanned } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

function referWith(...headers: string[]) {
  return scanned(requestText("REFER", { headers }));
}

test("the examples of RFC 3515 s2.1", () => {
  const uriOf = (value: string) => referToOf(referWith(`Refer-To: ${value}`));
  expect(uriOf("sip:alice@atlanta.example.com")?.toString()).toBe("sip:alice@atlanta.example.com");
  expect(uriOf("http://www.ietf.org")?.scheme).toBe("http");
  expect(uriOf("<sip:carol@cleveland.example.org;method=SUBSCRIBE>")?.method).toBe("SUBSCRIBE");
  const replaces = "12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994";
  expect(uriOf(`<sip:dave@denver.example.org?Replaces=${replaces}>`)?.headers.get("replaces")).toBe(
    "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994",
  );
  expect(referToOf(referWith('r: "D" <sip:d@e>;x=y'))?.toString()).toBe("sip:d@e");
});

test("anything but one URI is none", () => {
  for (const headers of [
    [],
    ["Refer-To:"],
    ["Refer-To: <>"],
    ["Refer-To: alice"],
    ["Refer-To: <sip:a@b"],
    ["Refer-To: <sip:>"],
    ["Refer-To: <sip:a@b>, <sip:c@d>"],
    ["Refer-To: <sip:a@b>", "r: <sip:a@b>"],
  ]) {
    expect(referToOf(referWith(...headers))).toBeNull();
  }
});

test("Referred-By stays as it came, on one line", () => {
  const value = 'sip:r@ref.example;cid="2UWQFN309shb3@ref.example"';
  expect(referredByOf(referWith(`Referred-By: ${value}`))).toBe(value);
  expect(referredByOf(referWith("b: <sip:r@ref.example>\r\n ;x=y"))).toBe("<sip:r@ref.example> ;x=y");
  expect(referredByOf(referWith())).toBeNull();
  for (const headers of [["b: <"], ["b: <sip:>"], ["b: <sip:a@b>, <sip:c@d>"], ["b: <sip:a@b>", "b: <sip:a@b>"]]) {
    expect(referredByOf(referWith(...headers))).toBe("malformed");
  }
});

test("a long fold is undone in no time", () => {
  const spaces = " ".repeat(200_000);
  const start = performance.now();
  expect(unfolded(`a\r\n${spaces}b${spaces}`)).toBe("a b");
  expect(performance.now() - start).toBeLessThan(1000);
});

test("Refer-Sub", () => {
  const without = (value: string) => isWithoutSubscription(referWith(`Refer-Sub: ${value}`));
  expect(["false", "FALSE", "false ;x=y", "false;x"].map(without)).toEqual([true, true, true, true]);
  expect(["true", "", "falsehood", ";false"].map(without)).toEqual([false, false, false, false]);
  expect(isWithoutSubscription(referWith())).toBe(false);
});
