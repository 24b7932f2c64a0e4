/**
 * A hierarchical timer wheel on typed arrays: insert and cancel in O(1), no allocation, no object a timer.
 *
 * SIP starts some timers for every message and cancels most of them. `setTimeout` costs ten to forty times as much and
 * makes garbage; in exchange the wheel is coarse: time moves in ticks of 10 ms, and a timer fires at the first tick at
 * or after its time, never before.
 *
 *     level 0   256 slots of 10 ms      2.56 s
 *     level 1    64 slots of 2.56 s     2 min 44 s
 *     level 2    64 slots of 164 s      2 h 55 min
 *     level 3    64 slots of 2.9 h      7 d 18 h
 *
 * A timer lies in the lowest level that reaches its tick and is moved down when the wheel comes to its slot, so at most
 * three times. Every slot is a circular list: a sentinel node and the timers behind it, linked by index.
 */

/** Milliseconds in a tick. */
export const TICK_MS = 10;

const LEVEL0_BITS = 8;
const LEVEL_BITS = 6;
const LEVEL0_SLOTS = 1 << LEVEL0_BITS;
const LEVEL_SLOTS = 1 << LEVEL_BITS;
const SENTINELS = LEVEL0_SLOTS + 3 * LEVEL_SLOTS;
/** The list that the tick under way has still to fire. */
const FIRING = SENTINELS;
const FIRST_TIMER = SENTINELS + 1;
/** The farthest a timer can lie ahead, in ticks. */
const HORIZON = 2 ** (LEVEL0_BITS + 3 * LEVEL_BITS) - 1;

/** What a kind of timer does when it fires; `owner` is the number given to {@link TimerWheel.insert}. */
export type Expire = (owner: number) => void;

export class TimerWheel {
  /** The time of the last {@link advance}, in milliseconds. Delays count from here. */
  now: number;
  /** Timers that have neither fired nor been cancelled. */
  size = 0;
  /** The longest time between two calls of {@link advance} so far, in milliseconds; may be set to 0 to begin again. */
  longestGap = 0;

  readonly #origin: number;
  #tick = 0;
  #next: Int32Array;
  #prev: Int32Array;
  #due: Int32Array;
  #owner: Int32Array;
  #kind: Uint8Array;
  /** Nodes never used yet begin here; freed ones are chained through #next from #free. */
  #fresh = FIRST_TIMER;
  #free = 0;
  readonly #expire: Expire[] = [];

  /**
   * @param now the clock's reading at the start, in milliseconds
   * @param capacity timers to have room for; memory is touched only as it is used, and more are made room for
   */
  constructor(now: number, capacity = 1 << 16) {
    this.now = now;
    this.#origin = now;
    const nodes = FIRST_TIMER + capacity;
    this.#next = new Int32Array(nodes);
    this.#prev = new Int32Array(nodes);
    this.#due = new Int32Array(nodes);
    this.#owner = new Int32Array(nodes);
    this.#kind = new Uint8Array(nodes);
    for (let i = 0; i <= FIRING; i++) this.#next[i] = this.#prev[i] = i;
  }

  /** Makes known a kind of timer. @returns its number, for {@link insert}; at most 256 kinds. */
  register(expire: Expire): number {
    return this.#expire.push(expire) - 1;
  }

  /**
   * Starts a timer.
   * @param delay milliseconds from {@link now}; over seven days it is cut to that
   * @param kind what to call, from {@link register}
   * @param owner a number handed to it
   * @returns the timer's number, good until it fires or is cancelled; never 0
   */
  insert(delay: number, kind: number, owner: number): number {
    let node = this.#free;
    if (node !== 0) this.#free = this.#next[node]!;
    else {
      node = this.#fresh++;
      if (node >= this.#next.length) this.#grow();
    }
    const ahead = Math.ceil((this.now + delay - this.#origin) / TICK_MS);
    const due = ahead <= this.#tick ? this.#tick + 1 : Math.min(ahead, this.#tick + HORIZON);
    this.#due[node] = due;
    this.#owner[node] = owner;
    this.#kind[node] = kind;
    this.#place(node, due);
    this.size++;
    return node;
  }

  /** Stops a timer that has not fired. A number that has fired or was cancelled must not be given. */
  cancel(timer: number): void {
    const next = this.#next;
    const prev = this.#prev;
    const after = next[timer]!;
    const before = prev[timer]!;
    next[before] = after;
    prev[after] = before;
    this.#release(timer);
  }

  /**
   * Moves time on and fires what is due, in the order of ticks. A timer started by one that fires waits for a later tick.
   * @param now the clock's reading, in milliseconds; one before the last is taken as the last
   */
  advance(now: number): void {
    if (now <= this.now) return;
    if (now - this.now > this.longestGap) this.longestGap = now - this.now;
    this.now = now;
    const target = Math.floor((now - this.#origin) / TICK_MS);
    while (this.#tick < target) {
      if (this.size === 0) {
        this.#tick = target;
        return;
      }
      this.#step();
    }
  }

  #step(): void {
    const tick = ++this.#tick;
    const slot = tick & (LEVEL0_SLOTS - 1);
    if (slot === 0) {
      const one = (tick >>> LEVEL0_BITS) & (LEVEL_SLOTS - 1);
      if (one === 0) {
        const two = (tick >>> (LEVEL0_BITS + LEVEL_BITS)) & (LEVEL_SLOTS - 1);
        if (two === 0) this.#cascade(LEVEL0_SLOTS + 2 * LEVEL_SLOTS + ((tick >>> (LEVEL0_BITS + 2 * LEVEL_BITS)) & 63));
        this.#cascade(LEVEL0_SLOTS + LEVEL_SLOTS + two);
      }
      this.#cascade(LEVEL0_SLOTS + one);
    }
    if (this.#next[slot] === slot) return;

    this.#moveList(slot, FIRING);
    for (let node = this.#next[FIRING]!; node !== FIRING; node = this.#next[FIRING]!) {
      const owner = this.#owner[node]!;
      const kind = this.#kind[node]!;
      this.cancel(node);
      this.#expire[kind]!(owner);
    }
  }

  /** Puts the timers of a higher level's slot where they belong now. */
  #cascade(sentinel: number): void {
    if (this.#next[sentinel] === sentinel) return;
    this.#moveList(sentinel, FIRING);
    for (let node = this.#next[FIRING]!; node !== FIRING; ) {
      const after = this.#next[node]!;
      this.#place(node, this.#due[node]!);
      node = after;
    }
    this.#next[FIRING] = this.#prev[FIRING] = FIRING;
  }

  /** Links a timer behind the others of its slot. */
  #place(node: number, due: number): void {
    const ahead = due - this.#tick;
    let sentinel: number;
    if (ahead < LEVEL0_SLOTS) sentinel = due & (LEVEL0_SLOTS - 1);
    else if (ahead < 1 << (LEVEL0_BITS + LEVEL_BITS)) {
      sentinel = LEVEL0_SLOTS + ((due >>> LEVEL0_BITS) & (LEVEL_SLOTS - 1));
    } else if (ahead < 1 << (LEVEL0_BITS + 2 * LEVEL_BITS)) {
      sentinel = LEVEL0_SLOTS + LEVEL_SLOTS + ((due >>> (LEVEL0_BITS + LEVEL_BITS)) & (LEVEL_SLOTS - 1));
    } else sentinel = LEVEL0_SLOTS + 2 * LEVEL_SLOTS + ((due >>> (LEVEL0_BITS + 2 * LEVEL_BITS)) & (LEVEL_SLOTS - 1));
    const last = this.#prev[sentinel]!;
    this.#next[last] = node;
    this.#prev[node] = last;
    this.#next[node] = sentinel;
    this.#prev[sentinel] = node;
  }

  #moveList(from: number, to: number): void {
    const first = this.#next[from]!;
    const last = this.#prev[from]!;
    this.#next[to] = first;
    this.#prev[first] = to;
    this.#prev[to] = last;
    this.#next[last] = to;
    this.#next[from] = this.#prev[from] = from;
  }

  #release(node: number): void {
    this.#next[node] = this.#free;
    this.#free = node;
    this.size--;
  }

  #grow(): void {
    const nodes = this.#next.length * 2;
    this.#next = enlarged(this.#next, new Int32Array(nodes));
    this.#prev = enlarged(this.#prev, new Int32Array(nodes));
    this.#due = enlarged(this.#due, new Int32Array(nodes));
    this.#owner = enlarged(this.#owner, new Int32Array(nodes));
    this.#kind = enlarged(this.#kind, new Uint8Array(nodes));
  }
}

function enlarged<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
