/**
 * What a registrar does with a REGISTER (RFC 3261 s10.3, RFC 3327 s5.3, RFC 5626 s6, RFC 5627 s5.1): all of it is looked at
 * before any of it is done.
 */
import type { FoundUser } from "../auth/digest.ts";
import type { Location } from "../location/location.ts";
import { BindingPacker, Section } from "../location/packed.ts";
import { BindingFlag } from "../location/row.ts";
import { ascii, equalRanges } from "../message/bytes.ts";
import { hasToken } from "../message/has-token.ts";
import { Header } from "../message/header.ts";
import { CSEQ_NUMBER } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { cameDirectly } from "../message/via.ts";
import type { Answer } from "../server/arrival.ts";
import { OLD_CSEQ, TOO_LARGE } from "../server/screening.ts";
import type { Channel } from "../transport/channel.ts";
import { isBehindNat } from "./behind-nat.ts";
import {
  CONTACT_END,
  CONTACT_START,
  ContactFault,
  ContactFields,
  EXPIRES,
  FLAGS,
  HOST_START,
  INSTANCE_END,
  MATCH,
  NO_EXPIRES,
  Q,
  REG_ID,
  secondsAt,
  WORDS,
} from "./contact-fields.ts";
import type { RegistrarCounters } from "./counters.ts";
import type { Flows } from "./flows.ts";
import type { Gruus } from "./gruus.ts";
import { ContactMatching } from "./matching.ts";
import { PathKind, packPath, scanPath } from "./path.ts";
import { ANSWER_EXTRA, CONTACT_EXTRA, Outbound, type Registered } from "./registered.ts";
import type { RegistrarSettings } from "./settings.ts";
import { type MayRegister, Whose } from "./whose.ts";

const BAD_STAR: Answer = { status: 400, reason: "Contact * Needs Expires: 0" };
const TOO_MANY: Answer = { status: 403, reason: "Too Many Contacts" };
const FULL: Answer = { status: 503, reason: "No Room For Bindings", headers: ascii("Retry-After: 60\r\n") };
const LOOP: Answer = { status: 403, reason: "Contact Is The Address-Of-Record Itself" };
const NOT_SIP: Answer = { status: 403, reason: "Contact With An Instance Is No SIP URI" };
const TWICE: Answer = { status: 400, reason: "Same Contact Twice" };
const BAD_PATH: Answer = { status: 400, reason: "Malformed Path" };
const TWO_FLOWS: Answer = { status: 400, reason: "One Contact With reg-id At A Time" };
const NO_OUTBOUND: Answer = { status: 439 };
const TOO_LONG: Answer = { status: 513, reason: "Contact And Path Too Long" };
const STORE_DOWN = ascii("Retry-After: 5\r\n");
/** By {@link ContactFault}. */
const FAULTS: readonly Answer[] = [
  { status: 200 },
  { status: 400, reason: "Malformed Contact" },
  { status: 400, reason: "Malformed Contact URI" },
  { status: 400, reason: "Malformed q In Contact" },
  { status: 400, reason: "Contact * Beside Others" },
  TOO_MANY,
];
/** A minimum may not turn away who asks for as much as this (s10.3). */
const HOUR = 3600;
const LOST_OR_ELSEWHERE = BindingFlag.FlowLost | BindingFlag.Elsewhere;
const OUTBOUND = ascii("outbound");
const GRUU = ascii("gruu");

export interface RegistrationParts {
  readonly location: Location;
  readonly flows: Flows;
  readonly gruus: Gruus;
  readonly settings: RegistrarSettings;
  readonly counters: RegistrarCounters;
  readonly registered: Registered;
  readonly mayRegister: MayRegister | undefined;
}

export class Registration {
  /** Whether the last REGISTER that was carried out has asked and changed nothing. */
  isQuery = false;
  readonly #parts: RegistrationParts;
  readonly #location: Location;
  readonly #contacts = new ContactFields();
  readonly #packer = new BindingPacker();
  readonly #whose: Whose;
  readonly #matching: ContactMatching;
  #applied: Outbound = Outbound.None;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
    this.#location = parts.location;
    this.#matching = new ContactMatching(parts.location, this.#contacts.table);
    this.#whose = new Whose(parts.settings.domains, parts.mayRegister, parts.gruus);
  }

  /**
   * Carries out a REGISTER.
   * @param user who has proved to send it; null where nobody is asked
   * @param more header lines for a 200
   * @returns what it is answered with; its header lines are good until the next call
   */
  take(
    message: Message,
    channel: Channel,
    peer: string,
    port: number,
    user: FoundUser | null,
    more: Uint8Array | null,
  ): Answer {
    const { counters, registered } = this.#parts;
    // Whatever it changes, those who watch are told of it once.
    const refusal =
      this.#whose.read(message, user) ?? this.#location.together(() => this.#change(message, channel, peer, port));
    if (refusal !== null) {
      counters.refused++;
      return refusal;
    }
    const aor = this.#location.find(this.#whose.aor, 0, this.#whose.length);
    return registered.answer(message, aor, this.#applied, more);
  }

  /** s10.3, steps 6 and 7. */
  #change(message: Message, channel: Channel, peer: string, port: number): Answer | null {
    const { counters } = this.#parts;
    const contacts = this.#contacts;
    this.#applied = Outbound.None;
    const fault = contacts.scan(message);
    if (fault !== ContactFault.None) return FAULTS[fault]!;
    this.isQuery = contacts.count === 0 && !contacts.isStar;
    if (this.isQuery) {
      counters.fetched++;
      return null;
    }
    const path = message.first(Header.Path) === 0 ? PathKind.None : scanPath(message);
    if (path === PathKind.Malformed) return BAD_PATH;
    const trouble = this.#location.store?.trouble ?? null;
    if (trouble !== null) {
      counters.storeRefused++;
      return notStored(trouble);
    }
    const aor = this.#location.find(this.#whose.aor, 0, this.#whose.length);
    if (contacts.isStar) return this.#removeAll(message, aor);
    const isDirect = cameDirectly(message);
    const refusal =
      this.#settle(message) ?? this.#outbound(message, isDirect, path) ?? this.#match(message, aor, channel);
    if (refusal !== null) return refusal;
    return this.#carryOut(message, channel, peer, port, isDirect);
  }

  /** s10.2.2. */
  #removeAll(message: Message, aor: number): Answer | null {
    if (headerExpires(message) !== 0) return BAD_STAR;
    const location = this.#location;
    if (aor < 0) return null;
    for (let slot = location.first(aor); slot >= 0; slot = location.next(slot)) {
      if (!this.#isInOrder(message, slot)) return OLD_CSEQ;
    }
    for (let slot = location.first(aor); slot >= 0; ) {
      const next = location.next(slot);
      this.#remove(slot);
      slot = next;
    }
    return null;
  }

  /** How long each contact lasts (s10.3, step 7). */
  #settle(message: Message): Answer | null {
    const { minExpires, maxExpires, defaultExpires, maxContacts } = this.#parts.settings;
    const { table, count } = this.#contacts;
    // All there can be may go, and as many others come.
    if (count > 2 * maxContacts) return TOO_MANY;
    const asked = headerExpires(message);
    for (let i = 0, at = 0; i < count; i++, at += WORDS) {
      let seconds = table[at + EXPIRES]!;
      if (seconds === NO_EXPIRES) seconds = asked === NO_EXPIRES ? defaultExpires : asked;
      if (seconds > 0 && seconds < minExpires && seconds < HOUR) {
        return { status: 423, headers: ascii(`Min-Expires: ${minExpires}\r\n`) };
      }
      table[at + EXPIRES] = Math.min(seconds, maxExpires);
    }
    return null;
  }

  /** Which contacts are those of RFC 5626: the others lose their reg-id (s6 there). */
  #outbound(message: Message, isDirect: boolean, path: PathKind): Answer | null {
    const { table, count } = this.#contacts;
    let withRegId = 0;
    let flows = 0;
    let bound = 0;
    for (let i = 0, at = 0; i < count; i++, at += WORDS) {
      if (table[at + INSTANCE_END] === 0) table[at + REG_ID] = 0;
      const isBound = table[at + EXPIRES]! > 0;
      if (isBound) bound++;
      if (table[at + REG_ID] === 0) continue;
      withRegId++;
      if (isBound) flows++;
    }
    if (withRegId === 0) return null;
    const isSupported = hasToken(message, Header.Supported, OUTBOUND);
    if (!isDirect && path !== PathKind.Outbound) {
      if (isSupported) return NO_OUTBOUND;
      for (let i = 0; i < count; i++) table[i * WORDS + REG_ID] = 0;
      return null;
    }
    if (flows > 0 && bound > 1) return TWO_FLOWS;
    if (isSupported) this.#applied = isDirect ? Outbound.Direct : Outbound.Proxied;
    return null;
  }

  /** Finds the binding that each contact is, and what is against it. */
  #match(message: Message, aor: number, channel: Channel): Answer | null {
    const { table, count } = this.#contacts;
    const location = this.#location;
    this.#matching.begin(message.bytes);
    let more = 0;
    for (let i = 0, at = 0; i < count; i++, at += WORDS) {
      const slot = aor < 0 ? -1 : this.#matching.bindingOf(aor, i);
      table[at + MATCH] = slot;
      if (count > 1 && this.#matching.isRepeated(i)) return TWICE;
      if (slot >= 0 && !this.#isInOrder(message, slot)) return OLD_CSEQ;
      if (table[at + EXPIRES]! > 0) {
        // What was bound by its URI was looked at when it was new.
        const refusal = slot >= 0 && table[at + REG_ID] === 0 ? null : this.#unfit(message.bytes, at);
        if (refusal !== null) return refusal;
        if (slot < 0) more++;
      } else if (slot >= 0) more--;
    }
    if (more <= 0) return null;
    const excess = (aor < 0 ? 0 : location.countOf(aor)) + more - this.#parts.settings.maxContacts;
    if (excess > 0 && this.#dropLost(aor) < excess) return TOO_MANY;
    if (location.size + more > location.ceiling) return FULL;
    // The last of those that were lost has taken the address-of-record with it.
    const left = aor < 0 || location.countOf(aor) === 0 ? -1 : location.first(aor);
    return this.#isTellable(message, left, channel) ? null : TOO_LARGE;
  }

  /**
   * Whether a datagram holds the 200 once there are more bindings: it says again what stands in the request. That is not to
   * the octet; should a GRUU still be too much, it is found out when the 200 is sent.
   * @param first of the bindings there are; -1 for none
   */
  #isTellable({ bytes }: Message, first: number, { longest }: Channel): boolean {
    const location = this.#location;
    let octets = bytes.length + this.#contacts.count * CONTACT_EXTRA + ANSWER_EXTRA;
    for (let slot = first; slot >= 0 && octets <= longest; slot = location.next(slot)) {
      if (!this.#contacts.isMatched(slot)) octets += location.texts(slot).size + CONTACT_EXTRA;
    }
    return octets <= longest;
  }

  /**
   * Bindings whose flow went with an earlier life of this server lead nowhere any more: they go where their place is wanted.
   * Those of another server have their flow there.
   * @returns how many there were
   */
  #dropLost(aor: number): number {
    const location = this.#location;
    let count = 0;
    for (let slot = aor < 0 ? -1 : location.first(aor); slot >= 0; ) {
      const next = location.next(slot);
      const isLost = (location.flags(slot) & LOST_OR_ELSEWHERE) === BindingFlag.FlowLost;
      if (isLost && !this.#contacts.isMatched(slot)) {
        location.remove(slot, "deactivated");
        count++;
      }
      slot = next;
    }
    return count;
  }

  /** What is against a contact that is new (RFC 5627 s5.1). */
  #unfit(bytes: Uint8Array, at: number): Answer | null {
    const { table } = this.#contacts;
    if (table[at + HOST_START]! < 0) return table[at + INSTANCE_END]! > 0 ? NOT_SIP : null;
    return this.#whose.isLoop(bytes, table[at + CONTACT_START]!, table[at + CONTACT_END]!) ? LOOP : null;
  }

  /** s10.3: the same Call-ID wants a higher CSeq; another one is another registration altogether. */
  #isInOrder(message: Message, slot: number): boolean {
    const location = this.#location;
    if (message.table[CSEQ_NUMBER]! >>> 0 > location.cseq(slot)) return true;
    const callId = message.first(Header.CallId);
    const texts = location.texts(slot);
    const start = texts.startOf(Section.CallId);
    const end = texts.endOf(Section.CallId);
    return !equalRanges(message.bytes, message.valueStart(callId), message.valueEnd(callId), texts.octets, start, end);
  }

  #carryOut(message: Message, channel: Channel, peer: string, port: number, isDirect: boolean): Answer | null {
    const { table, count } = this.#contacts;
    // Packed once to see that it can be: what is done is done whole or not at all.
    for (let i = 0; i < count; i++) {
      if (!this.#pack(message, i, isDirect, channel, peer, port)) return TOO_LONG;
      const at = i * WORDS;
      table[at + FLAGS] = this.#flagsOf(message, at, channel, peer, port, isDirect);
    }
    // What goes makes room for what comes.
    for (let i = 0; i < count; i++) {
      const slot = table[i * WORDS + MATCH]!;
      if (table[i * WORDS + EXPIRES] === 0 && slot >= 0) this.#remove(slot);
    }
    for (let i = 0; i < count; i++) {
      if (table[i * WORDS + EXPIRES] === 0) continue;
      if (count > 1) this.#pack(message, i, isDirect, channel, peer, port);
      this.#bind(message, i * WORDS, isDirect ? channel : null);
    }
    return null;
  }

  #bind(message: Message, at: number, channel: Channel | null): void {
    const { counters, flows } = this.#parts;
    const { table } = this.#contacts;
    const slot = table[at + MATCH]!;
    const values = {
      expires: table[at + EXPIRES]!,
      cseq: message.table[CSEQ_NUMBER]!,
      q: table[at + Q]!,
      regId: table[at + REG_ID]!,
      flags: table[at + FLAGS]!,
    };
    let bound = slot;
    if (slot >= 0) {
      counters.refreshed++;
      this.#location.update(slot, this.#packer, values);
    } else {
      counters.registered++;
      bound = this.#location.add(this.#whose.aor, 0, this.#whose.length, this.#packer, values);
    }
    if (channel === null) flows.detach(bound);
    else flows.attach(bound, channel);
  }

  #remove(slot: number): void {
    this.#parts.counters.unregistered++;
    this.#location.remove(slot, "unregistered");
  }

  #flagsOf(message: Message, at: number, channel: Channel, peer: string, port: number, isDirect: boolean): number {
    const { table } = this.#contacts;
    let flags = 0;
    if (isDirect) {
      const isConnection = channel.dependants !== null;
      const isHidden = isBehindNat(message.bytes, table, at, peer, isConnection ? -1 : port);
      if (isHidden) flags |= BindingFlag.Nat;
      // What a NAT hides, or RFC 5626 ties to its flow, is found again by nothing else.
      if (channel.isOnlyWay || (isConnection && (isHidden || table[at + REG_ID]! > 0))) flags |= BindingFlag.FlowOnly;
    }
    if (table[at + INSTANCE_END]! > 0 && hasToken(message, Header.Supported, GRUU)) flags |= BindingFlag.Gruu;
    return flags;
  }

  #pack(message: Message, index: number, isDirect: boolean, channel: Channel, peer: string, port: number): boolean {
    const packer = this.#packer.begin();
    const { bytes } = message;
    if (!this.#contacts.pack(index, bytes, packer)) return false;
    const callId = message.first(Header.CallId);
    if (!packer.add(Section.CallId, bytes, message.valueStart(callId), message.valueEnd(callId))) return false;
    if (message.first(Header.Path) !== 0 && !packPath(message, packer)) return false;
    if (isDirect && !packReceived(packer, channel.transport, peer, port)) return false;
    const agent = message.first(Header.UserAgent);
    if (agent !== 0 && !packer.add(Section.UserAgent, bytes, message.valueStart(agent), message.valueEnd(agent))) {
      return false;
    }
    packer.end();
    return true;
  }
}

/** What a REGISTER gets that the store does not take. @param trouble see `BindingStore.trouble` */
export function notStored(trouble: string): Answer {
  return { status: 503, reason: `Bindings Cannot Be Stored: ${trouble}`, headers: STORE_DOWN };
}

/** What Expires says; {@link NO_EXPIRES} without one. */
function headerExpires(message: Message): number {
  const record = message.first(Header.Expires);
  return record === 0 ? NO_EXPIRES : secondsAt(message.bytes, message.valueStart(record), message.valueEnd(record));
}

function packReceived(packer: BindingPacker, transport: string, peer: string, port: number): boolean {
  const isV6 = peer.includes(":");
  return (
    packer.text(Section.Received, SCHEMES[transport] ?? "") &&
    packer.text(Section.Received, isV6 ? `[${peer}]` : peer) &&
    packer.text(Section.Received, ":") &&
    packer.decimal(Section.Received, port)
  );
}

const SCHEMES: Readonly<Record<string, string>> = { UDP: "udp:", TCP: "tcp:", TLS: "tls:", WS: "ws:", WSS: "wss:" };
