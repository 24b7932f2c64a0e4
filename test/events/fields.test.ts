/** Header fields and documents that anybody may have written. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { deltaSecondsOf, eventOf, FieldFault, subscriptionStateOf } from "../../src/events/fields.ts";
import { escapeXml, readXml, writeXml } from "../../src/events/xml.ts";
import { aorOf } from "../../src/message/aor.ts";
import { Header } from "../../src/message/header.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { requestText } from "../support/sip-messages.ts";
import { bytesOf } from "../support/sip-text.ts";

const scanner = new Scanner({ ...DEFAULT_LIMITS, messageSize: 1 << 17, headerLength: 1 << 16 });

function scanned(...headers: string[]) {
  return scanner.scanDatagram(bytesOf(requestText("NOTIFY", { headers }))).keep();
}

describe("Event", () => {
  test.each([
    ["presence", { name: "presence", id: "" }],
    ["presence.winfo ; id = 4", { name: "presence.winfo", id: "4" }],
    ["foo;ID=Ab;other=1;x", { name: "foo", id: "Ab" }],
    ['foo;other="a,b;id=9"', { name: "foo", id: "" }],
  ])("%s", (value, read) => {
    expect(eventOf(scanned(`Event: ${value}`))).toEqual(read);
    expect(eventOf(scanned(`o: ${value}`))).toEqual(read);
  });

  test.each(["", ";id=1", "a b", "a, b", "a;", "a;id=", 'a;id="1"', "a;;b", "<a>"])("%j is none", (value) => {
    expect(eventOf(scanned(`Event: ${value}`))).toBe(FieldFault.Malformed);
  });
});

describe("Subscription-State", () => {
  test.each([
    ["active", { state: "active", reason: "", expires: -1, retryAfter: -1 }],
    ["Active;EXPIRES=5", { state: "active", reason: "", expires: 5, retryAfter: -1 }],
    [
      "terminated;reason=Probation;retry-after=99999999999",
      { state: "terminated", reason: "probation", expires: -1, retryAfter: 0xffffffff },
    ],
    ["pending;expires=x;retry-after=-1", { state: "pending", reason: "", expires: -1, retryAfter: -1 }],
  ])("%s", (value, read) => {
    expect(subscriptionStateOf(scanned(`Subscription-State: ${value}`))).toEqual(read);
  });
});

test("seconds", () => {
  const read = (value: string, id: Header = Header.Expires, name = "Expires") =>
    deltaSecondsOf(scanned(`${name}: ${value}`), id);
  expect([read("0"), read("3600"), read("99999999999999999999")]).toEqual([0, 3600, 0xffffffff]);
  for (const bad of ["", "-1", "1.5", "1 2", "abc", "5;a"]) expect(read(bad)).toBe("malformed");
  expect(read("18 (soon);duration=2", Header.RetryAfter, "Retry-After")).toBe(18);
  expect(deltaSecondsOf(scanned(), Header.Expires)).toBe(null);
  expect(deltaSecondsOf(scanned("Expires: 1", "Expires: 1"), Header.Expires)).toBe("malformed");
});

test("whatever stands in a field, reading it ends with a value or a fault", () => {
  const line = fc.string({ unit: fc.constantFrom(...'ab1;=,"\\<> \t%.id'), maxLength: 60 });
  fc.assert(
    fc.property(line, (value) => {
      const event = eventOf(scanned(`Event: ${value}`));
      if (typeof event === "object") expect(event.name).toMatch(/^[^\s;,"<>=\\]+$/);
      const state = subscriptionStateOf(scanned(`Subscription-State: ${value}`));
      if (typeof state === "object") expect(state.reason).toMatch(/^[^\s;,"<>=\\]*$/);
    }),
  );
});

describe("a resource", () => {
  test.each([
    ["sip:bob@Example.COM", "sip:bob@example.com"],
    ["sips:bob:pw@example.com:5061;user=phone?Subject=x", "sip:bob@example.com"],
    ["sip:%62ob%20b@example.com", "sip:bob%20b@example.com"],
    ["sip:example.com", "sip:example.com"],
    ["sip:bob@example.com.", "sip:bob@example.com"],
    ["sip:bob@[2001:DB8::1]:5060", "sip:bob@[2001:db8::1]"],
    ["tel:+1-201-555.0123;ext=4", "tel:+12015550123"],
    ["mailto:bob@example.com", null],
    ["nonsense", null],
  ])("%s is %p", (uri, resource) => {
    expect(aorOf(uri)).toBe(resource);
    if (resource !== null) expect(aorOf(resource)).toBe(resource);
  });

  test("of octets that are no UTF-8 is what was written", () => {
    expect(aorOf("sip:%ff@example.com")).toBe("sip:%ff@example.com");
  });
});

describe("XML", () => {
  test("is read to its outer two levels", () => {
    const text = `\uFEFF<?xml version="1.0"?><!-- <no> --><a x='1"2' y="3"><b><c/>t</b><![CDATA[<d>]]><e z=""/></a >\n`;
    const { root, children } = readXml(text)!;
    expect([root.name, [...root.attributes]]).toEqual([
      "a",
      [
        ["x", '1"2'],
        ["y", "3"],
      ],
    ]);
    expect(children.map(({ name, inner }) => [name, inner])).toEqual([
      ["b", "<c/>t"],
      ["e", ""],
    ]);
    expect(writeXml({ ...root, inner: "" })).toBe('<a x="1&quot;2" y="3"/>');
  });

  test.each([
    "",
    "text",
    "<a>",
    "</a>",
    "<a></b>",
    "<a/><b/>",
    "<a/>text",
    "<a b=1/>",
    '<a b="1" b="2"/>',
    "<a",
    "<!DOCTYPE a><a/>",
    "<a><!-- </a>",
    "<a><![CDATA[</a>",
    "<a b='<'/>",
    "<>",
    "< a/>",
    "<![CDATA[a]]>",
    '<a b="1"c="2"/>',
  ])("%j is none", (text) => {
    expect(readXml(text)).toBe(null);
  });

  test("that is deep or long is read in a time that grows with its length alone", () => {
    expect(readXml("<a>".repeat(100) + "</a>".repeat(100))).toBe(null);
    const hostile = ["<a", "<a b='", "<!--", '<a b="1" ', "<a>", "</", "<?", "<![CDATA["].map((part) =>
      part.repeat(Math.floor(60_000 / part.length)),
    );
    const began = performance.now();
    for (const text of [...hostile, ...hostile.map((part) => `<r>${part}`), `<a${" ".repeat(60_000)}!`]) {
      expect(readXml(text)).toBe(null);
    }
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("text survives being written and read", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const document = readXml(`<r a="${escapeXml(text)}">${escapeXml(text)}</r>`);
        expect(document?.children).toEqual([]);
        expect(document?.root.inner).toBe(escapeXml(text));
      }),
    );
  });

  test("whatever it is, what is read can be written and read again", () => {
    const part = fc.constantFrom(
      "<a>",
      "</a>",
      "<b x='1'>",
      "</b>",
      "<c/>",
      "t",
      "<!--x-->",
      "<![CDATA[<]]>",
      " ",
      "&",
      "<",
      '"',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const document = readXml(`<r>${parts.join("")}</r>`);
        if (document === null) return;
        const text = `<r>${document.children.map(writeXml).join("")}</r>`;
        expect(readXml(text)!.children.map(({ name }) => name)).toEqual(document.children.map(({ name }) => name));
      }),
    );
  });
});
