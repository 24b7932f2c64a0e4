/**
 * Where bindings lie (RFC 3261 s10): slots of one large array, sixteen words each, and their texts as runs of octets in a
 * {@link ByteStore}: half a million of them are nothing that the garbage collector walks over. Those of one address-of-record
 * are a list, which {@link AorTable} finds by its octets.
 *
 *     0   its address-of-record
 *     1   the next of the same
 *     2-3 its texts: block, length
 *     4   the timer of its expiry
 *     5-7 expires, CSeq, updated
 *     8   q and flags
 *     9   reg-id
 *     10-11 its number
 *     12-14 the links of the flows
 *
 * All slots are good until the binding is removed, or expires.
 */
import { ByteStore } from "../memory/byte-store.ts";
import { equalRanges, latin1 } from "../message/bytes.ts";
import { AorTable } from "./aor-table.ts";
import { type BindingPacker, PackedBinding, Section } from "./packed.ts";
import { type BindingRow, bindingKey } from "./row.ts";

/** A binding's record is 2^4 words. */
export const BINDING_SHIFT = 4;
const AOR = 0;
const NEXT = 1;
const BLOCK = 2;
const LENGTH = 3;
const TIMER = 4;
const EXPIRES = 5;
const CSEQ = 6;
const UPDATED = 7;
const Q_FLAGS = 8;
const REG_ID = 9;
const ID_LOW = 10;
const ID_HIGH = 11;
/** Where {@link BindingTable.records} has the three words of the flows, from the beginning of a binding. */
export const FLOW_WORDS = 12;

const Q_BITS = 10;
const Q_MASK = (1 << Q_BITS) - 1;
const TWO_32 = 2 ** 32;

/** What is said of a binding beside its texts and its number: its times are seconds since 1970. See {@link BindingRow}. */
export type WrittenValues = Pick<BindingRow, "expires" | "updated" | "cseq" | "q" | "regId" | "flags">;

/** Reads them, and takes and gives their slots; when a binding comes and goes is for its heir to say. */
export class BindingTable {
  /** The words of the bindings; see above. */
  readonly records: Int32Array;
  /** The most bindings at once. */
  readonly ceiling: number;
  /** Bindings there are. */
  size = 0;
  readonly #bytes = new ByteStore();
  readonly #aors: AorTable;
  readonly #packed = new PackedBinding();
  readonly #packing = new PackedBinding();
  #used = 0;
  #free = -1;

  /** @param seed two random words for the table */
  constructor(ceiling: number, seed: readonly [number, number]) {
    this.ceiling = ceiling;
    this.records = new Int32Array(ceiling << BINDING_SHIFT);
    this.#aors = new AorTable(this.#bytes, ceiling, seed);
  }

  /** Addresses-of-record that have a binding. */
  get aors(): number {
    return this.#aors.size;
  }

  /** Octets in segments for texts. */
  get octets(): number {
    return this.#bytes.capacity;
  }

  /** Slots that are or were in use: all numbers below this. A free one has no expiry. */
  get used(): number {
    return this.#used;
  }

  // ---- addresses-of-record

  /** The slot of a canonical address-of-record; -1 when it has no binding. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#aors.find(bytes, start, end);
  }

  /** The same by its text. */
  findText(aor: string): number {
    return this.#aors.findText(aor);
  }

  /** The first binding of an address-of-record. */
  first(aor: number): number {
    return this.#aors.first(aor);
  }

  /** The next binding of the same address-of-record; -1 behind the last. */
  next(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + NEXT]!;
  }

  /** How many bindings an address-of-record has. */
  countOf(aor: number): number {
    return this.#aors.countOf(aor);
  }

  /** The canonical address-of-record that a binding is of. */
  aorOf(slot: number): string {
    return this.#aors.text(this.aorSlotOf(slot));
  }

  /** The octets in the address-of-record of a binding. */
  aorLength(slot: number): number {
    return this.#aors.length(this.aorSlotOf(slot));
  }

  /** Copies the address-of-record of a binding. */
  copyAor(slot: number, to: Uint8Array, at: number): void {
    this.#aors.copy(this.aorSlotOf(slot), to, at);
  }

  aorSlotOf(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + AOR]!;
  }

  // ---- a binding

  /** Its texts. Read before the next call. */
  texts(slot: number): PackedBinding {
    const block = this.records[(slot << BINDING_SHIFT) + BLOCK]!;
    return this.#packed.at(this.#bytes.segment(block), this.#bytes.offset(block));
  }

  /** The octets in the run of its texts. */
  textsLength(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + LENGTH]!;
  }

  /** Copies the run of its texts, as whole words. @param at in words */
  copyTexts(slot: number, to: Int32Array, at: number): void {
    const block = this.records[(slot << BINDING_SHIFT) + BLOCK]!;
    const words = this.#bytes.wordSegment(block);
    const from = this.#bytes.wordOffset(block);
    for (let i = (this.textsLength(slot) + 3) >>> 2; i-- > 0; ) to[at + i] = words[from + i]!;
  }

  /** When it expires, in seconds since 1970; 0 for a slot that is free. */
  expires(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + EXPIRES]! >>> 0;
  }

  cseq(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + CSEQ]! >>> 0;
  }

  /** When it was registered or refreshed last, in seconds since 1970. */
  updated(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + UPDATED]! >>> 0;
  }

  /** 0 to 1000. */
  q(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + Q_FLAGS]! & Q_MASK;
  }

  /** Bits of `BindingFlag`. */
  flags(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + Q_FLAGS]! >>> Q_BITS;
  }

  setFlags(slot: number, flags: number): void {
    const at = (slot << BINDING_SHIFT) + Q_FLAGS;
    this.records[at] = (this.records[at]! & Q_MASK) | (flags << Q_BITS);
  }

  regId(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + REG_ID]! >>> 0;
  }

  /** Its number; see {@link BindingRow.id}. */
  id(slot: number): number {
    const at = slot << BINDING_SHIFT;
    return (this.records[at + ID_HIGH]! >>> 0) * TWO_32 + (this.records[at + ID_LOW]! >>> 0);
  }

  /** The binding of an address-of-record with this number; -1 when there is none. */
  slotWithId(aor: string, id: number): number {
    const aorSlot = this.findText(aor);
    let slot = aorSlot < 0 ? -1 : this.first(aorSlot);
    while (slot >= 0 && this.id(slot) !== id) slot = this.next(slot);
    return slot;
  }

  /** The binding of an address-of-record with this key, by {@link bindingKey}; -1 when there is none. */
  slotOf(aor: string, key: string): number {
    const aorSlot = this.findText(aor);
    if (aorSlot < 0) return -1;
    for (let slot = this.first(aorSlot); slot >= 0; slot = this.next(slot)) {
      if (this.keyOf(slot) === key) return slot;
    }
    return -1;
  }

  /** By what a binding is told from others of its address-of-record. */
  keyOf(slot: number): string {
    const regId = this.regId(slot);
    return bindingKey({ regId, instance: regId > 0 ? this.instance(slot) : "", contact: this.text(slot, Section.Uri) });
  }

  /** One of a binding's texts. */
  text(slot: number, section: Section): string {
    const texts = this.texts(slot);
    return latin1(texts.octets, texts.startOf(section), texts.endOf(section));
  }

  instance(slot: number): string {
    const { octets, instanceStart, instanceLength } = this.texts(slot);
    return latin1(octets, instanceStart, instanceStart + instanceLength);
  }

  /** A binding in words. */
  row(slot: number): BindingRow {
    return {
      id: this.id(slot),
      aor: this.aorOf(slot),
      name: this.text(slot, Section.Name),
      contact: this.text(slot, Section.Uri),
      params: this.text(slot, Section.Params),
      instance: this.instance(slot),
      regId: this.regId(slot),
      q: this.q(slot),
      callId: this.text(slot, Section.CallId),
      cseq: this.cseq(slot),
      expires: this.expires(slot),
      updated: this.updated(slot),
      path: this.text(slot, Section.Path),
      received: this.text(slot, Section.Received),
      userAgent: this.text(slot, Section.UserAgent),
      flags: this.flags(slot),
    };
  }

  // ---- slots

  /** The binding of an address-of-record that {@link bindingKey} does not tell from this one; -1 when there is none. */
  protected known(aor: number, packer: BindingPacker, regId: number): number {
    for (let slot = this.first(aor); slot >= 0; slot = this.next(slot)) {
      if (this.isKeyOf(slot, packer, regId)) return slot;
    }
    return -1;
  }

  /** Whether {@link bindingKey} does not tell a binding from this one. */
  protected isKeyOf(slot: number, packer: BindingPacker, regId: number): boolean {
    if (this.regId(slot) !== regId) return false;
    const other = this.#packing.at(packer.octets, 0);
    const from = regId > 0 ? other.instanceStart : other.startOf(Section.Uri);
    const to = regId > 0 ? from + other.instanceLength : other.endOf(Section.Uri);
    const texts = this.texts(slot);
    const start = regId > 0 ? texts.instanceStart : texts.startOf(Section.Uri);
    const end = regId > 0 ? start + texts.instanceLength : texts.endOf(Section.Uri);
    return equalRanges(texts.octets, start, end, other.octets, from, to);
  }

  /** A free slot in the list of an address-of-record, or -1. */
  protected take(aor: Uint8Array, start: number, end: number): number {
    if (this.size >= this.ceiling) return -1;
    const { records } = this;
    let slot = this.#free;
    if (slot >= 0) this.#free = records[(slot << BINDING_SHIFT) + NEXT]!;
    else slot = this.#used++;
    const owner = this.#aors.open(aor, start, end);
    const at = slot << BINDING_SHIFT;
    for (let i = 1 << BINDING_SHIFT; i-- > 0; ) records[at + i] = 0;
    records[at + AOR] = owner;
    records[at + NEXT] = this.#aors.first(owner);
    this.#aors.put(owner, slot);
    this.size++;
    return slot;
  }

  /** Gives a slot back, with its texts. */
  protected give(slot: number): void {
    const at = slot << BINDING_SHIFT;
    this.drop(slot);
    this.#unlink(slot);
    this.records[at + EXPIRES] = 0;
    this.records[at + NEXT] = this.#free;
    this.#free = slot;
    this.size--;
  }

  #unlink(slot: number): void {
    const { records } = this;
    const owner = this.aorSlotOf(slot);
    let first = this.first(owner);
    if (first === slot) first = this.next(slot);
    else {
      let before = first;
      while (this.next(before) !== slot) before = this.next(before);
      records[(before << BINDING_SHIFT) + NEXT] = this.next(slot);
    }
    this.#aors.drop(owner, first);
  }

  /** Keeps the texts of a binding, which has none. */
  protected keep(slot: number, packer: BindingPacker): void {
    const at = slot << BINDING_SHIFT;
    this.records[at + BLOCK] = this.#bytes.keep(packer.words, 0, packer.length);
    this.records[at + LENGTH] = packer.length;
  }

  /** Gives up its texts. */
  protected drop(slot: number): void {
    const at = slot << BINDING_SHIFT;
    this.#bytes.give(this.records[at + BLOCK]!, this.records[at + LENGTH]!);
  }

  /** Whether a binding's texts are these. */
  protected holds(slot: number, packer: BindingPacker): boolean {
    const at = slot << BINDING_SHIFT;
    if (this.records[at + LENGTH] !== packer.length) return false;
    const block = this.records[at + BLOCK]!;
    const kept = this.#bytes.wordSegment(block);
    const from = this.#bytes.wordOffset(block);
    const { words } = packer;
    for (let i = (packer.length + 3) >>> 2; i-- > 0; ) if (kept[from + i] !== words[i]) return false;
    return true;
  }

  /** Writes what is said of a binding beside its texts. Times are seconds since 1970. */
  protected write(slot: number, values: WrittenValues): void {
    const { records } = this;
    const at = slot << BINDING_SHIFT;
    records[at + EXPIRES] = values.expires;
    records[at + CSEQ] = values.cseq;
    records[at + UPDATED] = values.updated;
    records[at + Q_FLAGS] = values.q | (values.flags << Q_BITS);
    records[at + REG_ID] = values.regId;
  }

  /** Moves the times of a binding on, or back. In seconds. */
  protected moveTimes(slot: number, expires: number, updated: number): void {
    const at = slot << BINDING_SHIFT;
    this.records[at + EXPIRES]! += expires;
    this.records[at + UPDATED]! += updated;
  }

  protected setId(slot: number, id: number): void {
    const at = slot << BINDING_SHIFT;
    this.records[at + ID_LOW] = id;
    this.records[at + ID_HIGH] = id / TWO_32;
  }

  /** The timer of its expiry in the wheel; 0 when it does not run. */
  protected timer(slot: number): number {
    return this.records[(slot << BINDING_SHIFT) + TIMER]!;
  }

  protected setTimer(slot: number, timer: number): void {
    this.records[(slot << BINDING_SHIFT) + TIMER] = timer;
  }
}
