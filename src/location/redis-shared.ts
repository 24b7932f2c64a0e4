/** What comes from Redis and from other servers on it, taken into the bindings that this one knows. */
import { Uri } from "../message/uri.ts";
import { equalUris } from "../message/uri-compare.ts";
import type { Changes } from "./changes.ts";
import type { Location } from "./location.ts";
import { Section } from "./packed.ts";
import { compareVersions, type GoneRow, readNews, readValue, type SharedRow, type Version } from "./redis-rows.ts";
import { BindingFlag, type BindingRow, bindingKey } from "./row.ts";

/** What is counted of it. */
export interface SharedCounters {
  learnt: number;
  malformed: number;
}

export interface SharedParts {
  readonly location: Location;
  readonly changes: Changes;
  /** Bindings that are gone, and which Redis is still to be told of, by {@link nameOf}. */
  readonly removed: Map<string, GoneRow>;
  /** The name of this server. */
  readonly server: string;
  readonly counters: SharedCounters;
}

export class Shared {
  readonly #parts: SharedParts;
  /** Bindings that are gone, by {@link nameOf}: those of late, and those before. What was said of them may come later. */
  #gone = new Map<string, GoneRow>();
  #goneBefore = new Map<string, GoneRow>();
  /** Slots that were seen since {@link begin}. */
  #seen: Uint8Array | null = null;

  constructor(parts: SharedParts) {
    this.#parts = parts;
  }

  /** Takes in what another server says: what one REGISTER there has changed comes in one message. */
  hear(news: string): void {
    const heard = readNews(news);
    if (heard === null) {
      this.#parts.counters.malformed++;
      return;
    }
    this.#parts.location.together(() => {
      for (const gone of heard.gone) this.remember(gone);
      // First what there is: a binding whose Contact is spelled otherwise by now is not to go with its former key.
      for (const shared of heard.rows) this.#take(shared);
      for (const gone of heard.gone) this.#drop(gone);
    });
  }

  /** A binding, or the key that it had, is about to go here. */
  ending(slot: number): GoneRow {
    const gone = this.#goneOf(slot);
    this.remember(gone);
    return gone;
  }

  #goneOf(slot: number): GoneRow {
    const { location } = this.#parts;
    return { ...this.#versionOf(slot), aor: location.aorOf(slot), key: location.keyOf(slot) };
  }

  /** What others say of this binding, as they knew it before, counts for nothing. */
  remember(gone: GoneRow): void {
    const name = nameOf(gone);
    const before = this.#gone.get(name);
    if (before === undefined || compareVersions(gone, before) > 0) this.#gone.set(name, gone);
    // While Redis is away nothing is forgotten.
    if (this.#gone.size > this.#parts.location.ceiling) this.#gone.delete(this.#gone.keys().next().value!);
  }

  /** Forgets what is long gone. To be called each minute or so while there is Redis. */
  forget(): void {
    this.#goneBefore = this.#gone;
    this.#gone = new Map();
  }

  // ---- reading all that Redis has

  /** From here on it is noted which bindings Redis has. */
  begin(): void {
    this.#seen = new Uint8Array(this.#parts.location.ceiling);
  }

  /** Takes in values that were read together; null is none. */
  read(values: readonly (string | null)[]): void {
    this.#parts.location.together(() => {
      for (const value of values) if (value !== null) this.#read(value);
    });
  }

  /**
   * All has been read: of what this server knows and Redis has not, what is older than `since` was ended elsewhere, and the
   * rest was lost by Redis and is to be written again.
   * @param since in seconds since 1970
   * @returns how many were ended, in steps between which others may have their turn
   */
  *end(since: number): Generator<void, number> {
    const { location } = this.#parts;
    let ended = 0;
    for (let slot = 0; slot < location.used; slot += STEP) {
      if (slot > 0) yield;
      const end = Math.min(slot + STEP, location.used);
      ended += location.together(() => this.#endUnseen(slot, end, since));
    }
    this.#seen = null;
    return ended;
  }

  #endUnseen(start: number, end: number, since: number): number {
    const { location, changes } = this.#parts;
    let ended = 0;
    for (let slot = start; slot < end; slot++) {
      if (location.expires(slot) === 0 || this.#seen![slot] === 1 || changes.has(slot)) continue;
      if (location.updated(slot) >= since) changes.put(slot);
      else if (location.unload(location.aorOf(slot), location.keyOf(slot))) ended++;
    }
    return ended;
  }

  // ----

  #read(value: string): void {
    const found = readValue(value);
    if (found === null) this.#parts.counters.malformed++;
    else if ("row" in found) this.#take(found);
    else this.#drop(found);
  }

  #take({ row, server }: SharedRow): void {
    const { location, changes, counters, removed } = this.#parts;
    const key = bindingKey(row);
    const name = nameOf({ aor: row.aor, key });
    const gone = this.#goneOfLate(name);
    if (gone !== undefined && compareVersions(row, gone) <= 0) {
      // It was said by one who had not heard, or Redis has come back with what it had before: all are told again.
      removed.set(name, gone);
      return;
    }
    const byKey = location.slotOf(row.aor, key);
    const known = byKey >= 0 ? byKey : this.#respelled(row);
    const order =
      known < 0 ? 1 : known === byKey ? compareVersions(row, this.#versionOf(known)) : this.#outdo(row, known);
    let slot = known;
    if (order > 0) {
      slot = location.load(server === this.#parts.server ? lost(row) : elsewhere(row), known);
      if (slot >= 0) counters.learnt++;
    } else if (order < 0) changes.put(known);
    if (slot >= 0 && this.#seen !== null) this.#seen[slot] = 1;
  }

  /** The binding that a row is, under another key, since its Contact was spelled otherwise; -1 when there is none. */
  #respelled({ aor, id, regId, contact }: BindingRow): number {
    const { location } = this.#parts;
    const slot = location.slotWithId(aor, id);
    if (slot < 0 || regId > 0 || location.regId(slot) > 0) return -1;
    const [ours, theirs] = [Uri.parse(location.text(slot, Section.Uri)), Uri.parse(contact)];
    return ours !== null && theirs !== null && equalUris(ours, theirs) ? slot : -1;
  }

  /**
   * A row and what is known are one binding under two keys: that of the earlier word on it is no more.
   * @returns above 0 when the row is the later one
   */
  #outdo(row: BindingRow, slot: number): number {
    const { updated, id, cseq, aor } = row;
    const theirs: GoneRow = { updated, id, cseq, aor, key: bindingKey(row) };
    const ours = this.#goneOf(slot);
    const order = compareVersions(theirs, ours) || (theirs.key > ours.key ? 1 : -1);
    const gone = order > 0 ? ours : theirs;
    const name = nameOf(gone);
    const known = this.#goneOfLate(name);
    // Who has spelled it otherwise has said so, mostly.
    if (known === undefined || compareVersions(gone, known) > 0) {
      this.remember(gone);
      this.#parts.removed.set(name, gone);
    }
    return order;
  }

  #goneOfLate(name: string): GoneRow | undefined {
    return this.#gone.get(name) ?? this.#goneBefore.get(name);
  }

  #drop(gone: GoneRow): void {
    this.remember(gone);
    const { location } = this.#parts;
    const slot = location.slotOf(gone.aor, gone.key);
    // One that was refreshed or registered again since stays; Redis compares as well.
    if (slot >= 0 && compareVersions(this.#versionOf(slot), gone) <= 0) location.unload(gone.aor, gone.key);
  }

  #versionOf(slot: number): Version {
    const { location } = this.#parts;
    return { updated: location.updated(slot), id: location.id(slot), cseq: location.cseq(slot) };
  }
}

/** What a binding is told from all others by. */
export function nameOf({ aor, key }: Pick<GoneRow, "aor" | "key">): string {
  return `${aor}|${key}`;
}

/** Slots that are gone through in one step. */
const STEP = 5000;

/** The connection that a binding depends on is gone, or another server's. */
function lost(row: BindingRow): BindingRow {
  return row.flags & BindingFlag.FlowOnly ? { ...row, flags: row.flags | BindingFlag.FlowLost } : row;
}

function elsewhere(row: BindingRow): BindingRow {
  const { flags } = lost(row);
  return { ...row, flags: flags | BindingFlag.Elsewhere };
}
