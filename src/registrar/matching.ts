/**
 * Which binding a Contact is: that of its instance and reg-id (RFC 5626 s6), or that of its URI (RFC 3261 s10.3 step 7,
 * s19.1.4). URIs are parsed only where no octets are the same, each once in a request, and none is compared with each.
 */
import type { Location } from "../location/location.ts";
import { Section } from "../location/packed.ts";
import { equalRanges } from "../message/bytes.ts";
import { Uri } from "../message/uri.ts";
import { ComparedUri, UriSet } from "../message/uri-set.ts";
import { CONTACT_END, CONTACT_START, INSTANCE_END, INSTANCE_START, MATCH, REG_ID, WORDS } from "./contact-fields.ts";

export class ContactMatching {
  readonly #location: Location;
  readonly #table: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  /** URIs of Contacts by their index, as far as they were read. */
  readonly #uris: (ComparedUri | undefined)[] = [];
  /** The bindings without a reg-id by their slot, once a Contact has asked for them. */
  #bound: UriSet | null = null;
  /** Contacts of the request that are new, by their index, as far as they were looked at. */
  #fresh: UriSet | null = null;

  /** @param table of the Contacts, by `contact-fields.ts` */
  constructor(location: Location, table: Int32Array) {
    this.#location = location;
    this.#table = table;
  }

  /** A request begins. @param bytes its octets */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
    if (this.#uris.length > 0) this.#uris.length = 0;
    this.#bound = null;
    this.#fresh = null;
  }

  /** The binding of an address-of-record that a Contact is; -1 when it is none that is known. */
  bindingOf(aor: number, index: number): number {
    const location = this.#location;
    const table = this.#table;
    const bytes = this.#bytes;
    const at = index * WORDS;
    const regId = table[at + REG_ID]!;
    const start = table[at + (regId > 0 ? INSTANCE_START : CONTACT_START)]!;
    const end = table[at + (regId > 0 ? INSTANCE_END : CONTACT_END)]!;
    for (let slot = location.first(aor); slot >= 0; slot = location.next(slot)) {
      if (location.regId(slot) !== regId) continue;
      const texts = location.texts(slot);
      const from = regId > 0 ? texts.instanceStart : texts.startOf(Section.Uri);
      const to = regId > 0 ? from + texts.instanceLength : texts.endOf(Section.Uri);
      if (equalRanges(bytes, start, end, texts.octets, from, to)) return slot;
    }
    return regId > 0 ? -1 : this.#equalUri(aor, index);
  }

  /**
   * Whether a Contact is one that came before it in the request: which of them counts would be a guess. They are asked
   * about one after the other, from the first.
   */
  isRepeated(index: number): boolean {
    const table = this.#table;
    const at = index * WORDS;
    const isByUri = table[at + MATCH]! < 0 && table[at + REG_ID] === 0;
    if (isByUri) return this.#isSameUri(index);
    for (let other = 0; other < at; other += WORDS) {
      if (table[at + MATCH] !== table[other + MATCH]) continue;
      if (table[at + MATCH]! >= 0) return true;
      if (table[at + REG_ID] === table[other + REG_ID] && this.#isSameInstance(at, other)) return true;
    }
    return false;
  }

  #isSameUri(index: number): boolean {
    this.#fresh ??= new UriSet();
    const uri = this.#uri(index);
    if (this.#fresh.find(uri) >= 0) return true;
    this.#fresh.add(uri, index);
    return false;
  }

  #isSameInstance(at: number, other: number): boolean {
    const table = this.#table;
    const [start, end] = [table[at + INSTANCE_START]!, table[at + INSTANCE_END]!];
    return equalRanges(
      this.#bytes,
      start,
      end,
      this.#bytes,
      table[other + INSTANCE_START]!,
      table[other + INSTANCE_END]!,
    );
  }

  /** s19.1.4, for URIs whose octets differ. */
  #equalUri(aor: number, index: number): number {
    this.#bound ??= this.#bindings(aor);
    return this.#bound.find(this.#uri(index));
  }

  #bindings(aor: number): UriSet {
    const location = this.#location;
    const set = new UriSet();
    for (let slot = location.first(aor); slot >= 0; slot = location.next(slot)) {
      if (location.regId(slot) > 0) continue;
      // A store may have held what is none.
      const uri = Uri.parse(location.text(slot, Section.Uri));
      if (uri !== null) set.add(new ComparedUri(uri), slot);
    }
    return set;
  }

  /** The URI of a Contact, which was found to be one. */
  #uri(index: number): ComparedUri {
    const at = index * WORDS;
    this.#uris[index] ??= new ComparedUri(
      Uri.parse(this.#bytes, this.#table[at + CONTACT_START]!, this.#table[at + CONTACT_END]!)!,
    );
    return this.#uris[index];
  }
}
