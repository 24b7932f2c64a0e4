/**
 * User agents that have GRUUs, with their bindings and what their temporary GRUUs may have in them: words of large arrays,
 * so that a million of them are nothing that the garbage collector walks over. Handles are found in a {@link KeyTable}.
 *
 *     a binding's words          an agent's words             a handle's words
 *     0    its agent             0    its newest binding      0-3  the key table's
 *     1    the next older one    1    its newest handle       4    its agent
 *          of the agent          2    how many handles        5    the next older one of the agent
 *     2-3  the handle it has     3-4  where it begins         6-7  the handle
 *
 * Where a number stands for something, it is one higher, so that 0 is none.
 */
import { ByteStore } from "../memory/byte-store.ts";
import { KeyBuilder } from "../memory/key.ts";
import { KEY_WORDS, KeyTable } from "../memory/key-table.ts";

// The words of a binding, 2^2 of them; of an agent and of a handle, 2^3 of them.
const BINDING_SHIFT = 2;
const AGENT = 0;
const OLDER = 1;
const LOW = 2;
const HIGH = 3;
const AGENT_SHIFT = 3;
const BINDINGS = 0;
const HANDLES = 1;
const COUNT = 2;
const SINCE_LOW = 3;
const SINCE_HIGH = 4;
const HANDLE_SHIFT = 3;
const HANDLE_AGENT = KEY_WORDS;
const HANDLE_OLDER = KEY_WORDS + 1;
const HANDLE_LOW = KEY_WORDS + 2;
const HANDLE_HIGH = KEY_WORDS + 3;

/**
 * Handles of one agent: two for each of the contacts that it may have. A client whose flows come with Call-IDs without
 * end, and go again, takes no more.
 */
const MAX_HANDLES = 128;
/** Handles of all agents for each binding that there may be. */
const HANDLES_A_BINDING = 2;
/** What a key begins with. */
const KIND = 0x47;
const TWO_32 = 2 ** 32;

export class GruuTable {
  /** Agents there are. */
  size = 0;
  readonly #bindings: Int32Array;
  readonly #agents: Int32Array;
  readonly #handles: Int32Array;
  // Handles are hashes: nobody can choose them so that they meet in one chain.
  readonly #key = new KeyBuilder([0, 0]);
  readonly #table: KeyTable;
  readonly #mostHandles: number;
  // The last number that was ever given out, and the first of those that were given back.
  #usedAgents = 0;
  #freeAgent = 0;
  #usedHandles = 0;
  #freeHandle = 0;
  /** The handle at which room was looked for last. */
  #hand = 0;

  /** @param ceiling the most bindings; their slots are below it */
  constructor(ceiling: number) {
    this.#mostHandles = ceiling * HANDLES_A_BINDING;
    this.#bindings = new Int32Array(ceiling << BINDING_SHIFT);
    this.#agents = new Int32Array((ceiling + 1) << AGENT_SHIFT);
    this.#handles = new Int32Array((this.#mostHandles + 1) << HANDLE_SHIFT);
    this.#table = new KeyTable(new ByteStore(), this.#handles, HANDLE_SHIFT, 0);
  }

  // ---- agents and their bindings

  /** A new agent. It goes with its last binding, so it is to be given one. */
  open(): number {
    let agent = this.#freeAgent;
    if (agent !== 0) this.#freeAgent = this.#agents[(agent << AGENT_SHIFT) + BINDINGS]!;
    else agent = ++this.#usedAgents;
    this.#agents.fill(0, agent << AGENT_SHIFT, (agent + 1) << AGENT_SHIFT);
    this.size++;
    return agent;
  }

  /** The agent of a binding; 0 when it has none. */
  agentOf(slot: number): number {
    return this.#bindings[(slot << BINDING_SHIFT) + AGENT]!;
  }

  /** The binding of an agent that was registered last; -1 for one that has none yet. */
  newest(agent: number): number {
    return this.#agents[(agent << AGENT_SHIFT) + BINDINGS]! - 1;
  }

  /** Whether a binding, which has an agent, is the only one of it. */
  isAlone(slot: number): boolean {
    return this.newest(this.agentOf(slot)) === slot && this.#bindings[(slot << BINDING_SHIFT) + OLDER] === 0;
  }

  /** Whether a binding was attached with this handle. */
  has(slot: number, low: number, high: number): boolean {
    const at = slot << BINDING_SHIFT;
    return this.#bindings[at + LOW] === low && this.#bindings[at + HIGH] === high;
  }

  /** The lowest `BindingRow.id` of the bindings that an agent has had: what was made before is not its own. */
  since(agent: number): number {
    const at = agent << AGENT_SHIFT;
    return (this.#agents[at + SINCE_HIGH]! >>> 0) * TWO_32 + (this.#agents[at + SINCE_LOW]! >>> 0);
  }

  /**
   * A binding was registered just now: it is the newest one of an agent, whose temporary GRUUs are made with this handle
   * from now on. One that has another agent is to be detached first.
   * @param id its number
   */
  attach(slot: number, agent: number, low: number, high: number, id: number): void {
    const bindings = this.#bindings;
    const at = slot << BINDING_SHIFT;
    if (this.newest(agent) !== slot) {
      if (bindings[at + AGENT] === agent) this.#unlink(slot, agent);
      bindings[at + AGENT] = agent;
      bindings[at + OLDER] = this.#agents[(agent << AGENT_SHIFT) + BINDINGS]!;
      this.#agents[(agent << AGENT_SHIFT) + BINDINGS] = slot + 1;
    }
    bindings[at + LOW] = low;
    bindings[at + HIGH] = high;
    const since = this.since(agent);
    if (since === 0 || id < since) {
      this.#agents[(agent << AGENT_SHIFT) + SINCE_LOW] = id;
      this.#agents[(agent << AGENT_SHIFT) + SINCE_HIGH] = id / TWO_32;
    }
    this.#know(agent, low, high);
  }

  /** A binding is no agent's any more; nothing happens when it was none's. An agent goes with its last one. */
  detach(slot: number): void {
    const agent = this.agentOf(slot);
    if (agent === 0) return;
    this.#unlink(slot, agent);
    this.#bindings[(slot << BINDING_SHIFT) + AGENT] = 0;
    if (this.newest(agent) >= 0) return;
    this.forget(agent);
    this.#agents[(agent << AGENT_SHIFT) + BINDINGS] = this.#freeAgent;
    this.#freeAgent = agent;
    this.size--;
  }

  #unlink(slot: number, agent: number): void {
    const bindings = this.#bindings;
    const after = bindings[(slot << BINDING_SHIFT) + OLDER]!;
    let before = this.newest(agent);
    if (before === slot) {
      this.#agents[(agent << AGENT_SHIFT) + BINDINGS] = after;
      return;
    }
    while (bindings[(before << BINDING_SHIFT) + OLDER] !== slot + 1)
      before = bindings[(before << BINDING_SHIFT) + OLDER]! - 1;
    bindings[(before << BINDING_SHIFT) + OLDER] = after;
  }

  // ---- handles

  /** The first word of the newest handle of an agent. */
  lowOf(agent: number): number {
    return this.#handles[(this.#agents[(agent << AGENT_SHIFT) + HANDLES]! << HANDLE_SHIFT) + HANDLE_LOW]!;
  }

  /** The second one. */
  highOf(agent: number): number {
    return this.#handles[(this.#agents[(agent << AGENT_SHIFT) + HANDLES]! << HANDLE_SHIFT) + HANDLE_HIGH]!;
  }

  /** The agent that temporary GRUUs with a handle lead to; 0 for none. */
  find(low: number, high: number): number {
    const handle = this.#find(low, high);
    return handle === 0 ? 0 : this.#handles[(handle << HANDLE_SHIFT) + HANDLE_AGENT]!;
  }

  /** No handle leads to an agent any more. */
  forget(agent: number): void {
    const at = (agent << AGENT_SHIFT) + HANDLES;
    for (let handle = this.#agents[at]!; handle !== 0; handle = this.#agents[at]!) this.#give(handle);
  }

  /** A handle is the newest one of an agent from now on; those that came longest ago give way. */
  #know(agent: number, low: number, high: number): void {
    const agents = this.#agents;
    const at = agent << AGENT_SHIFT;
    const newest = agents[at + HANDLES]!;
    if (newest !== 0 && this.#isThis(newest, low, high)) return;
    const known = this.#find(low, high);
    if (known !== 0) this.#give(known);
    else if (agents[at + COUNT] === MAX_HANDLES) this.#give(this.#oldest(agent));
    const handle = this.#take();
    const handles = this.#handles;
    const record = handle << HANDLE_SHIFT;
    handles[record + HANDLE_AGENT] = agent;
    handles[record + HANDLE_OLDER] = agents[at + HANDLES]!;
    handles[record + HANDLE_LOW] = low;
    handles[record + HANDLE_HIGH] = high;
    agents[at + HANDLES] = handle;
    agents[at + COUNT]!++;
    const key = this.#keyOf(low, high);
    this.#table.insert(handle, key, key.hash());
  }

  #keyOf(low: number, high: number): KeyBuilder {
    return this.#key.begin(KIND).number(low).number(high);
  }

  #find(low: number, high: number): number {
    const key = this.#keyOf(low, high);
    return Math.max(0, this.#table.find(key, key.hash()));
  }

  #isThis(handle: number, low: number, high: number): boolean {
    const at = handle << HANDLE_SHIFT;
    return this.#handles[at + HANDLE_LOW] === low && this.#handles[at + HANDLE_HIGH] === high;
  }

  #oldest(agent: number): number {
    const handles = this.#handles;
    let handle = this.#agents[(agent << AGENT_SHIFT) + HANDLES]!;
    for (let older = handle; older !== 0; older = handles[(older << HANDLE_SHIFT) + HANDLE_OLDER]!) handle = older;
    return handle;
  }

  /** A free handle. */
  #take(): number {
    if (this.#freeHandle === 0 && this.#usedHandles === this.#mostHandles) this.#makeRoom();
    const handle = this.#freeHandle;
    if (handle === 0) return ++this.#usedHandles;
    this.#freeHandle = this.#handles[(handle << HANDLE_SHIFT) + HANDLE_OLDER]!;
    return handle;
  }

  /**
   * All are in use: an agent with more handles than bindings gives up its oldest. There is one, since there are more handles
   * than bindings; it is looked for from where the last one was found.
   */
  #makeRoom(): void {
    for (;;) {
      this.#hand = (this.#hand % this.#mostHandles) + 1;
      const agent = this.#handles[(this.#hand << HANDLE_SHIFT) + HANDLE_AGENT]!;
      if (this.#agents[(agent << AGENT_SHIFT) + COUNT]! <= this.#countOf(agent)) continue;
      this.#give(this.#oldest(agent));
      return;
    }
  }

  /** How many bindings an agent has. */
  #countOf(agent: number): number {
    let count = 0;
    for (let slot = this.newest(agent); slot >= 0; slot = this.#bindings[(slot << BINDING_SHIFT) + OLDER]! - 1) count++;
    return count;
  }

  #give(handle: number): void {
    const handles = this.#handles;
    const at = handle << HANDLE_SHIFT;
    const agentAt = handles[at + HANDLE_AGENT]! << AGENT_SHIFT;
    const after = handles[at + HANDLE_OLDER]!;
    let before = this.#agents[agentAt + HANDLES]!;
    if (before === handle) this.#agents[agentAt + HANDLES] = after;
    else {
      while (handles[(before << HANDLE_SHIFT) + HANDLE_OLDER] !== handle) {
        before = handles[(before << HANDLE_SHIFT) + HANDLE_OLDER]!;
      }
      handles[(before << HANDLE_SHIFT) + HANDLE_OLDER] = after;
    }
    this.#agents[agentAt + COUNT]!--;
    this.#table.remove(handle);
    handles[at + HANDLE_OLDER] = this.#freeHandle;
    this.#freeHandle = handle;
  }
}
