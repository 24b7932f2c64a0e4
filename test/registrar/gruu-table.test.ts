/** User agents, their bindings and handles as words, against what Maps would hold. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { GruuTable } from "../../src/registrar/gruu-table.ts";

const CEILING = 6;

interface Agent {
  readonly number: number;
  /** The newest one first. */
  bindings: number[];
  handles: number[];
  since: number;
}

/** The two words of a handle of the test's: of different agents they differ in either. */
function wordsOf(agent: string, handle: number): [number, number] {
  return [handle - 3, agent.charCodeAt(0) << 24];
}

/** Agents by name in a table and beside it. */
class Both {
  readonly table: GruuTable;
  readonly agents = new Map<string, Agent>();
  readonly #bySlot = new Map<number, string>();
  #id = 2 ** 40;

  constructor(ceiling: number) {
    this.table = new GruuTable(ceiling);
  }

  attach(slot: number, name: string, handle: number, isLater: boolean): void {
    if (this.#bySlot.get(slot) !== name) this.detach(slot);
    let agent = this.agents.get(name);
    if (agent === undefined) {
      agent = { number: this.table.open(), bindings: [], handles: [], since: Number.POSITIVE_INFINITY };
      this.agents.set(name, agent);
    }
    const id = isLater ? ++this.#id : this.#id - 1000;
    this.table.attach(slot, agent.number, ...wordsOf(name, handle), id);
    this.#bySlot.set(slot, name);
    agent.bindings = [slot, ...agent.bindings.filter((one) => one !== slot)];
    agent.handles = [handle, ...agent.handles.filter((one) => one !== handle)];
    agent.since = Math.min(agent.since, id);
  }

  detach(slot: number): void {
    this.table.detach(slot);
    const name = this.#bySlot.get(slot);
    if (name === undefined) return;
    this.#bySlot.delete(slot);
    const agent = this.agents.get(name)!;
    agent.bindings = agent.bindings.filter((one) => one !== slot);
    if (agent.bindings.length === 0) this.agents.delete(name);
  }

  /** The handles of an agent that lead to it, the newest one first. */
  found(name: string): number[] {
    const { number, handles } = this.agents.get(name)!;
    return handles.filter((handle) => this.table.find(...wordsOf(name, handle)) === number);
  }
}

const step = fc.record({
  slot: fc.nat(CEILING - 1),
  agent: fc.constantFrom(..."abcd"),
  handle: fc.nat(9),
  what: fc.constantFrom("attach", "attach", "attach", "attach", "detach", "forget"),
  isLater: fc.boolean(),
});

function play(
  both: Both,
  { slot, agent, handle, what, isLater }: typeof step extends fc.Arbitrary<infer S> ? S : never,
) {
  if (what === "attach") both.attach(slot, agent, handle, isLater);
  else if (what === "detach") both.detach(slot);
  else {
    const known = both.agents.get(agent);
    if (known === undefined) return;
    both.table.forget(known.number);
    known.handles = [];
  }
}

/** What must hold whatever room there is. */
function check(both: Both): void {
  const { table, agents } = both;
  expect(table.size).toBe(agents.size);
  const attached = new Map<number, number>();
  for (const { number, bindings, since } of agents.values()) {
    expect([table.newest(number), table.since(number)]).toEqual([bindings[0]!, since]);
    for (const slot of bindings) attached.set(slot, number);
    expect(table.isAlone(bindings[0]!)).toBe(bindings.length === 1);
  }
  for (let slot = 0; slot < CEILING; slot++) expect(table.agentOf(slot)).toBe(attached.get(slot) ?? 0);
}

test("with room for all, every handle leads to its agent, the newest is known, and those forgotten lead nowhere", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const both = new Both(100);
      const every = Array.from({ length: 10 }, (_, handle) => handle);
      for (const one of steps) {
        play(both, one);
        check(both);
        for (const name of "abcd") {
          const known = both.agents.get(name);
          const led = every.filter((handle) => both.table.find(...wordsOf(name, handle)) !== 0);
          expect(led).toEqual((known?.handles ?? []).toSorted((a, b) => a - b));
          if (known === undefined || known.handles.length === 0) continue;
          expect(both.found(name)).toEqual(known.handles);
          const newest = [both.table.lowOf(known.number), both.table.highOf(known.number)];
          expect(newest).toEqual(wordsOf(name, known.handles[0]!));
        }
      }
    }),
  );
});

test("with little room the oldest handles of who has more than bindings give way, never the newest", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 200, size: "max" }), (steps) => {
      const both = new Both(CEILING);
      for (const one of steps) {
        play(both, one);
        check(both);
        let all = 0;
        for (const [name, agent] of both.agents) {
          const found = both.found(name);
          // Those that are left are the newest ones.
          expect(found).toEqual(agent.handles.slice(0, found.length));
          expect(found.length).toBeGreaterThanOrEqual(Math.min(agent.handles.length, agent.bindings.length));
          agent.handles = found;
          all += found.length;
        }
        expect(all).toBeLessThanOrEqual(2 * CEILING);
      }
    }),
  );
});

test("agents that come and go without end take the places of those before", () => {
  const both = new Both(2);
  const numbers = new Set<number>();
  for (let n = 0; n < 5000; n++) {
    const name = String.fromCharCode(0x61 + (n % 26));
    both.attach(n % 2, name, n % 10, true);
    numbers.add(both.agents.get(name)!.number);
    if (n % 3 === 0) both.detach(n % 2);
  }
  expect(Math.max(...numbers)).toBeLessThanOrEqual(2);
});
