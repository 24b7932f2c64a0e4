/**
 * The location service (RFC 3261 s10): which contacts an address-of-record is bound to, until when, and who is told when
 * that changes. All slots are good until the binding is removed, or expires.
 */
import type { TimerWheel } from "../time/wheel.ts";
import { BindingTable, type WrittenValues } from "./binding-table.ts";
import { BindingPacker, Section } from "./packed.ts";
import { BindingFlag, type BindingRow } from "./row.ts";
import type { BindingStore } from "./store.ts";

/** What has happened to a binding that is there (RFC 3680 s5.2). */
export type BoundEvent = "registered" | "created" | "refreshed" | "shortened";
/** Why a binding is gone. */
export type UnboundEvent = "expired" | "deactivated" | "probation" | "unregistered" | "rejected";

/** Told of every change. */
export interface LocationWatcher {
  bound(slot: number, event: BoundEvent): void;
  /** Another server has taken a binding over: what came by a flow of ours comes by one of its from now on. */
  taken?(slot: number): void;
  /** A binding is about to go: it can still be read. */
  unbound(slot: number, event: UnboundEvent): void;
  /** A change is complete: one REGISTER, or whatever else it was, may have been told of many bindings. */
  settled?(): void;
}

export interface LocationOptions {
  wheel: TimerWheel;
  /** Milliseconds since 1970 at a reading of the wheel's clock. */
  epoch: { wall: number; wheel: number };
  /** The most bindings at once. */
  ceiling: number;
  /** Two random words for the table. */
  seed: readonly [number, number];
}

/** What a REGISTER says of a binding beside its texts. */
export interface BindingValues {
  /** Seconds from now. */
  readonly expires: number;
  readonly cseq: number;
  /** In thousandths. */
  readonly q: number;
  readonly regId: number;
  readonly flags: number;
}

/** More than are given in a millisecond, so that the clock is never overtaken for long. */
const NUMBERS_A_MS = 1024;
/** Seconds that the system's clock may differ without having been set. */
const LEAST_STEP = 2;

export class Location extends BindingTable {
  /** What keeps them beyond the process; null keeps them in memory alone. */
  store: BindingStore | null = null;
  watcher: LocationWatcher | null = null;
  /** Bindings that have expired since the start. */
  expired = 0;
  readonly #wheel: TimerWheel;
  readonly #kind: number;
  #epoch: number;
  readonly #packer = new BindingPacker();
  /** Servers that begin to count at once seldom give the same numbers. */
  readonly #salt: number;
  #lastNumber = 0;
  /** Changes that have begun, one within the other. */
  #depth = 0;

  constructor({ wheel, epoch, ceiling, seed }: LocationOptions) {
    super(ceiling, seed);
    this.#wheel = wheel;
    this.#epoch = epoch.wall - epoch.wheel;
    this.#kind = wheel.register((slot) => this.#onExpiry(slot));
    this.#salt = seed[0] & (NUMBERS_A_MS - 1);
  }

  /** The time, in milliseconds since 1970. */
  get now(): number {
    return this.#epoch + this.#wheel.now;
  }

  /** A number above all that were given before: here, in a life before, and by other servers whose clocks agree. */
  nextNumber(): number {
    this.#lastNumber = Math.max(this.#lastNumber + 1, Math.floor(this.now) * NUMBERS_A_MS + this.#salt);
    return this.#lastNumber;
  }

  /** Seconds until it expires, at least one. */
  remaining(slot: number): number {
    return Math.max(1, this.expires(slot) - Math.ceil(this.now / 1000));
  }

  /**
   * Follows the system's clock, which may have been set, or have gone on while the machine slept. Bindings last as long as
   * they would have; those of other servers until when these have said.
   * @param wall milliseconds since 1970
   * @returns seconds that it was set by; 0 where it was not
   */
  follow(wall: number): number {
    const seconds = Math.round((wall - this.now) / 1000);
    if (Math.abs(seconds) < LEAST_STEP) return 0;
    this.#epoch += seconds * 1000;
    this.store?.clockSet?.();
    for (let slot = 0; slot < this.used; slot++) if (this.expires(slot) > 0) this.#move(slot, seconds);
    return seconds;
  }

  #move(slot: number, seconds: number): void {
    if (this.flags(slot) & BindingFlag.Elsewhere) {
      this.#wheel.cancel(this.timer(slot));
      this.#arm(slot);
      return;
    }
    // Updated later than others were told, though the time is an earlier one: else they would not believe it.
    this.moveTimes(slot, seconds, Math.max(1, seconds));
    this.store?.touch(slot);
  }

  // ---- changes

  /** Makes one change of all that is done to bindings in a function, even if it fails; what is done alone is one by itself. */
  together<T>(change: () => T): T {
    this.#depth++;
    try {
      return change();
    } finally {
      this.#depth--;
      this.#settle();
    }
  }

  /**
   * Binds a contact.
   * @param aor the canonical address-of-record fills `[start, end)`
   * @param packer its texts, ended
   * @returns its slot; -1 when the ceiling is reached
   */
  add(aor: Uint8Array, start: number, end: number, packer: BindingPacker, values: BindingValues): number {
    const slot = this.take(aor, start, end);
    if (slot < 0) return -1;
    this.setId(slot, this.nextNumber());
    this.keep(slot, packer);
    this.#setFromNow(slot, values, 0);
    this.store?.put(slot);
    this.watcher?.bound(slot, "registered");
    this.#settle();
    return slot;
  }

  /** Refreshes or changes a binding. @param packer its texts, ended: the same as before or others */
  update(slot: number, packer: BindingPacker, values: BindingValues): void {
    const holds = this.holds(slot, packer);
    const isSame = holds && this.q(slot) === values.q && this.regId(slot) === values.regId;
    if (!holds) {
      if (!this.isKeyOf(slot, packer, values.regId)) this.store?.respell?.(slot);
      this.drop(slot);
      this.keep(slot, packer);
    }
    // Later than what was known, in the eyes of other servers too: whatever their clocks, and within one second.
    const least = this.updated(slot) + (values.cseq >>> 0 > this.cseq(slot) ? 0 : 1);
    this.#setFromNow(slot, values, least);
    if (isSame) this.store?.touch(slot);
    else this.store?.put(slot);
    this.watcher?.bound(slot, "refreshed");
    this.#settle();
  }

  /** Ends a binding. */
  remove(slot: number, event: UnboundEvent): void {
    this.store?.remove(slot);
    this.#end(slot, event);
    this.#settle();
  }

  // ---- for stores

  /**
   * Takes in a binding of the store or of another server, in the place of what is known of it.
   * @param which the binding that it is, where that has another key by its Contact
   * @returns its slot; -1 when it has expired, is older than what is known, cannot be kept, or the ceiling is reached
   */
  load(row: BindingRow, which = -1): number {
    const packer = this.#packer.begin();
    if (row.expires <= Math.ceil(this.now / 1000) || !packRow(packer, row)) return -1;
    const aor = octetsOf(row.aor);
    const aorSlot = this.find(aor, 0, aor.length);
    let known = which >= 0 || aorSlot < 0 ? which : this.known(aorSlot, packer, row.regId);
    if (known >= 0 && this.updated(known) > row.updated) return -1;
    if (known >= 0 && this.id(known) !== row.id) {
      // What was known has ended elsewhere; the same contact was registered anew.
      this.#end(known, "deactivated");
      known = -1;
    }
    const slot = known >= 0 ? known : this.take(aor, 0, aor.length);
    if (slot < 0) return -1;
    if (known >= 0) {
      this.watcher?.taken?.(slot);
      this.drop(slot);
    }
    this.setId(slot, row.id);
    this.#lastNumber = Math.max(this.#lastNumber, row.id);
    this.keep(slot, packer);
    this.#set(slot, row);
    this.watcher?.bound(slot, known >= 0 ? "refreshed" : "created");
    this.#settle();
    return slot;
  }

  /** Ends a binding that the store has ended. @param key by {@link bindingKey} @returns whether it was there */
  unload(aor: string, key: string): boolean {
    const slot = this.slotOf(aor, key);
    if (slot < 0) return false;
    this.#end(slot, "deactivated");
    this.#settle();
    return true;
  }

  // ----

  #settle(): void {
    if (this.#depth === 0) this.watcher?.settled?.();
  }

  #end(slot: number, event: UnboundEvent): void {
    this.watcher?.unbound(slot, event);
    if (this.timer(slot) !== 0) this.#wheel.cancel(this.timer(slot));
    this.give(slot);
  }

  /** @param least when it counts as updated at the earliest, in seconds since 1970 */
  #setFromNow(slot: number, values: BindingValues, least: number): void {
    const now = Math.ceil(this.now / 1000);
    const { cseq, q, regId, flags } = values;
    this.#set(slot, { expires: now + values.expires, updated: Math.max(now, least), cseq, q, regId, flags });
  }

  #set(slot: number, values: WrittenValues): void {
    this.write(slot, values);
    if (this.timer(slot) !== 0) this.#wheel.cancel(this.timer(slot));
    this.#arm(slot);
  }

  #arm(slot: number): void {
    const delay = this.expires(slot) * 1000 - this.now;
    this.setTimer(slot, this.#wheel.insert(delay, this.#kind, slot));
  }

  #onExpiry(slot: number): void {
    this.setTimer(slot, 0);
    // A timer reaches no farther than seven days.
    if (this.#isOver(slot)) this.together(() => this.#expire(this.aorSlotOf(slot)));
    else this.#arm(slot);
  }

  /** Ends all bindings of an address-of-record whose time is over: those of one REGISTER go together. */
  #expire(aor: number): void {
    for (let slot = this.first(aor); slot >= 0; ) {
      const next = this.next(slot);
      if (this.#isOver(slot)) {
        this.expired++;
        this.#end(slot, "expired");
      }
      slot = next;
    }
  }

  #isOver(slot: number): boolean {
    return this.now >= this.expires(slot) * 1000;
  }
}

/** Packs a row as the REGISTER that it came of was packed. @returns false for one that no REGISTER can have made */
function packRow(packer: BindingPacker, row: BindingRow): boolean {
  const { name, contact, params, instance, callId, path, received, userAgent } = row;
  const isPacked =
    packer.text(Section.Name, name) &&
    packer.text(Section.Uri, contact) &&
    packer.text(Section.Params, params) &&
    packer.text(Section.CallId, callId) &&
    packer.text(Section.Path, path) &&
    packer.text(Section.Received, received) &&
    packer.text(Section.UserAgent, userAgent);
  const instanceAt = params.indexOf(instance);
  if (instance !== "") packer.instance(instanceAt, instance.length);
  packer.end();
  return isPacked && instanceAt >= 0;
}

/** The octets of text that has one character an octet. */
function octetsOf(text: string): Uint8Array {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < octets.length; i++) octets[i] = text.charCodeAt(i);
  return octets;
}
