/** Whose bindings a REGISTER is about, and whether its sender may change them (RFC 3261 s10.3, steps 1 to 5). */
import type { FoundUser } from "../auth/digest.ts";
import { aorOf, MAX_AOR, writeAor } from "../message/aor.ts";
import { AT, ascii, equalRanges, latin1 } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { URI_END, URI_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { ADDR_SIZE, ADDR_URI_END, ADDR_URI_START, scanNameAddr } from "../message/name-addr.ts";
import { Uri } from "../message/uri.ts";
import { scanUri, URI_HEADERS_START, URI_PORT, URI_SIZE, URI_USER_START, UriResult } from "../message/uri-scan.ts";
import type { Answer } from "../server/arrival.ts";
import type { Gruus } from "./gruus.ts";
import { isTemporary } from "./temporary-users.ts";

const NOT_SERVED: Answer = { status: 404, reason: "Domain Not Served Here" };
/** RFC 4475 s3.3.4 */
const NO_AOR: Answer = { status: 400, reason: "To Names No Address-Of-Record" };
const NOT_OWNER: Answer = { status: 403, reason: "Not An Address Of This User" };
/** What a canonical address-of-record begins with. */
const SCHEME = 4;
const TEL = 0x74;

/** Whether a user may register a canonical address-of-record. */
export type MayRegister = (user: FoundUser, aor: string) => boolean;

const address = new Int32Array(ADDR_SIZE);
const uri = new Int32Array(URI_SIZE);
/** What a Request-URI or a Contact is read into. */
const canonical = new Uint8Array(MAX_AOR);

export class Whose {
  /** The canonical address-of-record: {@link length} octets of it. */
  readonly aor = new Uint8Array(MAX_AOR);
  length = 0;
  /** Each with an `@` before it. */
  readonly #domains: readonly Uint8Array[];
  readonly #mayRegister: MayRegister | undefined;
  readonly #gruus: Gruus;
  /** The last Request-URI that is served: clients of one domain all send the same. */
  #served = new Uint8Array(0);

  /** @param domains none for any */
  constructor(domains: readonly string[], mayRegister: MayRegister | undefined, gruus: Gruus) {
    this.#gruus = gruus;
    this.#domains = domains.map((domain) => ascii(`@${aorOf(`sip:${domain}`)?.slice(SCHEME) ?? domain}`));
    this.#mayRegister = mayRegister;
  }

  /** Reads the address-of-record. @param user who has proved to send it; null where nobody is asked */
  read(message: Message, user: FoundUser | null): Answer | null {
    const { bytes, table } = message;
    if (!this.#isForUs(bytes, table[URI_START]!, table[URI_END]!)) return NOT_SERVED;
    const to = message.first(Header.To);
    if (!scanNameAddr(bytes, message.valueStart(to), message.valueEnd(to), address)) return NO_AOR;
    this.length = writeAor(bytes, address[ADDR_URI_START]!, address[ADDR_URI_END]!, this.aor);
    if (this.length === 0) return NO_AOR;
    if (!this.#isServed(this.aor, this.length)) return NOT_SERVED;
    return user === null || this.#owns(user) ? null : NOT_OWNER;
  }

  /** Whether a Request-URI names a domain that is served. */
  #isForUs(bytes: Uint8Array, start: number, end: number): boolean {
    const served = this.#served;
    if (this.#domains.length === 0 || equalRanges(bytes, start, end, served, 0, served.length)) return true;
    if (!this.#isServed(canonical, writeAor(bytes, start, end, canonical))) return false;
    this.#served = bytes.slice(start, end);
    return true;
  }

  /** Whether a canonical address-of-record is of such a domain; `tel` has none, and is judged by who may register it. */
  #isServed(aor: Uint8Array, length: number): boolean {
    const domains = this.#domains;
    if (domains.length === 0) return true;
    if (length > 0 && aor[0] === TEL) return true;
    for (let i = 0; i < domains.length; i++) if (isOf(aor, length, domains[i]!)) return true;
    return false;
  }

  /**
   * Whether a contact is the address-of-record, or a GRUU of it, so that requests for it would come back (RFC 5627 s5.1). A
   * port or headers tell it from what is served here.
   */
  isLoop(bytes: Uint8Array, start: number, end: number): boolean {
    if (scanUri(bytes, start, end, uri) !== UriResult.OK) return false;
    if (uri[URI_PORT]! >= 0 || uri[URI_HEADERS_START]! >= 0) return false;
    if (isTemporary(bytes, uri[URI_USER_START]!)) return this.#leadsHere(Uri.parse(bytes, start, end)!);
    const length = writeAor(bytes, start, end, canonical);
    return equalRanges(canonical, 0, length, this.aor, 0, this.length);
  }

  /** Whether a GRUU leads to the address-of-record. */
  #leadsHere(gruu: Uri): boolean {
    return this.#gruus.resolve(gruu)?.aor === latin1(this.aor, 0, this.length);
  }

  #owns(user: FoundUser): boolean {
    const { aor, length } = this;
    if (this.#mayRegister === undefined && isNamedSo(aor, length, user.name)) return true;
    return isOwner(user, latin1(aor, 0, length), this.#mayRegister);
  }
}

/** Whether an address-of-record is a user's own, or is named among its others; where somebody else says so, whether it is. */
export function isOwner(user: FoundUser, aor: string, mayRegister: MayRegister | undefined): boolean {
  if (mayRegister !== undefined) return mayRegister(user, aor);
  const { aors } = user.secrets;
  // As people write them, where not as they are kept.
  if (aors?.some((one) => one === aor || aorOf(one) === aor) === true) return true;
  return aor.slice(SCHEME) === user.name ? user.name.includes("@") : Uri.parse(aor)?.user === user.name;
}

/** Whether an address-of-record ends in `@host`, or is the host alone. */
function isOf(aor: Uint8Array, length: number, atHost: Uint8Array): boolean {
  const start = length - atHost.length;
  if (start < SCHEME - 1) return false;
  for (let i = 1; i < atHost.length; i++) if (aor[start + i] !== atHost[i]) return false;
  return start === SCHEME - 1 || aor[start] === AT;
}

/** Whether the address-of-record is `sip:name@...`, or `sip:name` where the name holds its host. */
function isNamedSo(aor: Uint8Array, length: number, name: string): boolean {
  const end = SCHEME + name.length;
  if (name === "" || length < end) return false;
  for (let i = 0; i < name.length; i++) if (aor[SCHEME + i] !== name.charCodeAt(i)) return false;
  return end === length ? name.includes("@") : aor[end] === AT;
}
