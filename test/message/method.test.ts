import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { METHOD_BYTES, METHOD_NAMES, Method, methodId } from "../../src/message/method.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

const NAMES = Object.keys(Method).filter((name) => name !== "Other") as (keyof typeof Method)[];

function idOf(text: string): Method {
  return methodId(bytesOf(text), 0, text.length);
}

describe("methodId", () => {
  test("knows each method, and its number gives the name back", () => {
    expect(NAMES).toHaveLength(14);
    for (const name of NAMES) {
      expect([name, idOf(name)]).toEqual([name, Method[name]]);
      expect(METHOD_NAMES[Method[name]]).toBe(name);
      expect(textOf(METHOD_BYTES[Method[name]]!)).toBe(name);
    }
    expect(METHOD_NAMES[Method.Other]).toBe("");
  });

  test("methods have a case (RFC 3261 s7.1)", () => {
    for (const name of NAMES) {
      expect(idOf(name.toLowerCase())).toBe(Method.Other);
      expect(idOf(name[0]!.toLowerCase() + name.slice(1))).toBe(Method.Other);
      expect(idOf(name.slice(0, -1) + name.at(-1)!.toLowerCase())).toBe(Method.Other);
    }
  });

  test("reads only its range", () => {
    expect(methodId(bytesOf("xINVITEx"), 1, 7)).toBe(Method.INVITE);
    expect(methodId(bytesOf("INVITE"), 0, 5)).toBe(Method.Other);
    expect(methodId(bytesOf("INVITE"), 3, 3)).toBe(Method.Other);
  });

  test("one octet more, less or other is another method", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.nat(8),
        octet,
        fc.constantFrom(0, 1, 2),
        (name, position, other, how) => {
          const at = position % name.length;
          const skip = how === 0 ? 1 : how === 1 ? 0 : 1;
          const inserted = how === 2 ? "" : String.fromCharCode(other);
          const changed = name.slice(0, at) + inserted + name.slice(at + skip);
          const known = (NAMES as string[]).includes(changed);
          expect(idOf(changed)).toBe(known ? Method[changed as keyof typeof Method] : Method.Other);
        },
      ),
    );
  });
});
