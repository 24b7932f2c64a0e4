/**
 * Which binding a Contact is: that of its instance and reg-id (RFC 5626 s6), or that of its URI (RFC 3261 s10.3 step 7,
 * s19.1.4). URIs are parsed only where no octets are the same, and each once in a request.
 */
import type { Location } from "../location/location.ts";
import { Section } from "../location/packed.ts";
import { equalRanges } from "../message/bytes.ts";
import { Uri } from "../message/uri.ts";
import { equalUris } from "../message/uri-compare.ts";
import { CONTACT_END, CONTACT_START, INSTANCE_END, INSTANCE_START, MATCH, REG_ID, WORDS } from "./contact-fields.ts";

export class ContactMatching {
  readonly #location: Location;
  readonly #table: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  /** URIs of Contacts by their index, as far as they were parsed. */
  readonly #uris: (Uri | undefined)[] = [];
  /** The same of bindings by their slot. */
  readonly #known = new Map<number, Uri | null>();

  /** @param table of the Contacts, by `contact-fields.ts` */
  constructor(location: Location, table: Int32Array) {
    this.#location = location;
    this.#table = table;
  }

  /** A request begins. @param bytes its octets */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
    if (this.#uris.length > 0) this.#uris.length = 0;
    if (this.#known.size > 0) this.#known.clear();
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

  /** Whether a Contact is one that came before it in the request: which of them counts would be a guess. */
  isRepeated(index: number): boolean {
    const table = this.#table;
    const at = index * WORDS;
    for (let i = 0, other = 0; i < index; i++, other += WORDS) {
      if (table[at + MATCH] !== table[other + MATCH]) continue;
      if (table[at + MATCH]! >= 0) return true;
      if (table[at + REG_ID] !== table[other + REG_ID]) continue;
      if (table[at + REG_ID]! > 0 ? this.#isSameInstance(at, other) : equalUris(this.#uri(index), this.#uri(i))) {
        return true;
      }
    }
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
    const location = this.#location;
    for (let slot = location.first(aor); slot >= 0; slot = location.next(slot)) {
      if (location.regId(slot) > 0) continue;
      const known = this.#knownUri(slot);
      if (known !== null && equalUris(this.#uri(index), known)) return slot;
    }
    return -1;
  }

  /** The URI of a Contact, which was found to be one. */
  #uri(index: number): Uri {
    const at = index * WORDS;
    this.#uris[index] ??= Uri.parse(this.#bytes, this.#table[at + CONTACT_START]!, this.#table[at + CONTACT_END]!)!;
    return this.#uris[index];
  }

  /** The URI of a binding; null where a store held what is none. */
  #knownUri(slot: number): Uri | null {
    let uri = this.#known.get(slot);
    if (uri === undefined) {
      uri = Uri.parse(this.#location.text(slot, Section.Uri));
      this.#known.set(slot, uri);
    }
    return uri;
  }
}
