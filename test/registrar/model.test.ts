/** Random REGISTERs beside a plain model of what RFC 3261 s10.3 says: a Map of bindings, and the rules one after the other. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Registering, Registrant } from "../support/registering.ts";
import { unique } from "../support/sip-messages.ts";

const MIN = 60;
const MAX = 500;
const MAX_CONTACTS = 3;

interface Contact {
  host: number;
  /** How its URI is spelled: all are the same by s19.1.4. */
  spelling: 0 | 1 | 2;
  /** Seconds; text that is no number; null for none. */
  expires: number | string | null;
  q: number | null;
}

interface Step {
  user: number;
  agent: number;
  cseq: number;
  star: boolean;
  contacts: Contact[];
  expires: number | string | null;
  /** Seconds that pass before it. */
  wait: number;
}

interface Known {
  uri: string;
  params: string;
  callId: string;
  cseq: number;
  /** In seconds of the model's time. */
  until: number;
}

/** Bindings by host. */
type Bindings = Map<number, Known>;

const lasts = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<number | null>(0, 60, 100, 499, 501, null) },
  { weight: 1, arbitrary: fc.constantFrom<number | string>(1, 59, 3600, "soon", "-1", "99999999999999999999") },
);
const step: fc.Arbitrary<Step> = fc.record({
  user: fc.nat(1),
  agent: fc.nat(1),
  cseq: fc.integer({ min: 1, max: 12 }),
  star: fc.integer({ min: 0, max: 12 }).map((n) => n === 0),
  contacts: fc.array(
    fc.record({
      host: fc.nat(4),
      spelling: fc.constantFrom(0 as const, 1 as const, 2 as const),
      expires: lasts,
      q: fc.constantFrom(null, null, 0.5, 1),
    }),
    { maxLength: 3 },
  ),
  expires: lasts,
  wait: fc.constantFrom(0, 0, 0, 1, 30, 100),
});

function uriOf({ host, spelling }: Contact): string {
  return [`sip:bob@h${host}.example.net`, `SIP:bob@H${host}.example.net`, `sip:b%6Fb@h${host}.example.net`][spelling]!;
}

function paramsOf({ q }: Contact): string {
  return q === null ? "" : `;q=${q}`;
}

function secondsOf(said: number | string | null): number | null {
  if (said === null || typeof said === "number") return said;
  return /^\d+$/.test(said) ? Number(said) : 3600;
}

/** What a step comes to: its status, and what is known after it. */
function judge(known: Bindings, step: Step, callId: string, now: number): [status: number, after: Bindings] {
  const { contacts, star, cseq } = step;
  const header = secondsOf(step.expires);
  const isOld = (one: Known) => one.callId === callId && cseq <= one.cseq;
  if (star) {
    if (contacts.length > 0 || header !== 0) return [400, known];
    return [...known.values()].some(isOld) ? [500, known] : [200, new Map()];
  }
  const asked = contacts.map((contact) => secondsOf(contact.expires) ?? header ?? MAX);
  if (asked.some((seconds) => seconds > 0 && seconds < MIN)) return [423, known];
  const after: Bindings = new Map(known);
  for (const [at, contact] of contacts.entries()) {
    const { host } = contact;
    if (contacts.findIndex((other) => other.host === host) < at) return [400, known];
    const one = known.get(host);
    if (one !== undefined && isOld(one)) return [500, known];
    if (asked[at] === 0) after.delete(host);
    else {
      const until = now + Math.min(asked[at]!, MAX);
      after.set(host, { uri: uriOf(contact), params: paramsOf(contact), callId, cseq, until });
    }
  }
  return after.size > Math.max(MAX_CONTACTS, known.size) ? [403, known] : [200, after];
}

test("whatever is registered, what is answered and known is what the model says", async () => {
  const bounds = { minExpires: MIN, maxExpires: MAX, defaultExpires: MAX, maxContacts: MAX_CONTACTS };
  using on = await Registering.open(bounds, { limits: { transactions: 20_000 } });
  let now = 0;
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const run = unique("u");
      const users = [0, 1].map((n) => new Registrant(on.client, `sip:${run}-${n}@example.com`));
      const bindings: Bindings[] = [new Map(), new Map()];
      for (const step of steps) {
        now += step.wait;
        on.clock.skip(step.wait * 1000);
        for (const known of bindings) {
          for (const [host, { until }] of known) if (until <= now) known.delete(host);
        }
        const callId = `${run}-${step.agent}`;
        const [status, after] = judge(bindings[step.user]!, step, callId, now);
        bindings[step.user] = after;
        const values = step.contacts.map((contact) => {
          const expires = contact.expires === null ? "" : `;expires=${contact.expires}`;
          return `<${uriOf(contact)}>${paramsOf(contact)}${expires}`;
        });
        const response = await users[step.user]!.register({
          contacts: step.star ? [...values, "*"] : values,
          expires: step.expires ?? undefined,
          callId,
          cseq: step.cseq,
          // Or one CSeq twice would be a merged request.
          from: `<sip:${run}@example.com>;tag=${unique("t")}`,
        });
        expect(response.status).toBe(status);
        seen.add(status);
        if (status !== 200) continue;
        const told = [...after.values()].map(({ uri, params, until }) => `<${uri}>${params};expires=${until - now}`);
        expect(response.headers("Contact").sort()).toEqual(told.sort());
      }
      for (const [at, known] of bindings.entries()) {
        const found = on.phones.lookup(users[at]!.aor);
        expect(found.map(({ contact, callId, cseq }) => [contact, callId, cseq]).sort()).toEqual(
          [...known.values()].map(({ uri, callId, cseq }) => [uri, callId, cseq]).sort(),
        );
        on.phones.unbind(users[at]!.aor);
      }
      expect(on.phones.stats).toMatchObject({ bindings: 0, addressesOfRecord: 0 });
    }),
    { numRuns: 100 },
  );
  expect(on.running.log.lines).toEqual([]);
  expect([...seen].sort()).toEqual([200, 400, 403, 423, 500]);
}, 30_000);
