/** STUN keep-alives on the port of SIP (RFC 5626 s8). */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Arena } from "../../src/message/arena.ts";
import { isBindingRequest, isStun, writeBindingResponse } from "../../src/transport/stun.ts";
import { testServer } from "../support/test-server.ts";

/** The sample request's transaction id, and the sample answers' addresses, of RFC 5769 s2. */
const ID = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
const REQUEST = Uint8Array.of(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...ID);

function answer(request: Uint8Array, address: string, port: number): number[] {
  const arena = new Arena();
  const start = writeBindingResponse(arena, request, address, port);
  return [...arena.bytes.subarray(start, arena.at)];
}

describe("a Binding Request is answered with where it came from", () => {
  test("over IPv4", () => {
    expect(answer(REQUEST, "192.0.2.1", 32_853)).toEqual([
      ...[1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, ...ID],
      ...[0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43],
    ]);
  });

  test("over IPv6", () => {
    expect(answer(REQUEST, "2001:db8:1234:5678:11:2233:4455:6677", 32_853).slice(20)).toEqual([
      ...[0, 0x20, 0, 20, 0, 2, 0xa1, 0x47],
      ...[0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9],
    ]);
  });

  test("on the wire, while SIP goes on beside it", async () => {
    using running = await testServer();
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_socket, octets) => resolve(octets) },
    });
    socket.send(REQUEST, running.address.port, running.address.address);
    expect([...(await promise)]).toEqual(answer(REQUEST, "127.0.0.1", socket.port));
    expect(running.server.stats()).toMatchObject({ keepAlives: 1, messagesReceived: 0, malformed: 0 });
    socket.close();
  });
});

test("indications, answers and requests cut short are not answered", () => {
  for (const [first, second] of [
    [0, 0x11],
    [1, 1],
    [1, 0x11],
  ] as const) {
    const other = REQUEST.slice();
    other.set([first, second]);
    expect([isStun(other), isBindingRequest(other)]).toEqual([true, false]);
  }
  const longer = REQUEST.slice();
  longer[3] = 8;
  expect(isBindingRequest(longer)).toBe(false);
});

test("whatever octets come are judged", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      if (isStun(octets)) expect(octets[0]! <= 1 && octets.length >= 20).toBe(true);
      if (octets.length >= 20 && isBindingRequest(octets)) answer(octets, "::1", 5060);
    }),
  );
});
