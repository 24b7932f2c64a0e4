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
 *
 * A node is four words side by side: with millions of timers the cost of one is the places in memory it touches.
 */

/** Milliseconds in a tick. */
export const TICK_MS = 10;

// The words of a node.
const NEXT = 0;
const PREV = 1;
const DUE = 2;
/** Kind in the upper eight bits, owner in the lower 24. */
const OWNER = 3;
const NODE_SHIFT = 2;
const OWNER_BITS = 24;
const OWNER_MASK = (1 << OWNER_BITS) - 1;

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
  #nodes: Int32Array;
  /** Nodes never used yet begin here; freed ones are chained through NEXT from #free. */
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
    this.#nodes = new Int32Array((FIRST_TIMER + capacity) << NODE_SHIFT);
    for (let i = 0; i <= FIRING; i++) this.#empty(i);
  }

  /** Makes known a kind of timer. @returns its number, for {@link insert}; at most 256 kinds. */
  register(expire: Expire): number {
    return this.#expire.push(expire) - 1;
  }

  /**
   * Starts a timer.
   * @param delay milliseconds from {@link now}; over seven days it is cut to that
   * @param kind what to call, from {@link register}
   * @param owner a number handed to it, below 2^24
   * @returns the timer's number, good until it fires or is cancelled; never 0
   */
  insert(delay: number, kind: number, owner: number): number {
    let node = this.#free;
    if (node !== 0) this.#free = this.#nodes[(node << NODE_SHIFT) + NEXT]!;
    else {
      node = this.#fresh++;
      if (node << NODE_SHIFT >= this.#nodes.length) this.#grow();
    }
    const ahead = Math.ceil((this.now + delay - this.#origin) / TICK_MS);
    const due = ahead <= this.#tick ? this.#tick + 1 : Math.min(ahead, this.#tick + HORIZON);
    this.#nodes[(node << NODE_SHIFT) + DUE] = due;
    this.#nodes[(node << NODE_SHIFT) + OWNER] = (kind << OWNER_BITS) | owner;
    this.#place(node, due);
    this.size++;
    return node;
  }

  /** Stops a timer that has not fired. A number that has fired or was cancelled must not be given. */
  cancel(timer: number): void {
    const nodes = this.#nodes;
    const at = timer << NODE_SHIFT;
    const after = nodes[at + NEXT]!;
    const before = nodes[at + PREV]!;
    nodes[(before << NODE_SHIFT) + NEXT] = after;
    nodes[(after << NODE_SHIFT) + PREV] = before;
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
    if (this.#first(slot) === slot) return;

    this.#moveList(slot, FIRING);
    for (let node = this.#first(FIRING); node !== FIRING; node = this.#first(FIRING)) {
      const word = this.#nodes[(node << NODE_SHIFT) + OWNER]!;
      this.cancel(node);
      this.#expire[word >>> OWNER_BITS]!(word & OWNER_MASK);
    }
  }

  /** Puts the timers of a higher level's slot where they belong now. */
  #cascade(sentinel: number): void {
    if (this.#first(sentinel) === sentinel) return;
    this.#moveList(sentinel, FIRING);
    for (let node = this.#first(FIRING); node !== FIRING; ) {
      const after = this.#first(node);
      this.#place(node, this.#nodes[(node << NODE_SHIFT) + DUE]!);
      node = after;
    }
    this.#empty(FIRING);
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
    const nodes = this.#nodes;
    const last = nodes[(sentinel << NODE_SHIFT) + PREV]!;
    nodes[(last << NODE_SHIFT) + NEXT] = node;
    nodes[(node << NODE_SHIFT) + PREV] = last;
    nodes[(node << NODE_SHIFT) + NEXT] = sentinel;
    nodes[(sentinel << NODE_SHIFT) + PREV] = node;
  }

  /** The node behind another: the first of a list when that is its sentinel. */
  #first(node: number): number {
    return this.#nodes[(node << NODE_SHIFT) + NEXT]!;
  }

  #empty(sentinel: number): void {
    const at = sentinel << NODE_SHIFT;
    this.#nodes[at + NEXT] = this.#nodes[at + PREV] = sentinel;
  }

  #moveList(from: number, to: number): void {
    const nodes = this.#nodes;
    const first = nodes[(from << NODE_SHIFT) + NEXT]!;
    const last = nodes[(from << NODE_SHIFT) + PREV]!;
    nodes[(to << NODE_SHIFT) + NEXT] = first;
    nodes[(first << NODE_SHIFT) + PREV] = to;
    nodes[(to << NODE_SHIFT) + PREV] = last;
    nodes[(last << NODE_SHIFT) + NEXT] = to;
    this.#empty(from);
  }

  #release(node: number): void {
    this.#nodes[(node << NODE_SHIFT) + NEXT] = this.#free;
    this.#free = node;
    this.size--;
  }

  #grow(): void {
    const larger = new Int32Array(this.#nodes.length * 2);
    larger.set(this.#nodes);
    this.#nodes = larger;
  }
}
