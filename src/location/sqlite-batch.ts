/**
 * Changes on their way from the server's thread to the one that writes: three arrays whose memory changes hands.
 *
 *     lives     6 words a binding: its number, low word first; expires, CSeq, updated; flags, and a bit that says whether texts follow
 *     texts     for those with texts, in the same order: q, reg-id, octets of the address-of-record, octets of the run;
 *               the address-of-record and the run (`packed.ts`), each filled up to whole words
 *     removals  numbers of bindings that are gone
 */
import { latin1 } from "../message/bytes.ts";
import type { Location } from "./location.ts";
import { PackedBinding, type Section } from "./packed.ts";

/** Words of a life. */
export const LIFE_WORDS = 6;
const EXPIRES = 2;
const CSEQ = 3;
const UPDATED = 4;
const FLAGS = 5;
/** Beside the flags: this binding's texts are among {@link Batch.texts}. */
const HAS_TEXTS = 1 << 31;
const TEXT_HEAD = 4;
const TWO_32 = 2 ** 32;

/** A batch is full from here: what is written in one transaction, and packed in one go. */
const FULL_LIVES = 8192 * LIFE_WORDS;
const FULL_TEXTS = 256 * 1024;

/** What is handed over. The arrays may be longer than what counts of them. */
export interface Batch {
  lives: Int32Array<ArrayBuffer>;
  /** Words that count. */
  livesLength: number;
  texts: Int32Array<ArrayBuffer>;
  removals: Float64Array<ArrayBuffer>;
  removalsLength: number;
}

/** The memory of a batch, for a transfer list. */
export function memoryOf({ lives, texts, removals }: Batch): ArrayBuffer[] {
  return [lives.buffer, texts.buffer, removals.buffer];
}

/** Puts a batch together. */
export class BatchPacker {
  #batch = emptyBatch();
  #textsLength = 0;
  #octets = new Uint8Array(this.#batch.texts.buffer);

  get isFull(): boolean {
    return this.#batch.livesLength >= FULL_LIVES || this.#textsLength >= FULL_TEXTS;
  }

  /** Begins another. @param spare one that has come back, whose memory is used again */
  begin(spare: Batch | null): void {
    this.#batch = spare ?? emptyBatch();
    this.#batch.livesLength = this.#batch.removalsLength = this.#textsLength = 0;
    this.#octets = new Uint8Array(this.#batch.texts.buffer);
  }

  /** Adds a binding as it is now. @param isWhole with its texts */
  add(location: Location, slot: number, isWhole: boolean): void {
    const batch = this.#batch;
    const at = batch.livesLength;
    if (at + LIFE_WORDS > batch.lives.length) batch.lives = longer(batch.lives, at + LIFE_WORDS);
    const { lives } = batch;
    const id = location.id(slot);
    lives[at] = id;
    lives[at + 1] = id / TWO_32;
    lives[at + EXPIRES] = location.expires(slot);
    lives[at + CSEQ] = location.cseq(slot);
    lives[at + UPDATED] = location.updated(slot);
    lives[at + FLAGS] = location.flags(slot) | (isWhole ? HAS_TEXTS : 0);
    batch.livesLength = at + LIFE_WORDS;
    if (isWhole) this.#addTexts(location, slot);
  }

  remove(id: number): void {
    const batch = this.#batch;
    if (batch.removalsLength === batch.removals.length) {
      const removals = new Float64Array(batch.removalsLength * 2);
      removals.set(batch.removals);
      batch.removals = removals;
    }
    batch.removals[batch.removalsLength++] = id;
  }

  /** What was put together; {@link begin} the next before more is added. */
  take(): Batch {
    return this.#batch;
  }

  #addTexts(location: Location, slot: number): void {
    const aor = location.aorLength(slot);
    const run = location.textsLength(slot);
    const aorAt = this.#textsLength + TEXT_HEAD;
    const runAt = aorAt + words(aor);
    const end = runAt + words(run);
    if (end > this.#batch.texts.length) {
      this.#batch.texts = longer(this.#batch.texts, end);
      this.#octets = new Uint8Array(this.#batch.texts.buffer);
    }
    const { texts } = this.#batch;
    texts[aorAt - 4] = location.q(slot);
    texts[aorAt - 3] = location.regId(slot);
    texts[aorAt - 2] = aor;
    texts[aorAt - 1] = run;
    location.copyAor(slot, this.#octets, aorAt << 2);
    location.copyTexts(slot, texts, runAt);
    this.#textsLength = end;
  }
}

function emptyBatch(): Batch {
  return {
    lives: new Int32Array(1024 * LIFE_WORDS),
    livesLength: 0,
    texts: new Int32Array(16 * 1024),
    removals: new Float64Array(64),
    removalsLength: 0,
  };
}

function longer(from: Int32Array, least: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(least, from.length * 2));
  larger.set(from);
  return larger;
}

function words(octets: number): number {
  return (octets + 3) >>> 2;
}

/** One life after the other; the fields are those of the one that {@link next} came to. */
export class Lives {
  id = 0;
  expires = 0;
  cseq = 0;
  updated = 0;
  flags = 0;
  hasTexts = false;
  readonly #lives: Int32Array;
  readonly #length: number;
  #at = 0;

  /** @param length words that count */
  constructor(lives: Int32Array, length = lives.length) {
    this.#lives = lives;
    this.#length = length;
  }

  next(): boolean {
    const at = this.#at;
    if (at + LIFE_WORDS > this.#length) return false;
    const lives = this.#lives;
    this.id = (lives[at + 1]! >>> 0) * TWO_32 + (lives[at]! >>> 0);
    this.expires = lives[at + EXPIRES]! >>> 0;
    this.cseq = lives[at + CSEQ]! >>> 0;
    this.updated = lives[at + UPDATED]! >>> 0;
    this.flags = lives[at + FLAGS]! & ~HAS_TEXTS;
    this.hasTexts = (lives[at + FLAGS]! & HAS_TEXTS) !== 0;
    this.#at = at + LIFE_WORDS;
    return true;
  }
}

/** One binding's texts after the other, in words. */
export class Texts {
  aor = "";
  q = 0;
  regId = 0;
  readonly #words: Int32Array;
  readonly #octets: Uint8Array;
  readonly #packed = new PackedBinding();
  #at = 0;

  constructor(texts: Int32Array) {
    this.#words = texts;
    this.#octets = new Uint8Array(texts.buffer, texts.byteOffset, texts.byteLength);
  }

  next(): void {
    const at = this.#at + TEXT_HEAD;
    this.q = this.#words[at - 4]!;
    this.regId = this.#words[at - 3]! >>> 0;
    const aor = this.#words[at - 2]!;
    this.aor = latin1(this.#octets, at << 2, (at << 2) + aor);
    const run = at + words(aor);
    this.#packed.at(this.#octets, run << 2);
    this.#at = run + words(this.#words[at - 1]!);
  }

  text(section: Section): string {
    return latin1(this.#octets, this.#packed.startOf(section), this.#packed.endOf(section));
  }

  get instance(): string {
    const start = this.#packed.instanceStart;
    return latin1(this.#octets, start, start + this.#packed.instanceLength);
  }
}
