/**
 * The little STUN server that shares a UDP port with SIP, so that clients can keep their flow alive and see whether it has
 * changed (RFC 5626 s8): a Binding Request is answered with where it came from, nothing else is.
 */
import type { Arena } from "../message/arena.ts";
import { groupsOf } from "./ipv6.ts";

const HEADER = 20;
/** RFC 5389 s6: it stands in every message, and is half of what hides the address from meddling NATs. */
const COOKIE = [0x21, 0x12, 0xa4, 0x42] as const;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const XOR_MAPPED_ADDRESS = 0x0020;
const IPV4 = 1;
const IPV6 = 2;

/** Whether a datagram is STUN: no SIP message begins with such an octet. */
export function isStun(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER || bytes[0]! > 1) return false;
  for (let i = 0; i < COOKIE.length; i++) if (bytes[4 + i] !== COOKIE[i]) return false;
  return true;
}

/** Whether it asks for an answer. */
export function isBindingRequest(bytes: Uint8Array): boolean {
  return word(bytes, 0) === BINDING_REQUEST && word(bytes, 2) === bytes.length - HEADER;
}

/**
 * Writes the answer to a Binding Request (RFC 5389 s10.1.2, s15.2).
 * @param address where it came from, numeric, IPv6 without brackets
 * @returns where it begins in the arena
 */
export function writeBindingResponse(arena: Arena, request: Uint8Array, address: string, port: number): number {
  const octets = address.includes(":") ? ofIpv6(address) : address.split(".").map(Number);
  const start = arena.open(HEADER + 8 + octets.length);
  put(arena, BINDING_SUCCESS);
  put(arena, 8 + octets.length);
  arena.copy(request, 4, HEADER);
  put(arena, XOR_MAPPED_ADDRESS);
  put(arena, 4 + octets.length);
  put(arena, octets.length === 4 ? IPV4 : IPV6);
  put(arena, port ^ word(request, 4));
  // Over cookie and transaction id, which the request has one behind the other.
  for (let i = 0; i < octets.length; i++) arena.octet(octets[i]! ^ request[4 + i]!);
  return start;
}

function ofIpv6(address: string): number[] {
  return groupsOf(address.split("%", 1)[0]!).flatMap((group) => [group >> 8, group & 0xff]);
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function put(arena: Arena, value: number): void {
  arena.octet(value >> 8);
  arena.octet(value & 0xff);
}
