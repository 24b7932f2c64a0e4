/** Whether a client is behind a NAT: its Contact names another address than the one its REGISTER came from. */
import { isIP } from "node:net";
import { COLON, equalsText, LBRACKET, latin1 } from "../message/bytes.ts";
import { isNumericHost, SIP_PORT, SIPS_PORT } from "../transport/address.ts";
import { shortIpv6 } from "../transport/ipv6.ts";
import { CONTACT_START, HOST_END, HOST_START, PORT } from "./contact-fields.ts";

/**
 * Compares a Contact with where it came from. A host name tells nothing and is believed.
 * @param table the words of contacts, by `contact-fields.ts`
 * @param at where those of this one begin
 * @param peer numeric, IPv6 without brackets
 * @param port -1 where it does not count
 */
export function isBehindNat(bytes: Uint8Array, table: Int32Array, at: number, peer: string, port: number): boolean {
  let start = table[at + HOST_START]!;
  let end = table[at + HOST_END]!;
  if (start < 0) return false;
  if (bytes[start] === LBRACKET) {
    start++;
    end--;
  }
  if (!equalsText(bytes, start, end, peer)) {
    const host = latin1(bytes, start, end);
    // An IPv6 address may be written in many ways.
    if (isIP(host) !== 6 || shortIpv6(host) !== peer) return isNumericHost(host);
  }
  if (port < 0) return false;
  const written = table[at + PORT]!;
  if (written >= 0) return written !== port;
  // `sip:` has its colon there, `sips:` has not.
  return port !== (bytes[table[at + CONTACT_START]! + 3] === COLON ? SIP_PORT : SIPS_PORT);
}
