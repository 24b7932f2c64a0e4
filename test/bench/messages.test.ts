import { describe, expect, test } from "bun:test";
import { BATCH, CallBatches } from "../../bench/micro/calls.ts";
import { CallTemplate, invites, meanLength, SET, successes } from "../../bench/micro/messages.ts";
import { bareServer, fullServer } from "../../bench/micro/server.ts";
import { latin1 } from "../../src/message/bytes.ts";
import { readFields } from "../../src/message/fields.ts";
import { Header } from "../../src/message/header.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { Scanner } from "../../src/message/scanner.ts";

function read(octets: Uint8Array): Message {
  const message = new Scanner().scanDatagram(octets);
  expect(readFields(message, DEFAULT_LIMITS)).toBe(true);
  expect(message.fault, message.faultText).toBe(0);
  return message;
}

describe("the messages that are measured", () => {
  for (const [name, length, make] of [
    ["INVITEs of 600 bytes", 600, invites],
    ["INVITEs of 1,400 bytes", 1400, invites],
    ["200s of 600 bytes", 600, successes],
  ] as const) {
    test(`${name}: well formed, of the length they are called by, no two alike`, () => {
      const messages = make(length);
      expect(messages).toHaveLength(SET);
      expect(Math.abs(meanLength(messages) - length)).toBeLessThan(length * 0.02);
      expect(new Set(messages.map((octets) => octets.length)).size).toBeGreaterThan(7);
      expect(new Set(messages.map((octets) => latin1(octets, 0, octets.length))).size).toBe(SET);
      for (const octets of messages) {
        const message = read(octets);
        expect(message.isRequest ? message.methodName : message.status).toBe(make === invites ? "INVITE" : 200);
        expect(message.body.length).toBe(Number(message.header("Content-Length")));
      }
    });

    test(`${name}: at least eight orders of header fields, compact names among them`, () => {
      const orders = new Set<string>();
      for (const octets of make(length)) orders.add([...read(octets).fields()].map(([field]) => field).join());
      expect(orders.size).toBeGreaterThanOrEqual(8);
      expect([...orders].some((order) => order.startsWith("v,f,t,i"))).toBe(true);
    });
  }

  test("they are the same in every run", () => {
    expect(invites(600)).toEqual(invites(600));
  });
});

describe("the requests of a call", () => {
  const tag = new TextEncoder().encode("abcdefghijkl");

  test("ACK and BYE belong to their INVITE and carry the tag", () => {
    for (let shape = 0; shape < 8; shape++) {
      const template = new CallTemplate(shape);
      const [invite, ack, bye] = [template.invite(71), template.ack(71, tag), template.bye(71, tag)].map(read) as [
        Message,
        Message,
        Message,
      ];
      for (const [request, method] of [
        [ack, "ACK"],
        [bye, "BYE"],
      ] as const) {
        expect(request.methodName).toBe(method);
        for (const id of [Header.From, Header.CallId]) {
          expect(request.valueText(request.first(id))).toBe(invite.valueText(invite.first(id)));
        }
        expect(request.valueText(request.first(Header.To))).toEndWith(";tag=abcdefghijkl");
        expect(request.header("Via")).not.toBe(invite.header("Via"));
      }
      expect(invite.header("Call-ID")).toStartWith("00000071");
    }
  });

  test("two calls of a template share no octet array and no Call-ID", () => {
    const template = new CallTemplate(3);
    const [one, other] = [template.invite(1), template.invite(2)];
    expect(one.buffer).not.toBe(other.buffer);
    expect(read(one).header("Call-ID")).not.toBe(read(other).header("Call-ID"));
  });
});

describe("calls without a socket", () => {
  for (const [name, make] of [
    ["the transaction layer", bareServer],
    ["the full UAS", fullServer],
  ] as const) {
    test(`${name} answers every shape, keeps two transactions a call and ends them`, () => {
      const subject = make();
      const batches = new CallBatches(subject);
      for (let i = 1; i <= 3; i++) {
        expect(batches.run(10)).toBeGreaterThan(0);
        expect(subject.live).toBe(2 * BATCH * i);
      }
      subject.pass(40_000);
      expect(subject.live).toBe(0);
    });
  }
});
