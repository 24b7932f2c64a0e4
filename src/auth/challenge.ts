/**
 * Writes challenges: a WWW-Authenticate or Proxy-Authenticate field for each algorithm that is offered, the strongest
 * first (RFC 3261 s22.4, RFC 7616 s3.3, RFC 8760 s2.3). All that does not change is written once; a challenge is a copy
 * of that with a nonce put in.
 */
import { ascii } from "../message/bytes.ts";
import { type AlgorithmName, baseOf, type Qop, strongestFirst } from "./algorithm.ts";
import { quotable } from "./challenge-scan.ts";
import { NONCE_LENGTH, type NonceMaker } from "./nonce.ts";

/** Who asks for credentials: a user agent server or registrar with 401, a proxy with 407 (RFC 3261 s22.1). */
export type Role = "uas" | "proxy";

/** What a challenge says. */
export interface ChallengeParts {
  readonly realm: string;
  readonly algorithms: readonly AlgorithmName[];
  readonly qop: readonly Qop[];
  /** Whether clients are asked to send the user's name as a hash (RFC 7616 s3.4.4). */
  readonly userhash: boolean;
}

/** A text between quotes, as the grammar wants it (RFC 3261 s25.1 `quoted-string`). */
export function quoted(text: string): string {
  return `"${quotable(text)}"`;
}

interface Template {
  readonly octets: Uint8Array;
  readonly nonces: readonly number[];
}

export class Challenges {
  readonly #templates: Readonly<Record<Role, readonly [fresh: Template, stale: Template]>>;

  constructor(parts: ChallengeParts) {
    this.#templates = {
      uas: [template(parts, "WWW-Authenticate", false), template(parts, "WWW-Authenticate", true)],
      proxy: [template(parts, "Proxy-Authenticate", false), template(parts, "Proxy-Authenticate", true)],
    };
  }

  /**
   * Writes the fields with a new nonce, the same in each.
   * @param isStale whether only the nonce was wrong, so that no user need be asked for a password (RFC 7616 s3.3)
   * @returns lines, each with its CRLF
   */
  write(role: Role, isStale: boolean, maker: NonceMaker, now: number): Uint8Array {
    const { octets, nonces } = this.#templates[role][isStale ? 1 : 0];
    const lines = octets.slice();
    const first = nonces[0]!;
    maker.write(lines, first, now);
    for (let i = 1; i < nonces.length; i++) lines.copyWithin(nonces[i]!, first, first + NONCE_LENGTH);
    return lines;
  }
}

function template(parts: ChallengeParts, header: string, isStale: boolean): Template {
  const nonces: number[] = [];
  let lines = new Uint8Array();
  for (const algorithm of strongestFirst(parts.algorithms)) {
    const before = ascii(`${header}: Digest realm=${quoted(parts.realm)}, nonce="`);
    const behind = ascii(
      `", algorithm=${algorithm}, qop="${parts.qop.join(",")}"${more(parts, algorithm, isStale)}\r\n`,
    );
    nonces.push(lines.length + before.length);
    lines = Buffer.concat([lines, before, new Uint8Array(NONCE_LENGTH), behind]);
  }
  return { octets: new Uint8Array(lines), nonces };
}

/** MD5 is there for clients of RFC 2617, which knew of neither parameter (RFC 7616 s4, s3.4.4). */
function more({ userhash }: ChallengeParts, algorithm: AlgorithmName, isStale: boolean): string {
  let params = isStale ? ", stale=true" : "";
  if (baseOf(algorithm) !== "MD5") params += userhash ? ", charset=UTF-8, userhash=true" : ", charset=UTF-8";
  return params;
}
