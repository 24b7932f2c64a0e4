/** Temporary GRUUs of random registrations beside a plain model of RFC 5627 s5.1 and s5.3, with Maps and text. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { BindingFlag } from "../../src/location/row.ts";
import { Uri } from "../../src/message/uri.ts";
import { Gruus } from "../../src/registrar/gruus.ts";
import { newLocation, register } from "../support/bindings.ts";

/** Of one address-of-record and instance. */
interface Agent {
  key: string;
  /** When the first of its bindings was made. */
  since: number;
  /** Call-IDs by binding, the one registered last at the end. */
  readonly bindings: Map<number, string>;
  /** Call-IDs whose temporary GRUUs are good, the last one at the end. */
  readonly callIds: Set<string>;
}

interface Made {
  readonly uri: Uri;
  readonly key: string;
  readonly callId: string;
  readonly at: number;
}

class Model {
  /** Steps so far. */
  now = 0;
  readonly agents = new Map<string, Agent>();
  readonly #bySlot = new Map<number, Agent>();

  /** @param born when the binding was made */
  bound(slot: number, key: string, callId: string, isFlow: boolean, born: number): void {
    const agent = this.#agentFor(slot, key);
    agent.since = Math.min(agent.since, born);
    const before = agent.bindings.get(slot);
    const last = isFlow ? before : [...agent.bindings.values()].at(-1);
    if (last !== undefined && last !== callId) agent.callIds.clear();
    agent.bindings.delete(slot);
    agent.bindings.set(slot, callId);
    agent.callIds.delete(callId);
    agent.callIds.add(callId);
    this.#bySlot.set(slot, agent);
  }

  unbound(slot: number): void {
    const agent = this.#bySlot.get(slot);
    if (agent === undefined) return;
    this.#bySlot.delete(slot);
    agent.bindings.delete(slot);
    if (agent.bindings.size === 0) this.agents.delete(agent.key);
  }

  agentOf(slot: number): Agent | undefined {
    return this.#bySlot.get(slot);
  }

  #agentFor(slot: number, key: string): Agent {
    const old = this.#bySlot.get(slot);
    if (old !== undefined && old.key !== key) {
      const isAlone = old.bindings.size === 1 && !this.agents.has(key);
      if (!isAlone) this.unbound(slot);
      else {
        this.agents.delete(old.key);
        old.key = key;
        old.callIds.clear();
        this.agents.set(key, old);
      }
    }
    let agent = this.agents.get(key);
    if (agent === undefined) {
      agent = { key, since: this.now, bindings: new Map(), callIds: new Set() };
      this.agents.set(key, agent);
    }
    return agent;
  }
}

const step = fc.record({
  user: fc.nat(1),
  contact: fc.nat(2),
  instance: fc.nat(2),
  regId: fc.constantFrom(0, 0, 1, 2),
  callId: fc.nat(2),
  isSupported: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  what: fc.constantFrom("register", "register", "register", "register", "remove", "wait"),
});

test("a temporary GRUU leads to its instance until another Call-ID or the last binding's end, and never again", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { location, pass } = newLocation(1_800_000_000_000, 20);
      const gruus = new Gruus(location, new Uint8Array(32).fill(7));
      const model = new Model();
      const born = new Map<number, number>();
      location.watcher = {
        bound(slot, event) {
          gruus.bound(slot);
          if (event === "registered") born.set(slot, model.now);
          const row = location.row(slot);
          if (!(row.flags & BindingFlag.Gruu)) model.unbound(slot);
          else model.bound(slot, `${row.aor} ${row.instance}`, row.callId, row.regId > 0, born.get(slot)!);
        },
        unbound(slot) {
          gruus.unbound(slot);
          model.unbound(slot);
        },
      };
      const made: Made[] = [];
      for (const { user, contact, instance, regId, callId, isSupported, what } of steps) {
        model.now++;
        const urn = `<urn:x:${instance}>`;
        const aor = `sip:u${user}@example.com`;
        const uri = `sip:u${user}@192.0.2.${contact}`;
        if (what === "wait") pass(400_000);
        else if (what === "remove") {
          const slot = location.slotOf(aor, regId > 0 ? `${urn};reg-id=${regId}` : uri);
          if (slot >= 0) location.remove(slot, "unregistered");
        } else {
          const params = `;+sip.instance="${urn}"`;
          const flags = isSupported ? BindingFlag.Gruu : 0;
          const said = { aor, contact: uri, params, instance: urn, regId, callId: `c${callId}`, flags, expires: 1000 };
          const agent = model.agentOf(register(location, said));
          gruus.begin();
          for (const slot of agent?.bindings.keys() ?? []) {
            const text = Buffer.from(gruus.params(slot)).toString();
            const temporary = Uri.parse(/;temp-gruu="([^"]*)"$/.exec(text)![1]!)!;
            made.push({ uri: temporary, key: agent!.key, callId: [...agent!.callIds].at(-1)!, at: model.now });
          }
        }
        expect(gruus.size).toBe(model.agents.size);
        for (const { uri, key, callId, at } of made) {
          const agent = model.agents.get(key);
          const isGood = agent?.callIds.has(callId) && at >= agent.since;
          const [aor, instance] = key.split(" ");
          expect(gruus.resolve(uri)).toEqual(isGood ? { aor: aor!, instance: instance! } : null);
        }
      }
    }),
  );
});
