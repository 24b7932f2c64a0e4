import { describe, expect, test } from "bun:test";
import { Header } from "../../src/message/header.ts";
import { tokensOf } from "../../src/message/tokens.ts";
import { scan } from "../support/scan.ts";
import { requestText } from "../support/sip-messages.ts";

function supported(...headers: string[]): string[] {
  return tokensOf(scan(requestText("OPTIONS", { headers })), Header.Supported);
}

describe("tokensOf", () => {
  test("gathers the elements of all lines in order, as they were sent", () => {
    expect(supported("Supported: 100rel, Replaces", "Require: x", "k:timer")).toEqual(["100rel", "Replaces", "timer"]);
    expect(supported("Supported:a,b\t,\r\n c ,d")).toEqual(["a", "b", "c", "d"]);
  });

  test("leaves out empty elements", () => {
    expect(supported()).toEqual([]);
    expect(supported("Supported:")).toEqual([]);
    expect(supported("Supported: ,, a,,b, ,")).toEqual(["a", "b"]);
  });

  test("ends with any octets, one element after the other", () => {
    expect(supported('Supported: a b;c="d,e" \0,f')).toEqual(["a", 'b;c="d', 'e"', "\0", "f"]);
  });
});
