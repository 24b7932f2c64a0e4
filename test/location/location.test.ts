import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Location, type UnboundEvent } from "../../src/location/location.ts";
import { Section } from "../../src/location/packed.ts";
import { BindingFlag, type BindingRow, bindingKey } from "../../src/location/row.ts";
import { TimerWheel } from "../../src/time/wheel.ts";

const WALL = 1_800_000_000_000;

function fresh(ceiling = 1000): { location: Location; wheel: TimerWheel; gone: [string, UnboundEvent][] } {
  const wheel = new TimerWheel(5000);
  const location = new Location({ wheel, epoch: { wall: WALL, wheel: 5000 }, ceiling, seed: [1, 2] });
  const gone: [string, UnboundEvent][] = [];
  location.watcher = {
    bound() {},
    unbound: (slot, event) => void gone.push([`${location.aorOf(slot)} ${location.keyOf(slot)}`, event]),
  };
  return { location, wheel, gone };
}

function row(changes: Partial<BindingRow> = {}): BindingRow {
  return {
    id: 7,
    aor: "sip:bob@example.com",
    name: '"Bob"',
    contact: "sip:bob@192.0.2.1:5070",
    params: ";q=0.5",
    instance: "",
    regId: 0,
    q: 500,
    callId: "a84b4c76e66710",
    cseq: 4_000_000_000,
    expires: WALL / 1000 + 60,
    updated: WALL / 1000,
    path: "<sip:p1.example.com;lr>",
    received: "udp:192.0.2.9:1024",
    userAgent: "phone/1",
    flags: 2,
    ...changes,
  };
}

describe("a binding", () => {
  test("is read as it was loaded", () => {
    const { location } = fresh();
    const slot = location.load(row());
    expect(location.row(slot)).toEqual(row());
    expect(location.slotOf("sip:bob@example.com", "sip:bob@192.0.2.1:5070")).toBe(slot);
    expect(location.slotOf("sip:bob@example.com", "sip:bob@192.0.2.2")).toBe(-1);
    expect(location.find(new TextEncoder().encode("sip:carol@example.com"), 0, 21)).toBe(-1);
  });

  test("of RFC 5626 goes by its instance and reg-id, whatever its URI", () => {
    const { location } = fresh();
    const instance = "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";
    const outbound = { instance, regId: 1, params: `;+sip.instance="${instance}";reg-id=1` };
    location.load(row(outbound));
    location.load(row({ ...outbound, contact: "sip:bob@192.0.2.7", updated: WALL / 1000 + 1 }));
    location.load(row({ ...outbound, regId: 2, params: `;+sip.instance="${instance}";reg-id=2` }));
    expect(location.size).toBe(2);
    const slot = location.slotOf("sip:bob@example.com", `${instance};reg-id=1`);
    expect(location.row(slot)).toMatchObject({ contact: "sip:bob@192.0.2.7", instance });
  });

  test("expires in its time, in the second it was given to and not before", () => {
    const { location, wheel, gone } = fresh();
    location.load(row());
    wheel.advance(5000 + 59_900);
    expect(location.size).toBe(1);
    expect(location.remaining(0)).toBe(1);
    wheel.advance(5000 + 60_010);
    expect([location.size, location.aors, location.expired]).toEqual([0, 0, 1]);
    expect(gone).toEqual([["sip:bob@example.com sip:bob@192.0.2.1:5070", "expired"]]);
    expect(location.expires(0)).toBe(0);
  });

  test("may last longer than the wheel reaches", () => {
    const { location, wheel } = fresh();
    const days = 86_400;
    location.load(row({ expires: WALL / 1000 + 10 * days }));
    wheel.advance(5000 + 9 * days * 1000);
    expect(location.size).toBe(1);
    wheel.advance(5000 + 10 * days * 1000 + 10);
    expect(location.size).toBe(0);
  });

  test.each([
    ["forward", 86_400],
    ["back", -86_400],
  ])(
    "lasts as long as it would have though the clock is set %s, and another server's until that says",
    (_, seconds) => {
      const { location, wheel, gone } = fresh();
      const [ours, theirs] = ["sip:bob@192.0.2.1", "sip:bob@192.0.2.2"];
      location.load(row({ contact: ours }));
      const expires = WALL / 1000 + seconds + 50;
      const flags = BindingFlag.Elsewhere;
      location.load(row({ id: 8, contact: theirs, expires: Math.max(expires, WALL / 1000 + 50), flags }));
      wheel.advance(5000 + 20_000);
      // What the clock is a little off is not followed.
      expect([location.follow(WALL + 21_400), location.follow(WALL + 18_600), location.now]).toEqual([
        0,
        0,
        WALL + 20_000,
      ]);
      const wall = WALL + 20_000 + seconds * 1000;
      expect([location.follow(wall + 400), location.now, location.follow(wall)]).toEqual([seconds, wall, 0]);
      expect(location.remaining(location.slotOf("sip:bob@example.com", ours))).toBe(40);
      const left = seconds > 0 ? 30 : 86_430;
      expect(location.remaining(location.slotOf("sip:bob@example.com", theirs))).toBe(left);
      wheel.advance(5000 + 60_010);
      expect(gone.at(-1)).toEqual([`sip:bob@example.com ${ours}`, "expired"]);
      wheel.advance(5000 + 20_000 + left * 1000 + 10);
      expect(location.size).toBe(0);
    },
  );

  test("that has expired, or is older than what is known, is not loaded", () => {
    const { location } = fresh();
    expect(location.load(row({ expires: WALL / 1000 }))).toBe(-1);
    location.load(row({ cseq: 2, updated: WALL / 1000 + 5 }));
    expect(location.load(row({ cseq: 1 }))).toBe(-1);
    expect(location.cseq(0)).toBe(2);
  });

  test("that was registered anew elsewhere takes the place of the one that has ended there", () => {
    const { location, gone } = fresh();
    const bound: [number, string][] = [];
    location.watcher = { ...location.watcher!, bound: (slot, event) => void bound.push([location.id(slot), event]) };
    location.load(row());
    location.load(row({ cseq: 1, updated: WALL / 1000 + 1 }));
    expect(gone).toEqual([]);
    location.load(row({ id: 8, cseq: 1, updated: WALL / 1000 + 2 }));
    expect(gone).toEqual([["sip:bob@example.com sip:bob@192.0.2.1:5070", "deactivated"]]);
    expect(bound).toEqual([
      [7, "created"],
      [7, "refreshed"],
      [8, "created"],
    ]);
    expect([location.size, location.aors]).toEqual([1, 1]);
  });

  test("that no REGISTER can have made is not loaded", () => {
    const { location } = fresh();
    for (const wrong of [
      { params: `;a=${"x".repeat(9000)}` },
      { userAgent: "x".repeat(9000) },
      { instance: "<urn:x>" },
    ]) {
      expect(location.load(row(wrong))).toBe(-1);
    }
    expect([location.size, location.aors]).toEqual([0, 0]);
  });

  test("beyond the ceiling is not taken", () => {
    const { location } = fresh(1);
    location.load(row());
    expect(location.load(row({ aor: "sip:carol@example.com" }))).toBe(-1);
    expect([location.size, location.aors]).toEqual([1, 1]);
    // One that is there is still changed.
    expect(location.load(row({ cseq: 9, updated: WALL / 1000 + 1 }))).toBe(0);
  });
});

describe("who watches is told that a change is complete", () => {
  function told(location: Location): string[] {
    const events: string[] = [];
    location.watcher = {
      bound: (slot, event) => void events.push(`${location.text(slot, Section.Uri)} ${event}`),
      unbound: (slot, event) => void events.push(`${location.text(slot, Section.Uri)} ${event}`),
      settled: () => void events.push("."),
    };
    return events;
  }
  const [one, other] = ["sip:bob@192.0.2.1", "sip:bob@192.0.2.2"];

  test("of one binding, when it was done alone", () => {
    const { location } = fresh();
    const events = told(location);
    location.load(row({ contact: one }));
    location.load(row({ contact: one, id: 8, updated: WALL / 1000 + 1 }));
    location.unload("sip:bob@example.com", one);
    location.unload("sip:bob@example.com", one);
    location.remove(location.load(row({ contact: other })), "rejected");
    expect(events).toEqual([
      `${one} created`,
      ".",
      `${one} deactivated`,
      `${one} created`,
      ".",
      `${one} deactivated`,
      ".",
      `${other} created`,
      ".",
      `${other} rejected`,
      ".",
    ]);
  });

  test("of all that was done together, in whatever calls, and though it failed", () => {
    const { location } = fresh();
    const events = told(location);
    const failing = () =>
      location.together(() => {
        location.load(row({ contact: one }));
        location.together(() => location.load(row({ contact: other })));
        throw new Error("no more");
      });
    expect(failing).toThrow("no more");
    expect(events.splice(0)).toEqual([`${one} created`, `${other} created`, "."]);
    expect(location.together(() => location.unload("sip:bob@example.com", one))).toBe(true);
    expect(events).toEqual([`${one} deactivated`, "."]);
  });

  test("of an address-of-record whose bindings expire", () => {
    const { location, wheel } = fresh();
    const expires = (seconds: number) => WALL / 1000 + seconds;
    for (const contact of [one, other]) location.load(row({ contact, expires: expires(60) }));
    location.load(row({ contact: "sip:bob@192.0.2.3", expires: expires(70) }));
    location.load(row({ aor: "sip:carol@example.com", contact: "sip:carol@192.0.2.1", expires: expires(60) }));
    const events = told(location);
    wheel.advance(5000 + 60_010);
    expect(events).toEqual([`${other} expired`, `${one} expired`, ".", "sip:carol@192.0.2.1 expired", "."]);
    expect([location.size, location.expired, wheel.size]).toEqual([1, 3, 1]);
  });
});

test("whatever comes and goes, what is there is what a Map would hold", () => {
  const step = fc.record({
    user: fc.nat(5),
    contact: fc.nat(3),
    seconds: fc.integer({ min: 1, max: 50 }),
    path: fc.string({ unit: fc.constantFrom(..."abc,<>;") }),
    kind: fc.constantFrom("load", "load", "load", "unload", "wait"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { location, wheel } = fresh();
      const known = new Map<string, BindingRow>();
      let now = WALL;
      for (const { user, contact, seconds, path, kind } of steps) {
        const aor = `sip:u${user}@example.com`;
        const uri = `sip:u${user}@192.0.2.${contact}`;
        if (kind === "wait") {
          now += seconds * 1000;
          wheel.advance(5000 + now - WALL);
          for (const [key, one] of known) if (one.expires * 1000 <= now) known.delete(key);
        } else if (kind === "unload") expect(location.unload(aor, uri)).toBe(known.delete(`${aor} ${uri}`));
        else {
          const one = row({ aor, contact: uri, path, expires: now / 1000 + seconds, updated: now / 1000 });
          location.load(one);
          known.set(`${aor} ${bindingKey(one)}`, one);
        }
      }
      expect(location.size).toBe(known.size);
      expect(location.aors).toBe(new Set([...known.values()].map(({ aor }) => aor)).size);
      for (const one of known.values()) {
        expect(location.row(location.slotOf(one.aor, one.contact))).toEqual(one);
      }
    }),
  );
});
