/**
 * The 200 to a REGISTER (RFC 3261 s10.3, step 8): every binding there is now, and what the client is told beside
 * (RFC 3327 s5.3, RFC 3608 s6, RFC 5626 s6, RFC 5627 s5.2).
 */
import type { Location } from "../location/location.ts";
import { type PackedBinding, Section } from "../location/packed.ts";
import { BindingFlag } from "../location/row.ts";
import { Arena } from "../message/arena.ts";
import { ascii } from "../message/bytes.ts";
import { formatDate } from "../message/date.ts";
import { hasToken } from "../message/has-token.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import type { Answer } from "../server/arrival.ts";
import type { Gruus } from "./gruus.ts";

const CONTACT = ascii("Contact: ");
const EXPIRES = ascii(";expires=");
const PATH = ascii("Path: ");
const CRLF = ascii("\r\n");
const GRUU = ascii("gruu");
const REQUIRE_OUTBOUND = ascii("Require: outbound\r\n");
/** What a Contact takes beside its texts: the header's name, the seconds, line end. */
export const CONTACT_EXTRA = 48;
/** What an answer takes beside Contacts, Path and Service-Route, and what every response copies. */
export const ANSWER_EXTRA = 1024;
const LAQUOT = 0x3c;
const RAQUOT = 0x3e;
const SPACE = 0x20;

/** Whether RFC 5626 was applied to a registration. */
export const Outbound = {
  None: 0,
  /** The flow is kept by a proxy on the way. */
  Proxied: 1,
  /** The flow ends here. */
  Direct: 2,
} as const;
export type Outbound = (typeof Outbound)[keyof typeof Outbound];

export interface RegisteredOptions {
  location: Location;
  gruus: Gruus;
  serviceRoute: readonly string[];
  flowTimer: number;
}

export class Registered {
  readonly #location: Location;
  readonly #gruus: Gruus;
  readonly #arena = new Arena();
  readonly #serviceRoute: Uint8Array;
  readonly #flowTimer: Uint8Array;
  #date = new Uint8Array(0);
  #second = -1;
  /** What follows the Contacts takes at most. */
  #rest = 0;

  constructor({ location, gruus, serviceRoute, flowTimer }: RegisteredOptions) {
    this.#location = location;
    this.#gruus = gruus;
    const routes = serviceRoute.map((uri) => `<${uri}>`).join(", ");
    this.#serviceRoute = ascii(routes === "" ? "" : `Service-Route: ${routes}\r\n`);
    this.#flowTimer = ascii(flowTimer > 0 ? `Flow-Timer: ${flowTimer}\r\n` : "");
  }

  /**
   * The answer.
   * @param aor the slot of the address-of-record; -1 when it has no binding
   * @param more header lines of whoever has authenticated the request
   * @returns its header lines are good until the next call
   */
  answer(message: Message, aor: number, outbound: Outbound, more: Uint8Array | null): Answer {
    const location = this.#location;
    const arena = this.#arena;
    arena.reset();
    // A Path line may grow by a space and an octet of its end.
    this.#rest = ANSWER_EXTRA + this.#serviceRoute.length + (more?.length ?? 0) + 2 * message.bytes.length;
    let start = arena.open(this.#rest);
    this.#gruus.begin();
    const wantsGruu = message.first(Header.Supported) !== 0 && hasToken(message, Header.Supported, GRUU);
    for (let slot = aor < 0 ? -1 : location.first(aor); slot >= 0; slot = location.next(slot)) {
      start = this.#contact(slot, start, wantsGruu);
    }
    for (let record = message.first(Header.Path); record !== 0; record = message.next(record)) {
      arena.put(PATH);
      arena.copy(message.bytes, message.valueStart(record), message.valueEnd(record));
      arena.put(CRLF);
    }
    arena.put(this.#serviceRoute);
    if (outbound !== Outbound.None) arena.put(REQUIRE_OUTBOUND);
    // s6 there: through a proxy the flow is the proxy's, and so is what keeps it alive.
    if (outbound === Outbound.Direct) arena.put(this.#flowTimer);
    if (more !== null) arena.put(more);
    arena.put(this.#dateLine());
    return { status: 200, headers: arena.bytes.subarray(start, arena.at) };
  }

  /** @returns where the lines begin now: they have moved when there was no room */
  #contact(slot: number, start: number, wantsGruu: boolean): number {
    const location = this.#location;
    const arena = this.#arena;
    const texts = location.texts(slot);
    const from = this.#room(start, texts.size + CONTACT_EXTRA);
    arena.put(CONTACT);
    this.#copy(texts, Section.Name);
    if (texts.lengthOf(Section.Name) > 0) arena.octet(SPACE);
    arena.octet(LAQUOT);
    this.#copy(texts, Section.Uri);
    arena.octet(RAQUOT);
    this.#copy(texts, Section.Params);
    arena.put(EXPIRES);
    arena.decimal(location.remaining(slot));
    if (!wantsGruu || !(location.flags(slot) & BindingFlag.Gruu)) {
      arena.put(CRLF);
      return from;
    }
    const gruus = this.#gruus.params(slot);
    const at = this.#room(from, gruus.length + CRLF.length);
    arena.put(gruus);
    arena.put(CRLF);
    return at;
  }

  #copy(texts: PackedBinding, section: Section): void {
    this.#arena.copy(texts.octets, texts.startOf(section), texts.endOf(section));
  }

  /** Makes room behind the lines so far, and for what follows the Contacts. @returns where they begin now */
  #room(start: number, octets: number): number {
    const arena = this.#arena;
    if (arena.at + octets + this.#rest <= arena.bytes.length) return start;
    const lines = arena.bytes.subarray(start, arena.at);
    const from = arena.open(2 * (lines.length + octets + this.#rest));
    arena.put(lines);
    return from;
  }

  /** s10.3: a 200 says what time it is; the line is made once a second. */
  #dateLine(): Uint8Array {
    const second = Math.floor(this.#location.now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = ascii(`Date: ${formatDate(second * 1000)}\r\n`) as Uint8Array<ArrayBuffer>;
    }
    return this.#date;
  }
}
