/** DNS records as the search for a server sees them, and who gives them. */
import type { NaptrRecord, SrvRecord } from "node:dns";
import type { DnsFailure } from "./locate-error.ts";

export type { NaptrRecord, SrvRecord };

/** The record of each type; A and AAAA as the address in text. */
export interface RecordOf {
  NAPTR: NaptrRecord;
  SRV: SrvRecord;
  A: string;
  AAAA: string;
}

export type RecordType = keyof RecordOf;

/** What came of a query. "No such name" and "no such record" are answers without records and without a failure. */
export interface Answer<T> {
  readonly records: readonly T[];
  readonly failure: DnsFailure | undefined;
}

/** An answer that is known already, or a promise of one that never rejects. */
export type Pending<T> = Answer<T> | Promise<Answer<T>>;

/** Who is asked. Names are in lower case, without a dot at the end. */
export interface DnsClient {
  naptr(name: string): Pending<NaptrRecord>;
  srv(name: string): Pending<SrvRecord>;
  a(name: string): Pending<string>;
  aaaa(name: string): Pending<string>;
}

/** The answer that there is nothing. */
export const NOTHING: Answer<never> = Object.freeze({ records: Object.freeze([]), failure: undefined });

/** The answer that a query failed. */
export function failedAnswer(failure: DnsFailure): Answer<never> {
  return { records: [], failure };
}
