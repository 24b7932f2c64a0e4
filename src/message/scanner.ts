/**
 * The scanner: one pass over the octets of a message that finds the start line, each header field's number and range,
 * and the body. It makes no string and no object.
 *
 * It may be given a message in any slices: it stops where the octets end and goes on from there when there are more,
 * never from the start. The caller keeps the octets together (a datagram, or a stream's buffer) and says how far they
 * reach. States:
 *
 *     Start -> StartLine -> (LineBegin -> Name -> AfterName -> Value -> ValueEnd -> LineBegin ...)* -> Done
 *
 * `ValueEnd` waits for the octet after a line end, since a space or tab there folds the line into the next
 * (RFC 3261 s7.3.1). A fault is noted and the scan goes on, so that the Via is found to which the fault is reported.
 */
import { COLON, CR, indexOfLf, LF, SP, skipToken, skipWhite, TAB, trimEnd } from "./bytes.ts";
import { framingFaultOf, NO_LENGTH, readContentLength } from "./content-length.ts";
import { Fault } from "./fault.ts";
import { HEADER_IDS, Header, headerId } from "./header.ts";
import {
  BARE_LFS,
  BODY_END,
  BODY_START,
  CONTENT_LENGTH,
  FAULT,
  FIRST,
  HEADER_COUNT,
  HEADERS_END,
  HEADERS_START,
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
  START,
  URI_END,
  URI_START,
  USED,
} from "./layout.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { Message } from "./message.ts";
import { readStartLine } from "./start-line.ts";

/** The fixed slots that hold offsets a scan has set; 0 where there is nothing. */
const OFFSETS = [
  METHOD_START,
  METHOD_END,
  URI_START,
  URI_END,
  REASON_START,
  REASON_END,
  START,
  HEADERS_START,
  HEADERS_END,
  BODY_START,
  BODY_END,
];

const Start = 0;
const StartLine = 1;
const LineBegin = 2;
const Name = 3;
const AfterName = 4;
const Value = 5;
const ValueEnd = 6;
const SkipLine = 7;
const Done = 8;

export class Scanner {
  /** The message under the scanner. Its table is overwritten by the next {@link begin}; see {@link Message.keep}. */
  readonly message: Message;
  readonly #limits: Limits;
  readonly #table: Int32Array;
  /** For each header number the record of its last occurrence so far, so that a chain is extended without a walk. */
  readonly #last = new Int32Array(HEADER_IDS);
  #state = Start;
  #at = 0;
  /** Where the name or line under way began. */
  #mark = 0;
  /** The record under way. */
  #record = RECORDS;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
    this.#table = new Int32Array(RECORDS + limits.headers * RECORD_SIZE);
    this.message = new Message(new Uint8Array(0), this.#table);
  }

  /** Begins a message at offset `at` of the octets that will be given. */
  begin(at = 0): void {
    const table = this.#table;
    const last = this.#last;
    for (let record = RECORDS; record < this.#record; record += RECORD_SIZE) {
      const id = table[record + RECORD_ID]!;
      table[FIRST + id] = 0;
      last[id] = 0;
    }
    for (let i = 0; i < FIRST; i++) table[i] = 0;
    table[CONTENT_LENGTH] = NO_LENGTH;
    this.#state = Start;
    this.#at = at;
    this.#mark = at;
    this.#record = RECORDS;
  }

  /**
   * Reads on to `end`. The octets before `end` must be those of the call before, with more behind them.
   * @returns true when the head is complete: the body begins at `BODY_START`.
   */
  scan(bytes: Uint8Array, end: number): boolean {
    const table = this.#table;
    let state = this.#state;
    let at = this.#at;
    this.message.bytes = bytes;

    while (at < end) {
      if (state === LineBegin) {
        at = this.#wholeLines(bytes, at, end);
        if (at === end) break;
      }
      if (state === Name) {
        at = skipToken(bytes, at, end);
        if (at === end) break;
        const c = bytes[at]!;
        if (c === COLON || c === SP || c === TAB) {
          if (at === this.#mark) state = this.#badLine();
          else if (table[HEADER_COUNT]! >= this.#limits.headers) {
            this.#fault(Fault.TooManyHeaders);
            state = SkipLine;
          } else {
            this.#openRecord(headerId(bytes, this.#mark, at));
            state = AfterName;
          }
        } else state = this.#badLine();
      } else if (state === Value) {
        at = indexOfLf(bytes, at, end);
        if (at === end) break;
        if (at === 0 || bytes[at - 1] !== CR) table[BARE_LFS]!++;
        at++;
        state = ValueEnd;
      } else if (state === ValueEnd) {
        const c = bytes[at]!;
        if (c === SP || c === TAB) {
          at++;
          state = Value;
        } else {
          this.#closeRecord(bytes, at);
          state = LineBegin;
        }
      } else if (state === LineBegin) {
        const c = bytes[at]!;
        if (c === CR) {
          // The blank line, once its LF is here too.
          if (at + 1 === end) break;
          if (bytes[at + 1] === LF) {
            this.#finishHead(at, at + 2);
            at += 2;
            state = Done;
            break;
          }
          state = this.#badLine();
        } else if (c === LF) {
          table[BARE_LFS]!++;
          this.#finishHead(at, at + 1);
          at++;
          state = Done;
          break;
        } else {
          this.#mark = at;
          state = Name;
        }
      } else if (state === AfterName) {
        // RFC 3261 s7.3.1 allows white space on both sides of the colon.
        const c = bytes[at]!;
        if (c === COLON) {
          at++;
          table[this.#record + RECORD_VALUE] = at;
          state = Value;
        } else if (c === SP || c === TAB) at++;
        else {
          this.#dropRecord();
          state = this.#badLine();
        }
      } else if (state === StartLine) {
        at = indexOfLf(bytes, at, end);
        if (at === end) break;
        let lineEnd = at;
        if (lineEnd > this.#mark && bytes[lineEnd - 1] === CR) lineEnd--;
        else table[BARE_LFS]!++;
        at++;
        this.#fault(readStartLine(bytes, this.#mark, lineEnd, table, this.#limits.uriLength));
        table[HEADERS_START] = at;
        state = LineBegin;
      } else if (state === Start) {
        // RFC 3261 s7.5: empty lines before the start line are ignored.
        const c = bytes[at]!;
        if (c === CR || c === LF) at++;
        else {
          this.#mark = at;
          table[START] = at;
          state = StartLine;
        }
      } else if (state === SkipLine) {
        at = indexOfLf(bytes, at, end);
        if (at === end) break;
        at++;
        state = LineBegin;
      } else break;
    }

    this.#at = at;
    this.#state = state;
    return state === Done;
  }

  /**
   * Reads header lines that are there as a whole and have nothing rare about them: no fold, no white space before the
   * colon. What is rare is left to the states above.
   * @param start where a line begins
   * @returns where the first line begins that was not read
   */
  #wholeLines(bytes: Uint8Array, start: number, end: number): number {
    const table = this.#table;
    const { headers, headerLength } = this.#limits;
    const full = RECORDS + headers * RECORD_SIZE;
    let record = this.#record;
    let line = start;
    while (record < full) {
      let at = skipToken(bytes, line, end);
      if (at === line || at === end || bytes[at] !== COLON) break;
      const id = headerId(bytes, line, at);
      at++;
      const value = at;
      at = indexOfLf(bytes, at, end);
      if (at + 1 >= end) break;
      const after = bytes[at + 1]!;
      if (after === SP || after === TAB || bytes[at - 1] !== CR) break;
      const valueEnd = trimEnd(bytes, value, at - 1);
      if (valueEnd === value) break;
      const valueStart = skipWhite(bytes, value, valueEnd);
      table[record + RECORD_ID] = id;
      table[record + RECORD_NAME] = line;
      table[record + RECORD_VALUE] = valueStart;
      table[record + RECORD_VALUE_END] = valueEnd;
      table[record + RECORD_NEXT] = 0;
      at++;
      if (at - line > headerLength) this.#fault(Fault.HeaderTooLong);
      if (id !== Header.Other) this.#link(bytes, record, id);
      record += RECORD_SIZE;
      line = at;
    }
    table[HEADER_COUNT] = (record - RECORDS) / RECORD_SIZE;
    this.#record = record;
    return line;
  }

  /**
   * Scans a whole datagram (RFC 3261 s18.3): without Content-Length the body reaches to the end, a longer one is a
   * fault, a shorter one leaves the rest unread.
   * @returns the message, with its first fault in {@link Message.fault}.
   */
  scanDatagram(bytes: Uint8Array): Message {
    const table = this.#table;
    this.begin();
    if (!this.scan(bytes, bytes.length)) this.#endOfDatagram(bytes);
    const available = bytes.length - table[BODY_START]!;
    const declared = table[CONTENT_LENGTH]!;
    table[BODY_END] = bytes.length;
    if (declared > available) this.#fault(Fault.BodyShort);
    else if (declared >= 0) table[BODY_END] = table[BODY_START]! + declared;
    if (table[BODY_END]! - table[START]! > this.#limits.messageSize) {
      this.#fault(
        table[BODY_START]! - table[START]! > this.#limits.messageSize ? Fault.MessageTooLarge : Fault.BodyTooLarge,
      );
    }
    return this.message;
  }

  /**
   * The octets before `offset` were taken away: what was read lies so much nearer to the front now. Good at any state of
   * a scan.
   */
  shift(offset: number): void {
    const table = this.#table;
    for (const slot of OFFSETS) if (table[slot] !== 0) table[slot]! -= offset;
    for (let record = RECORDS; record <= this.#record && record < table.length; record += RECORD_SIZE) {
      table[record + RECORD_NAME]! -= offset;
      table[record + RECORD_VALUE]! -= offset;
      table[record + RECORD_VALUE_END]! -= offset;
    }
    this.#at -= offset;
    this.#mark -= offset;
  }

  /** What keeps the message from being cut out of a stream by its Content-Length; 0 for nothing (s18.3). */
  get framingFault(): number {
    return framingFaultOf(this.#table);
  }

  /** Notes a fault, if none was found before. */
  fault(fault: number): void {
    this.#fault(fault);
  }

  /** No more octets of the message will come, or none that are wanted: what was read of the head stands. */
  cut(bytes: Uint8Array): void {
    this.message.bytes = bytes;
    if (this.#state !== Done) this.#endOfDatagram(bytes);
  }

  /** The datagram ended inside the head: what there is of it is closed, so that the fault can be reported. */
  #endOfDatagram(bytes: Uint8Array): void {
    const end = bytes.length;
    if (this.#state === Start) this.#fault(Fault.NotSip);
    if (this.#state === StartLine)
      this.#fault(readStartLine(bytes, this.#mark, end, this.#table, this.#limits.uriLength));
    if (this.#state === AfterName) this.#dropRecord();
    if (this.#state === Value || this.#state === ValueEnd) this.#closeRecord(bytes, end);
    this.#fault(Fault.Incomplete);
    if (this.#table[HEADERS_START] === 0) this.#table[HEADERS_START] = end;
    this.#finishHead(end, end);
    this.#state = Done;
  }

  #fault(fault: number): void {
    if (fault !== 0 && this.#table[FAULT] === 0) this.#table[FAULT] = fault;
  }

  #badLine(): number {
    this.#fault(Fault.HeaderLine);
    return SkipLine;
  }

  #openRecord(id: number): void {
    const table = this.#table;
    const record = this.#record;
    table[record + RECORD_ID] = id;
    table[record + RECORD_NAME] = this.#mark;
    table[record + RECORD_NEXT] = 0;
  }

  /** A name that turned out to begin no header field. */
  #dropRecord(): void {
    this.#table[this.#record + RECORD_ID] = 0;
  }

  #closeRecord(bytes: Uint8Array, lineEnd: number): void {
    const table = this.#table;
    const record = this.#record;
    const end = trimEnd(bytes, table[record + RECORD_VALUE]!, lineEnd);
    table[record + RECORD_VALUE] = skipWhite(bytes, table[record + RECORD_VALUE]!, end);
    table[record + RECORD_VALUE_END] = end;
    if (lineEnd - table[record + RECORD_NAME]! > this.#limits.headerLength) this.#fault(Fault.HeaderTooLong);

    const id = table[record + RECORD_ID]!;
    if (id !== Header.Other) this.#link(bytes, record, id);
    table[HEADER_COUNT]!++;
    this.#record = record + RECORD_SIZE;
  }

  /** Puts a record behind the others of its number. */
  #link(bytes: Uint8Array, record: number, id: number): void {
    const table = this.#table;
    const last = this.#last[id]!;
    if (last === 0) table[FIRST + id] = record;
    else table[last + RECORD_NEXT] = record;
    this.#last[id] = record;
    if (id === Header.ContentLength) this.#fault(readContentLength(bytes, table, record, last));
  }

  #finishHead(headersEnd: number, bodyStart: number): void {
    const table = this.#table;
    table[HEADERS_END] = headersEnd;
    table[BODY_START] = bodyStart;
    table[BODY_END] = bodyStart;
    table[USED] = this.#record;
  }
}
