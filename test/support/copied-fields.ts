/** What every response owes its request (RFC 3261 s8.2.6, s18.2.1; RFC 3581 s4), checked on text. */
import { expect } from "bun:test";
import { looseFields, onlyValueOf, readSip, type SipText, valuesOf, viaParts } from "./sip-text.ts";

/**
 * Checks that a response is well formed and carries the request's Vias, From, To, Call-ID and CSeq, octet for octet but
 * for `received` and `rport` in the top Via and the tag of the To.
 * @param address where the request came from
 * @returns the response
 */
export function expectCopiedFields(response: Uint8Array, request: Uint8Array, address: string, port: number): SipText {
  const answer = readSip(response);
  const asked = looseFields(request);
  const askedFor = (name: string) => asked.filter(([field]) => field === name).map(([, value]) => value);

  for (const name of ["from", "call-id", "cseq"]) {
    const values = askedFor(name);
    // Of a field that its sender repeated against the rules, one is enough.
    expect([values, values.slice(0, 1)]).toContainEqual(valuesOf(answer, name));
  }

  const [to] = askedFor("to");
  const [answeredTo] = valuesOf(answer, "to");
  if (to === undefined || /;\s*tag\s*=/.test(to)) expect(answeredTo).toBe(to);
  else {
    expect(answeredTo!.slice(0, to.length)).toBe(to);
    expect(answeredTo!.slice(to.length)).toMatch(answer.status === 100 ? /^(;tag=[-.\w]+)?$/ : /^;tag=[-.\w]+$/);
  }

  const [asksTop, ...asksRest] = askedFor("via");
  const [top, ...rest] = valuesOf(answer, "via");
  expect(rest).toEqual(asksRest);
  // Where the values of a malformed Via end cannot be told: it comes back whole.
  if (answer.reason === "Malformed Via") expect(top).toBe(`${asksTop};received=${address}`);
  else expectTopVia(top!, asksTop!, address, port);
  return answer;
}

/** The first value of the top Via line is marked with where the request came from; others on the line are as they were. */
function expectTopVia(top: string, asked: string, address: string, port: number): void {
  const [value, ...others] = top.split(",");
  const [askedValue, ...askedOthers] = asked.split(",");
  expect(others).toEqual(askedOthers);
  const got = viaParts(value!);
  const wanted = viaParts(askedValue!);
  expect(got.sentBy).toBe(wanted.sentBy);
  const hasRport = wanted.params.has("rport");
  const host = wanted.sentBy
    .replace(/^.*\s/, "")
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "");
  wanted.params.delete("received");
  if (hasRport) wanted.params.set("rport", String(port));
  if (hasRport || host !== address) wanted.params.set("received", address);
  expect(Object.fromEntries(got.params)).toEqual(Object.fromEntries(wanted.params));
}

/** The To tag of a response, or undefined. */
export function toTagOf(answer: SipText): string | undefined {
  return /;\s*tag\s*=\s*([^\s;]+)\s*$/.exec(onlyValueOf(answer, "to"))?.[1];
}
