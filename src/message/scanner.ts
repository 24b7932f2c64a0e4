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
import {
  CLASS,
  COLON,
  CR,
  DIGIT,
  equalRanges,
  LF,
  parseUint32,
  SLASH,
  SP,
  skipWhite,
  TAB,
  TOKEN,
  trimEnd,
  ZERO,
} from "./bytes.ts";
import { Fault } from "./fault.ts";
import { HEADER_IDS, Header, hashStep, headerId, NAME_OCTET } from "./header.ts";
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
  START,
  STATUS,
  URI_END,
  URI_START,
  USED,
} from "./layout.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { Message } from "./message.ts";
import { methodId } from "./method.ts";

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
  #hash = 0;
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
    // Loops: for so few words they are quicker than fill().
    for (let i = 0; i < RECORDS; i++) table[i] = 0;
    for (let i = 0; i < HEADER_IDS; i++) last[i] = 0;
    table[CONTENT_LENGTH] = -1;
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
      if (state === Name) {
        let hash = this.#hash;
        let c = 0;
        while (at < end) {
          c = bytes[at]!;
          const lower = NAME_OCTET[c]!;
          if (lower === 0) break;
          hash = hashStep(hash, lower);
          at++;
        }
        this.#hash = hash;
        if (at === end) break;
        if (c === COLON || c === SP || c === TAB) {
          if (at === this.#mark) state = this.#badLine();
          else if (table[HEADER_COUNT]! >= this.#limits.headers) {
            this.#fault(Fault.TooManyHeaders);
            state = SkipLine;
          } else {
            this.#openRecord(headerId(hash, bytes, this.#mark, at));
            state = AfterName;
            // The common case, without another round.
            if (c === COLON) {
              at++;
              table[this.#record + RECORD_VALUE] = at;
              state = Value;
            }
          }
        } else state = this.#badLine();
      } else if (state === Value) {
        while (at < end && bytes[at] !== LF) at++;
        if (at === end) break;
        if (at === 0 || bytes[at - 1] !== CR) table[BARE_LFS]!++;
        at++;
        state = ValueEnd;
        if (at < end && bytes[at]! > SP) {
          // The common case: the next octet begins another name.
          this.#closeRecord(bytes, at);
          this.#mark = at;
          this.#hash = 0;
          state = Name;
        }
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
          this.#hash = 0;
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
        while (at < end && bytes[at] !== LF) at++;
        if (at === end) break;
        let lineEnd = at;
        if (lineEnd > this.#mark && bytes[lineEnd - 1] === CR) lineEnd--;
        else table[BARE_LFS]!++;
        at++;
        this.#startLine(bytes, this.#mark, lineEnd);
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
        while (at < end && bytes[at] !== LF) at++;
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

  /** The datagram ended inside the head: what there is of it is closed, so that the fault can be reported. */
  #endOfDatagram(bytes: Uint8Array): void {
    const end = bytes.length;
    if (this.#state === Start) this.#fault(Fault.NotSip);
    if (this.#state === StartLine) this.#startLine(bytes, this.#mark, end);
    if (this.#state === AfterName) this.#dropRecord();
    if (this.#state === Value || this.#state === ValueEnd) this.#closeRecord(bytes, end);
    this.#fault(Fault.Incomplete);
    if (this.#table[HEADERS_START] === 0) this.#table[HEADERS_START] = end;
    this.#finishHead(end, end);
    this.#state = Done;
  }

  #fault(fault: number): void {
    if (this.#table[FAULT] === 0) this.#table[FAULT] = fault;
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
    if (id !== Header.Other) {
      const last = this.#last[id]!;
      if (last === 0) table[FIRST + id] = record;
      else table[last + RECORD_NEXT] = record;
      this.#last[id] = record;
      if (id === Header.ContentLength) this.#contentLength(bytes, record, last);
    }
    table[HEADER_COUNT]!++;
    this.#record = record + RECORD_SIZE;
  }

  #contentLength(bytes: Uint8Array, record: number, before: number): void {
    const table = this.#table;
    const start = table[record + RECORD_VALUE]!;
    const end = table[record + RECORD_VALUE_END]!;
    const value = parseUint32(bytes, start, end);
    if (value < 0 || value > 0x7fffffff) this.#fault(Fault.ContentLength);
    else table[CONTENT_LENGTH] = value;
    if (before !== 0) {
      const same = equalRanges(bytes, start, end, bytes, table[before + RECORD_VALUE]!, table[before + RECORD_VALUE_END]!);
      if (!same) this.#fault(Fault.ContentLengthDiffers);
    }
  }

  #finishHead(headersEnd: number, bodyStart: number): void {
    const table = this.#table;
    table[HEADERS_END] = headersEnd;
    table[BODY_START] = bodyStart;
    table[BODY_END] = bodyStart;
    table[USED] = this.#record;
  }

  /** RFC 3261 s7.1, s7.2: exactly one space between the parts of the start line. */
  #startLine(bytes: Uint8Array, start: number, end: number): void {
    const table = this.#table;
    table[HEADERS_START] = end;
    let at = start;
    while (at < end && CLASS[bytes[at]!]! & TOKEN) at++;
    if (at < end && bytes[at] === SLASH && isSipName(bytes, start, at)) {
      this.#statusLine(bytes, start, end);
      return;
    }
    table[METHOD_START] = start;
    table[METHOD_END] = at;
    if (at === start || at >= end || bytes[at] !== SP) {
      this.#fault(Fault.NotSip);
      return;
    }
    table[METHOD] = methodId(bytes, start, at);
    const uriStart = at + 1;
    at = uriStart;
    while (at < end && bytes[at] !== SP) at++;
    table[URI_START] = uriStart;
    table[URI_END] = at;
    const version = versionOf(bytes, at + 1, end);
    if (version < 0) {
      // A line whose last word is no SIP version is still a request if one stands at its end, as in
      // "INVITE sip:a@b; lr SIP/2.0"; else it is not SIP.
      this.#fault(endsWithVersion(bytes, at, end) ? Fault.StartLine : Fault.NotSip);
      if (table[FAULT] === Fault.StartLine) table[KIND] = REQUEST;
      return;
    }
    table[KIND] = REQUEST;
    if (version !== 20) this.#fault(Fault.Version);
    else if (at === uriStart) this.#fault(Fault.StartLine);
    else if (at - uriStart > this.#limits.uriLength) this.#fault(Fault.UriTooLong);
  }

  #statusLine(bytes: Uint8Array, start: number, end: number): void {
    const table = this.#table;
    let at = start;
    while (at < end && bytes[at] !== SP) at++;
    if (versionOf(bytes, start, at) !== 20) {
      this.#fault(Fault.NotSip);
      return;
    }
    table[KIND] = RESPONSE;
    const code = at + 1;
    at = code;
    while (at < end && bytes[at] !== SP) at++;
    const status = at - code === 3 ? parseUint32(bytes, code, at) : -1;
    if (status < 100 || status > 699) this.#fault(Fault.StatusCode);
    else table[STATUS] = status;
    table[REASON_START] = at < end ? at + 1 : end;
    table[REASON_END] = end;
  }
}

function isSipName(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === 3 &&
    (bytes[start]! | 32) === 0x73 &&
    (bytes[start + 1]! | 32) === 0x69 &&
    (bytes[start + 2]! | 32) === 0x70
  );
}

/** Ten times the version of `SIP/x.y`, so 20 for SIP/2.0; -1 when the range is no version of one digit each side. */
function versionOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== 7 || !isSipName(bytes, start, start + 3) || bytes[start + 3] !== SLASH) return -1;
  const major = bytes[start + 4]!;
  const minor = bytes[start + 6]!;
  if (bytes[start + 5] !== 0x2e || !(CLASS[major]! & DIGIT) || !(CLASS[minor]! & DIGIT)) return -1;
  return (major - ZERO) * 10 + minor - ZERO;
}

/** Whether ` SIP/x.y` stands at the end of the range, spaces after it allowed. */
function endsWithVersion(bytes: Uint8Array, start: number, end: number): boolean {
  const last = trimEnd(bytes, start, end);
  return last - start >= 8 && bytes[last - 8] === SP && versionOf(bytes, last - 7, last) >= 0;
}
