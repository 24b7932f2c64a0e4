/**
 * A message as the octets it came in and the offsets the scanner found. Nothing is decoded here; the parsers beside this
 * file do that from a range, when somebody asks.
 */
import { latin1, utf8 } from "./bytes.ts";
import { faultReason } from "./fault.ts";
import { Header, headerIdOf } from "./header.ts";
import {
  BODY_END,
  BODY_START,
  FAULT,
  FIRST,
  HEADER_COUNT,
  KIND,
  METHOD,
  METHOD_END,
  METHOD_START,
  REASON_END,
  REASON_START,
  RECORD_ID,
  RECORD_NAME,
  RECORD_NEXT,
  RECORD_SIZE,
  RECORD_VALUE,
  RECORD_VALUE_END,
  RECORDS,
  REQUEST,
  RESPONSE,
  STATUS,
  URI_END,
  URI_START,
  USED,
} from "./layout.ts";
import { METHOD_NAMES, type Method } from "./method.ts";

export class Message {
  /** The octets that the offsets point into. */
  bytes: Uint8Array;
  /** The offset table; `layout.ts` says what stands where. */
  readonly table: Int32Array;

  constructor(bytes: Uint8Array, table: Int32Array) {
    this.bytes = bytes;
    this.table = table;
  }

  /** A message of its own: the same octets, the used part of the table. The scanner's own message is overwritten by the next scan. */
  keep(): Message {
    const { table } = this;
    const used = table[USED]!;
    const kept = new Int32Array(used);
    // A loop: for so few words it is quicker than slice().
    for (let i = 0; i < used; i++) kept[i] = table[i]!;
    return new Message(this.bytes, kept);
  }

  get isRequest(): boolean {
    return this.table[KIND] === REQUEST;
  }

  get isResponse(): boolean {
    return this.table[KIND] === RESPONSE;
  }

  /** The number of a request's method. */
  get method(): Method {
    return this.table[METHOD] as Method;
  }

  /** The method's name as it was sent. */
  get methodName(): string {
    return METHOD_NAMES[this.table[METHOD]!] || latin1(this.bytes, this.table[METHOD_START]!, this.table[METHOD_END]!);
  }

  /** A response's status code, or 0. */
  get status(): number {
    return this.table[STATUS]!;
  }

  /** A response's reason phrase, decoded as UTF-8. */
  get reason(): string {
    return utf8(this.bytes, this.table[REASON_START]!, this.table[REASON_END]!);
  }

  /** The first fault found, as a number of `Fault`; 0 when there is none. */
  get fault(): number {
    return this.table[FAULT]!;
  }

  /** The fault in words. */
  get faultText(): string {
    return faultReason(this.table[FAULT]!);
  }

  /** The Request-URI as it was sent. */
  get requestUri(): string {
    return utf8(this.bytes, this.table[URI_START]!, this.table[URI_END]!);
  }

  /** The body's octets: a view, not a copy. */
  get body(): Uint8Array {
    return this.bytes.subarray(this.table[BODY_START]!, this.table[BODY_END]!);
  }

  /** Where the body begins in {@link bytes}. */
  get bodyStart(): number {
    return this.table[BODY_START]!;
  }

  /** Where the body ends in {@link bytes}. */
  get bodyEnd(): number {
    return this.table[BODY_END]!;
  }

  /** The record of the first field with this number, or 0. */
  first(id: Header): number {
    return this.table[FIRST + id]!;
  }

  /** The record of the next field with the same number, or 0. */
  next(record: number): number {
    return this.table[record + RECORD_NEXT]!;
  }

  /** Where the record's value begins. */
  valueStart(record: number): number {
    return this.table[record + RECORD_VALUE]!;
  }

  /** Where the record's value ends. */
  valueEnd(record: number): number {
    return this.table[record + RECORD_VALUE_END]!;
  }

  /** The record's value as text, folds as they came. */
  valueText(record: number): string {
    return utf8(this.bytes, this.table[record + RECORD_VALUE]!, this.table[record + RECORD_VALUE_END]!);
  }

  /**
   * The value of the first header field with this name.
   * @param name in any case, long or compact
   */
  header(name: string): string | undefined {
    return this.headers(name)[0];
  }

  /** The values of all header fields with this name, a string for each line, in order. */
  headers(name: string): string[] {
    const values: string[] = [];
    const id = headerIdOf(name);
    if (id !== Header.Other) {
      for (let record = this.first(id); record !== 0; record = this.next(record)) values.push(this.valueText(record));
      return values;
    }
    const wanted = name.toLowerCase();
    const count = this.table[HEADER_COUNT]!;
    for (let i = 0, record = RECORDS; i < count; i++, record += RECORD_SIZE) {
      if (this.table[record + RECORD_ID] !== Header.Other) continue;
      if (this.#nameOf(record).toLowerCase() === wanted) values.push(this.valueText(record));
    }
    return values;
  }

  /** Every header field in order, as name and value. */
  *fields(): IterableIterator<[name: string, value: string]> {
    const count = this.table[HEADER_COUNT]!;
    for (let i = 0, record = RECORDS; i < count; i++, record += RECORD_SIZE) {
      yield [this.#nameOf(record), this.valueText(record)];
    }
  }

  #nameOf(record: number): string {
    const start = this.table[record + RECORD_NAME]!;
    let end = start;
    while (this.bytes[end] !== 0x3a && this.bytes[end]! > 0x20) end++;
    return latin1(this.bytes, start, end);
  }

  /** The whole message as text, one character an octet: for logs. */
  toString(): string {
    return latin1(this.bytes, 0, this.table[BODY_END]!);
  }
}
