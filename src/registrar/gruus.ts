/**
 * Globally routable user agent URIs (RFC 5627): public ones are the address-of-record with the instance in `gr`, temporary
 * ones are made anew for each REGISTER and tell nobody whose they are.
 *
 * The handle in a temporary GRUU is made of address-of-record, instance and Call-ID, so it is the same after a restart. An
 * instance has one for each Call-ID that its flows were registered with; all but the last are forgotten once it registers
 * again with another one (s5.1), and all with its last binding (s5.3). Should it come back with a Call-ID of before, the
 * number in a temporary GRUU tells that it is of the time before.
 */
import type { Location } from "../location/location.ts";
import { MAX_RUN, Section } from "../location/packed.ts";
import { BindingFlag } from "../location/row.ts";
import { aorOf, MAX_AOR } from "../message/aor.ts";
import { AT, ascii, CLASS, equalRanges, PERCENT, UNRESERVED } from "../message/bytes.ts";
import type { Uri } from "../message/uri.ts";
import {
  SCHEME_SIP,
  scanUri,
  URI_HEADERS_START,
  URI_HOST_END,
  URI_HOST_START,
  URI_SCHEME,
  URI_SIZE,
  UriResult,
} from "../message/uri-scan.ts";
import { MAX_INSTANCE } from "./contact-fields.ts";
import { GruuTable } from "./gruu-table.ts";
import { KEY_OCTETS, TemporaryUsers, USER_LENGTH } from "./temporary-users.ts";

const PUB_GRUU = ascii(';pub-gruu="');
const GR = ascii(";gr=");
const TEMP_GRUU = ascii('";temp-gruu="sip:');
const END = ascii(';gr"');
const NONE = new Uint8Array(0);
const HEX = ascii("0123456789ABCDEF");
/** 1 for an octet that may stand in a parameter of a URI (RFC 3261 s25.1). */
const IN_PARAM = CLASS.map((bits) => (bits & UNRESERVED ? 1 : 0));
for (const c of ascii("[]/:&+$")) IN_PARAM[c] = 1;
/** Octets before the texts that a handle is made of: the key, and the lengths of two of them. */
const HANDLE_HEAD = KEY_OCTETS + 4;

/** What a GRUU leads to. */
export interface GruuTarget {
  /** The canonical address-of-record. */
  readonly aor: string;
  readonly instance: string;
}

export class Gruus {
  readonly #location: Location;
  readonly #users: TemporaryUsers;
  /** Made with the first agent: where no client knows GRUUs it takes nothing. */
  #table: GruuTable | null = null;
  // A handle: what it is hashed of, and its hash.
  readonly #hashed = new Uint8Array(HANDLE_HEAD + MAX_AOR + MAX_RUN);
  readonly #handle = new Int32Array(8);
  readonly #hash = new Uint8Array(this.#handle.buffer);
  // The parameters of a Contact.
  readonly #params = new Uint8Array(2 * MAX_AOR + 3 * MAX_INSTANCE + USER_LENGTH + 64);
  readonly #aor = new Uint8Array(MAX_AOR);
  readonly #uri = new Int32Array(URI_SIZE);
  /** That of the temporary GRUUs of this answer; 0 when it has none yet. */
  #number = 0;

  /** @param secret 32 octets; the same ones read what was made with them before */
  constructor(location: Location, secret: Uint8Array) {
    this.#location = location;
    this.#users = new TemporaryUsers(secret.slice(0, KEY_OCTETS));
    this.#hashed.set(secret.subarray(KEY_OCTETS, 2 * KEY_OCTETS));
  }

  /** User agents that have a temporary GRUU. */
  get size(): number {
    return this.#table?.size ?? 0;
  }

  /** Takes in what a store held: of each address-of-record in the order in which it was registered. */
  load(): void {
    const location = this.#location;
    for (let slot = 0; slot < location.used; slot++) {
      if (location.expires(slot) === 0) continue;
      const first = location.first(location.aorSlotOf(slot));
      if (first !== slot) continue;
      const slots: number[] = [];
      for (let one = first; one >= 0; one = location.next(one)) slots.push(one);
      slots.sort((a, b) => location.updated(a) - location.updated(b) || location.id(a) - location.id(b));
      for (const one of slots) this.bound(one);
    }
  }

  /** A binding was made or changed. */
  bound(slot: number): void {
    const location = this.#location;
    if (!this.#knowsGruus(slot)) {
      this.unbound(slot);
      return;
    }
    this.#table ??= new GruuTable(location.ceiling);
    const table = this.#table;
    this.#makeHandle(slot);
    const low = this.#handle[0]!;
    const high = this.#handle[1]!;
    const before = table.agentOf(slot);
    const agent = before !== 0 && table.has(slot, low, high) ? before : this.#agentFor(slot, before, table);
    // s5.1: a flow is compared with itself, another binding with the one registered last.
    const compared = location.regId(slot) === 0 ? table.newest(agent) : agent === before ? slot : -1;
    if (compared >= 0 && !table.has(compared, low, high)) table.forget(agent);
    table.attach(slot, agent, low, high, location.id(slot));
  }

  /** A binding is about to go. */
  unbound(slot: number): void {
    this.#table?.detach(slot);
  }

  /** Whether a binding's client does; a store may say so of what no REGISTER has made. */
  #knowsGruus(slot: number): boolean {
    const location = this.#location;
    if (!(location.flags(slot) & BindingFlag.Gruu)) return false;
    const { instanceLength } = location.texts(slot);
    return instanceLength > 0 && instanceLength <= MAX_INSTANCE && location.aorLength(slot) <= MAX_AOR;
  }

  /**
   * The agent of a binding that is new or has come with another handle.
   * @param before the agent that it had; 0 for none
   */
  #agentFor(slot: number, before: number, table: GruuTable): number {
    const beside = this.#agentBeside(slot, table);
    if (before !== 0) {
      // Alone it takes its agent with it to another instance: all that was made for the one before is forgotten.
      if (beside === before || (beside === 0 && table.isAlone(slot))) return before;
      table.detach(slot);
    }
    return beside !== 0 ? beside : table.open();
  }

  /** The agent of another binding with the same address-of-record and instance; 0 when there is none. */
  #agentBeside(slot: number, table: GruuTable): number {
    const location = this.#location;
    const { octets, instanceStart: start, instanceLength } = location.texts(slot);
    const end = start + instanceLength;
    for (let other = location.first(location.aorSlotOf(slot)); other >= 0; other = location.next(other)) {
      if (other === slot || table.agentOf(other) === 0) continue;
      const texts = location.texts(other);
      const from = texts.instanceStart;
      if (equalRanges(octets, start, end, texts.octets, from, from + texts.instanceLength)) return table.agentOf(other);
    }
    return 0;
  }

  /** Makes the handle of a binding: it is {@link #handle}'s first two words then. */
  #makeHandle(slot: number): void {
    const location = this.#location;
    const hashed = this.#hashed;
    const aorLength = location.aorLength(slot);
    const texts = location.texts(slot);
    const { octets, instanceStart, instanceLength } = texts;
    hashed[KEY_OCTETS] = aorLength;
    hashed[KEY_OCTETS + 1] = aorLength >>> 8;
    hashed[KEY_OCTETS + 2] = instanceLength;
    hashed[KEY_OCTETS + 3] = instanceLength >>> 8;
    location.copyAor(slot, hashed, HANDLE_HEAD);
    let at = HANDLE_HEAD + aorLength;
    for (let i = instanceStart; i < instanceStart + instanceLength; i++) hashed[at++] = octets[i]!;
    const end = texts.endOf(Section.CallId);
    for (let i = texts.startOf(Section.CallId); i < end; i++) hashed[at++] = octets[i]!;
    Bun.SHA256.hash(hashed.subarray(0, at), this.#hash);
  }

  // ---- answers

  /** An answer begins: its temporary GRUUs are new ones, one for each instance (s5.2). */
  begin(): void {
    this.#number = 0;
  }

  /**
   * The Contact parameters of a binding whose client understands GRUUs (s5.2); empty where it cannot have any.
   * @returns octets that are good until the next call
   */
  params(slot: number): Uint8Array {
    const location = this.#location;
    const table = this.#table;
    if (table === null || table.agentOf(slot) === 0) return NONE;
    const agent = table.agentOf(slot);
    const aor = this.#aor;
    const uri = this.#uri;
    const aorLength = location.aorLength(slot);
    location.copyAor(slot, aor, 0);
    // What came from a store may be no URI.
    const isUri = scanUri(aor, 0, aorLength, uri) === UriResult.OK;
    if (!isUri || uri[URI_SCHEME] !== SCHEME_SIP || uri[URI_HEADERS_START]! >= 0) return NONE;
    const out = this.#params;
    let at = copy(PUB_GRUU, 0, PUB_GRUU.length, out, 0);
    at = copy(aor, 0, aorLength, out, at);
    at = copy(GR, 0, GR.length, out, at);
    const { octets, instanceStart, instanceLength } = location.texts(slot);
    // Without its angle brackets.
    at = copyEscaped(octets, instanceStart + 1, instanceStart + instanceLength - 1, out, at);
    at = copy(TEMP_GRUU, 0, TEMP_GRUU.length, out, at);
    this.#number ||= location.nextNumber();
    at = this.#users.write(table.lowOf(agent), table.highOf(agent), this.#number, out, at);
    out[at++] = AT;
    at = copy(aor, uri[URI_HOST_START]!, uri[URI_HOST_END]!, out, at);
    at = copy(END, 0, END.length, out, at);
    return out.subarray(0, at);
  }

  // ---- requests

  /** What a URI leads to when it is a GRUU made here; null when it is none, or leads nowhere any more. */
  resolve(uri: Uri): GruuTarget | null {
    const gr = uri.params.raw("gr");
    if (gr === undefined) return null;
    if (gr !== "") return { aor: aorOf(uri) ?? "", instance: `<${unescaped(gr)}>` };
    const users = this.#users;
    if (this.#table === null || !users.read(uri.rawUser ?? "")) return null;
    const agent = this.#table.find(users.low, users.high);
    if (agent === 0 || users.number < this.#table.since(agent)) return null;
    const slot = this.#table.newest(agent);
    return { aor: this.#location.aorOf(slot), instance: this.#location.instance(slot) };
  }
}

/** Copies a range. @returns where it ends */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  let next = at;
  for (let i = start; i < end; i++) to[next++] = from[i]!;
  return next;
}

/** Copies a range with all escaped that may not stand in a parameter of a URI. @returns where it ends */
function copyEscaped(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  let next = at;
  for (let i = start; i < end; i++) {
    const c = from[i]!;
    if (IN_PARAM[c] === 1) to[next++] = c;
    else {
      to[next++] = PERCENT;
      to[next++] = HEX[c >>> 4]!;
      to[next++] = HEX[c & 15]!;
    }
  }
  return next;
}

/** Text with its escapes undone, one character an octet. */
function unescaped(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}/g, (triple) => String.fromCharCode(Number.parseInt(triple.slice(1), 16)));
}
