/**
 * A binding's texts as one run of octets: what never changes from one refresh to the next, so that a REGISTER that comes
 * again is known by comparing words.
 *
 *     octets 0-13    the lengths of the seven sections, 16 bits each
 *     octets 14-17   where the instance-id lies in the parameters, and its length
 *     octets 18-19   zero
 *     octets 20-     the sections, end to end; zeros up to the next word
 */
import { CR, LF, SP, ZERO } from "../message/bytes.ts";

/** The sections in their order. */
export const Section = {
  /** The Contact's display name, in quotes where it came so. */
  Name: 0,
  /** The Contact's URI. */
  Uri: 1,
  /** The Contact's parameters with their semicolons, less those that a registrar sets. */
  Params: 2,
  CallId: 3,
  /** The values of Path, joined by commas. */
  Path: 4,
  /** Where the REGISTER came from when it came from the client itself, as `udp:192.0.2.1:5060`. */
  Received: 5,
  UserAgent: 6,
} as const;
export type Section = (typeof Section)[keyof typeof Section];

const SECTIONS = 7;
const INSTANCE = SECTIONS;
/** Octets before the sections. */
const HEAD = 20;
/** Octets of a run: many times what a Contact and its Path take, and so few that an answer naming 64 can be kept. */
export const MAX_RUN = 8192;
/** Up to here a loop is quicker than a call. */
const SHORT = 16;

/** What Node's Buffer has, and Bun's types do not name. */
interface Latin1Writer {
  latin1Write(text: string, at: number, length: number): number;
}

/** Puts together the run of one binding. Sections are added in their order, each once. */
export class BindingPacker {
  /** The run so far. */
  readonly octets = new Uint8Array(MAX_RUN);
  /** The same memory as words. */
  readonly words = new Int32Array(this.octets.buffer);
  /** Octets in the run. */
  length = HEAD;
  readonly #buffer = Buffer.from(this.octets.buffer) as unknown as Latin1Writer;
  readonly #head = new Uint16Array(this.octets.buffer, 0, HEAD / 2);

  begin(): this {
    this.#head.fill(0);
    this.length = HEAD;
    return this;
  }

  /**
   * Adds octets to a section that may have some already, or follows those that have. A line end becomes a space: where a
   * value is folded, and nowhere that it could make a line of its own later; so does NUL, which not every store could keep.
   * @returns false when the run is full: nothing was added then
   */
  add(section: Section, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.length;
    if (at + end - start > MAX_RUN) return false;
    const { octets } = this;
    for (let i = start; i < end; i++) {
      const c = bytes[i]!;
      octets[at++] = c < SP && (c === CR || c === LF || c === 0) ? SP : c;
    }
    this.#head[section]! += end - start;
    this.length = at;
    return true;
  }

  /** Adds text of one octet a character. @returns false when the run is full */
  text(section: Section, text: string): boolean {
    const at = this.length;
    if (at + text.length > MAX_RUN) return false;
    if (text.length > SHORT) this.#buffer.latin1Write(text, at, text.length);
    else for (let i = 0; i < text.length; i++) this.octets[at + i] = text.charCodeAt(i);
    this.#head[section]! += text.length;
    this.length = at + text.length;
    return true;
  }

  /** Adds a whole number, 0 to 65,535. @returns false when the run is full */
  decimal(section: Section, value: number): boolean {
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits++;
    if (this.length + digits > MAX_RUN) return false;
    let rest = value;
    for (let at = this.length + digits; at-- > this.length; rest = Math.trunc(rest / 10)) {
      this.octets[at] = ZERO + (rest % 10);
    }
    this.#head[section]! += digits;
    this.length += digits;
    return true;
  }

  /** Says where the instance-id lies. @param start from the beginning of the parameters */
  instance(start: number, length: number): void {
    this.#head[INSTANCE] = start;
    this.#head[INSTANCE + 1] = length;
  }

  /** Fills the last word up. @returns the words of the run */
  end(): number {
    for (let i = this.length; i & 3; i++) this.octets[i] = 0;
    return (this.length + 3) >>> 2;
  }
}

/** A run that is kept somewhere: where its sections lie. Reused: read it before the next {@link at}. */
export class PackedBinding {
  octets: Uint8Array = new Uint8Array(0);
  #start = 0;

  at(octets: Uint8Array, start: number): this {
    this.octets = octets;
    this.#start = start;
    return this;
  }

  lengthOf(section: number): number {
    const at = this.#start + section * 2;
    return this.octets[at]! | (this.octets[at + 1]! << 8);
  }

  /** Where a section begins in {@link octets}. */
  startOf(section: Section): number {
    let at = this.#start + HEAD;
    for (let i = 0; i < section; i++) at += this.lengthOf(i);
    return at;
  }

  endOf(section: Section): number {
    return this.startOf(section) + this.lengthOf(section);
  }

  /** Where the instance-id begins in {@link octets}; its {@link instanceLength} is 0 when there is none. */
  get instanceStart(): number {
    return this.startOf(Section.Params) + this.lengthOf(INSTANCE);
  }

  get instanceLength(): number {
    return this.lengthOf(INSTANCE + 1);
  }

  /** Octets in the whole run. */
  get size(): number {
    return this.startOf(Section.UserAgent) + this.lengthOf(Section.UserAgent) - this.#start;
  }
}
