/**
 * URIs among which one is looked for that equals another (RFC 3261 s19.1.4), in a time that grows with its length alone,
 * and not with how many there are. The relation is not transitive, so no one key says it all: what both must have alike is
 * the key of a group, and what either may lack is asked of 32 members at once.
 */
import { COLON, LBRACKET, latin1 } from "./bytes.ts";
import type { Uri } from "./uri.ts";
import { canonical, headersOf, MUST_BE_IN_BOTH, paramsOf, readIPv6, telParts } from "./uri-compare.ts";
import {
  SCHEME_OTHER,
  SCHEME_TEL,
  URI_HOST_END,
  URI_HOST_START,
  URI_PASSWORD_END,
  URI_PASSWORD_START,
  URI_PORT,
  URI_SCHEME,
  URI_USER_END,
  URI_USER_START,
} from "./uri-scan.ts";

/** Between the parts of a key; no unit of `canonical` has these codes. */
const PART = "\u0201";
const NONE = "\u0202";
const NO_PARAMS: ReadonlyMap<string, string> = new Map();
const groups = new Uint16Array(8);

/** Who of a block has a parameter, as bits: in all, and by its value. */
interface Holders {
  all: number;
  readonly byValue: Map<string, number>;
}

/** Up to 32 members of one group. */
class Block {
  readonly members: number[] = [];
  readonly #params = new Map<string, Holders>();

  add(member: number, params: ReadonlyMap<string, string>): void {
    const bit = 1 << this.members.length;
    this.members.push(member);
    for (const [name, value] of params) {
      let holders = this.#params.get(name);
      if (holders === undefined) {
        holders = { all: 0, byValue: new Map() };
        this.#params.set(name, holders);
      }
      holders.all |= bit;
      holders.byValue.set(value, (holders.byValue.get(value) ?? 0) | bit);
    }
  }

  /** The first member with no other value for any of the parameters; -1 when there is none. */
  find(params: ReadonlyMap<string, string>): number {
    const { members } = this;
    let left = -1 >>> (32 - members.length);
    for (const [name, value] of params) {
      const holders = this.#params.get(name);
      if (holders === undefined) continue;
      left &= ~holders.all | (holders.byValue.get(value) ?? 0);
      if (left === 0) return -1;
    }
    return members[31 - Math.clz32(left & -left)]!;
  }
}

/** A URI as it is compared with many: read once, however often it is. */
export class ComparedUri {
  /** What it has alike with all that equal it. */
  readonly key: string;
  /** Parameters of which one URI may have what another lacks. */
  readonly params: ReadonlyMap<string, string>;

  constructor(uri: Uri) {
    this.params = freeParams(uri);
    this.key = keyOf(uri, this.params);
  }
}

/** URIs by a number that whoever adds them gives them. */
export class UriSet {
  readonly #groups = new Map<string, Block[]>();

  /** @param member what {@link find} returns for it, 0 or more */
  add({ key, params }: ComparedUri, member: number): void {
    const blocks = this.#groups.get(key);
    let block = blocks?.at(-1);
    if (block === undefined || block.members.length === 32) {
      block = new Block();
      if (blocks === undefined) this.#groups.set(key, [block]);
      else blocks.push(block);
    }
    block.add(member, params);
  }

  /** The first that was added of those that equal a URI, as `equalUris` says; -1 when none does. */
  find({ key, params }: ComparedUri): number {
    for (const block of this.#groups.get(key) ?? []) {
      const member = block.find(params);
      if (member >= 0) return member;
    }
    return -1;
  }
}

/** The parameters of a SIP or SIPS URI, of which one URI may have what another lacks, once {@link keyOf} took the others. */
function freeParams(uri: Uri): ReadonlyMap<string, string> {
  const scheme = uri.at[URI_SCHEME];
  return scheme === SCHEME_OTHER || scheme === SCHEME_TEL ? NO_PARAMS : paramsOf(uri);
}

/** What two URIs that are equal have alike. For a scheme without free parameters, those that have it alike are equal. */
function keyOf(uri: Uri, params: ReadonlyMap<string, string>): string {
  const { bytes, at } = uri;
  const { scheme } = uri;
  if (at[URI_SCHEME] === SCHEME_OTHER) return scheme + latin1(bytes, bytes.indexOf(COLON), bytes.length);
  if (at[URI_SCHEME] === SCHEME_TEL) return scheme + PART + sorted(telParts(uri));
  let key = scheme + PART + hostOf(uri) + PART + at[URI_PORT];
  key += PART + partOf(uri, URI_USER_START, URI_USER_END) + PART + partOf(uri, URI_PASSWORD_START, URI_PASSWORD_END);
  for (const name of MUST_BE_IN_BOTH) key += PART + (params.get(name) ?? NONE);
  return key + PART + sorted(headersOf(uri));
}

function partOf({ bytes, at }: Uri, startSlot: number, endSlot: number): string {
  const start = at[startSlot]!;
  return start < 0 ? NONE : canonical(bytes, start, at[endSlot]!, false);
}

/** RFC 5954 s4.2: the address counts, not its text. */
function hostOf({ bytes, at, host }: Uri): string {
  const start = at[URI_HOST_START]!;
  const isRead = bytes[start] === LBRACKET && readIPv6(bytes, start + 1, at[URI_HOST_END]! - 1, groups);
  return isRead ? groups.join(":") : host;
}

function sorted(items: ReadonlyMap<string, string>): string {
  if (items.size === 0) return "";
  const texts = Array.from(items, ([name, value]) => name + NONE + value);
  return texts.sort().join(PART);
}
