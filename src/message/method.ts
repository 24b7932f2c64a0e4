/** SIP methods by number. Methods are case-sensitive (RFC 3261 s7.1). */
import { ascii } from "./bytes.ts";

export const Method = {
  Other: 0,
  INVITE: 1,
  ACK: 2,
  BYE: 3,
  CANCEL: 4,
  OPTIONS: 5,
  REGISTER: 6,
  PRACK: 7,
  UPDATE: 8,
  INFO: 9,
  SUBSCRIBE: 10,
  NOTIFY: 11,
  PUBLISH: 12,
  REFER: 13,
  MESSAGE: 14,
} as const;
/** The number of a method; `Other` is every method without a number. */
export type Method = (typeof Method)[keyof typeof Method];

/** The name of each number; the empty string at 0. */
export const METHOD_NAMES: readonly string[] = (() => {
  const names: string[] = [];
  for (const [name, id] of Object.entries(Method)) names[id] = id === 0 ? "" : name;
  return names;
})();

/** The octets of each method's name, by number. */
export const METHOD_BYTES: readonly Uint8Array[] = METHOD_NAMES.map((name) => ascii(name));

// The first letter and the length tell all fourteen apart but for PUBLISH among the P's and I's, so a bucket of at most
// two names is left to compare.
const buckets: number[][] = [];
for (let id = 1; id < METHOD_BYTES.length; id++) {
  const name = METHOD_BYTES[id]!;
  const bucket = (name[0]! & 31) * 16 + name.length;
  buckets[bucket] = [...(buckets[bucket] ?? []), id];
}

/** The number of the method named in the range, or `Method.Other`. */
export function methodId(bytes: Uint8Array, start: number, end: number): Method {
  const length = end - start;
  if (length < 3 || length > 9) return Method.Other;
  const bucket = buckets[(bytes[start]! & 31) * 16 + length];
  if (bucket === undefined) return Method.Other;
  for (let b = 0; b < bucket.length; b++) {
    const name = METHOD_BYTES[bucket[b]!]!;
    let i = 0;
    while (i < length && bytes[start + i] === name[i]) i++;
    if (i === length) return bucket[b] as Method;
  }
  return Method.Other;
}
