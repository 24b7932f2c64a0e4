/**
 * Cuts a stream into messages by Content-Length (RFC 3261 s18.3, s20.14), whatever slices it comes in. What has been
 * scanned of a message is never scanned again; octets are copied only where a message does not come alone in a slice.
 *
 * Between messages line ends are taken: two of them are a ping that wants an answer (RFC 5626 s3.5.1). A stream in which
 * no next message can be found is broken off, since whatever follows could be anything.
 */
import { CLASS, CR, LF, TOKEN } from "./bytes.ts";
import { Fault } from "./fault.ts";
import { BODY_END, BODY_START, CONTENT_LENGTH, FAULT } from "./layout.ts";
import type { Limits } from "./limits.ts";
import type { Message } from "./message.ts";
import { Scanner } from "./scanner.ts";

/** Who takes in what a stream holds. */
export interface FrameReceiver {
  /** @param message the scanner's own, its octets a buffer of its own: `keep` it to have it after the call */
  framed(message: Message): void;
  /** The end of what can be read: `message` has the fault that says why. Called once. */
  broken(message: Message): void;
  /** A double CRLF between messages. */
  ping(): void;
}

/** Scanners for the messages under way: a connection has one only while a message of it is incomplete. */
export class ScannerPool {
  readonly limits: Limits;
  readonly #free: Scanner[] = [];

  constructor(limits: Limits) {
    this.limits = limits;
  }

  take(): Scanner {
    return this.#free.pop() ?? new Scanner(this.limits);
  }

  give(scanner: Scanner): void {
    this.#free.push(scanner);
  }
}

const SMALLEST_KEPT = 2048;
/** CR LF CR LF: how many octets of a ping have come. */
const PING_OCTETS = 4;

export class Framer {
  readonly #scanners: ScannerPool;
  readonly #receiver: FrameReceiver;
  /** The scanner of the message under way. */
  #scanner: Scanner | null = null;
  /** The message under way from its first octet, when more than one slice holds it. */
  #kept: Uint8Array | null = null;
  #length = 0;
  /** The length of the message under way, once its head is complete; 0 before. */
  #need = 0;
  /** Octets of a body that was too large, still to be passed over. */
  #skip = 0;
  #pingOctets = 0;
  #stopped = false;

  constructor(scanners: ScannerPool, receiver: FrameReceiver) {
    this.#scanners = scanners;
    this.#receiver = receiver;
  }

  /** Whether a message has begun and not ended. */
  get isPartial(): boolean {
    return this.#scanner !== null || this.#skip > 0;
  }

  /** Takes in the next octets of the stream. @param chunk a buffer that nobody writes to any more */
  push(chunk: Uint8Array): void {
    if (this.#stopped) return;
    let bytes = chunk;
    let at = 0;
    let end = chunk.length;
    if (this.#skip > 0) {
      at = Math.min(this.#skip, end);
      this.#skip -= at;
    } else if (this.#scanner !== null) {
      bytes = this.#append(chunk);
      end = this.#length;
    }
    while (at < end && !this.#stopped) at = this.#message(bytes, at, end);
  }

  /** Lets go of what is under way; what is pushed after this is not read. */
  stop(): void {
    this.#stopped = true;
    this.#release();
  }

  /** Reads one message, or what there is of it. @param at where it begins @returns where the next one begins */
  #message(bytes: Uint8Array, at: number, end: number): number {
    let start = at;
    let scanner = this.#scanner;
    if (scanner === null) {
      start = this.#between(bytes, at, end);
      if (start === end || this.#stopped) return end;
      this.#scanner = scanner = this.#scanners.take();
      scanner.begin(start);
      // No need to wait for a line end that may never come.
      if (!(CLASS[bytes[start]!]! & TOKEN)) return this.#break(scanner, bytes, end, Fault.NotSip);
    }
    const { messageSize } = this.#scanners.limits;
    if (this.#need === 0) {
      const isHeadRead = scanner.scan(bytes, end);
      const { table } = scanner.message;
      if (table[FAULT] === Fault.NotSip) return this.#break(scanner, bytes, end, Fault.NotSip);
      if (!isHeadRead) {
        if (end - start > messageSize) return this.#break(scanner, bytes, end, Fault.MessageTooLarge);
        return this.#keep(scanner, bytes, start, end);
      }
      const head = table[BODY_START]! - start;
      const fault = head > messageSize ? Fault.MessageTooLarge : scanner.framingFault;
      if (fault !== 0) return this.#break(scanner, bytes, end, fault);
      const length = table[CONTENT_LENGTH]!;
      if (head + length > messageSize) {
        // It is answered by its head, and what comes after its body is read on.
        scanner.fault(Fault.BodyTooLarge);
        this.#skip = Math.max(0, start + head + length - end);
        this.#deliver(scanner, bytes, start, head);
        return Math.min(end, start + head + length);
      }
      this.#need = head + length;
      table[BODY_END] = table[BODY_START]! + length;
    }
    if (end - start < this.#need) return this.#keep(scanner, bytes, start, end);
    const next = start + this.#need;
    this.#deliver(scanner, bytes, start, this.#need);
    return next;
  }

  /** Passes over line ends. @returns where something else begins */
  #between(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    for (; at < end; at++) {
      const c = bytes[at]!;
      if (c !== CR && c !== LF) {
        this.#pingOctets = 0;
        break;
      }
      const isExpected = c === ((this.#pingOctets & 1) === 0 ? CR : LF);
      this.#pingOctets = isExpected ? this.#pingOctets + 1 : c === CR ? 1 : 0;
      if (this.#pingOctets === PING_OCTETS) {
        this.#pingOctets = 0;
        this.#receiver.ping();
        if (this.#stopped) break;
      }
    }
    return at;
  }

  #deliver(scanner: Scanner, bytes: Uint8Array, start: number, length: number): void {
    const { message } = scanner;
    if (start > 0) scanner.shift(start);
    // A buffer of its own: whoever keeps the message must not keep a whole read of others beside it.
    message.bytes = length === bytes.length ? bytes : bytes.slice(start, start + length);
    // Before the call: the receiver may look at the state, or stop the stream.
    this.#scanner = null;
    this.#kept = null;
    this.#length = this.#need = 0;
    this.#receiver.framed(message);
    this.#scanners.give(scanner);
  }

  #break(scanner: Scanner, bytes: Uint8Array, end: number, fault: number): number {
    this.#stopped = true;
    scanner.cut(bytes.subarray(0, end));
    scanner.message.table[FAULT] = fault;
    this.#receiver.broken(scanner.message);
    this.#release();
    return end;
  }

  #release(): void {
    if (this.#scanner !== null) this.#scanners.give(this.#scanner);
    this.#scanner = null;
    this.#kept = null;
    this.#length = this.#need = this.#skip = 0;
  }

  /** Keeps the message under way until more of it comes. */
  #keep(scanner: Scanner, bytes: Uint8Array, start: number, end: number): number {
    if (bytes !== this.#kept) {
      const length = end - start;
      const kept = new Uint8Array(Math.max(SMALLEST_KEPT, this.#need, length * 2));
      kept.set(bytes.subarray(start, end));
      if (start > 0) scanner.shift(start);
      this.#kept = kept;
      this.#length = length;
    }
    return end;
  }

  /** Puts a slice behind the message under way. @returns the buffer that holds both */
  #append(chunk: Uint8Array): Uint8Array {
    let kept = this.#kept!;
    const length = this.#length + chunk.length;
    if (length > kept.length) {
      const larger = new Uint8Array(Math.max(length, this.#need, kept.length * 2));
      larger.set(kept.subarray(0, this.#length));
      this.#kept = kept = larger;
    }
    kept.set(chunk, this.#length);
    this.#length = length;
    return kept;
  }
}
