/**
 * What is remembered of servers that have asked who we are: the sessions, for the next request to the same server, and the
 * strongest hash each realm has asked for. Bounded: what was used longest ago goes.
 */
import { type AlgorithmName, algorithmNumberOf, hashOf } from "./algorithm.ts";
import type { ClientSession } from "./client-session.ts";

/** Realms of one server: of those a user has sessions in, and of those whose strongest hash is known. */
const MOST_REALMS = 8;

export class ClientMemory {
  readonly #most: number;
  /** In order of use, what was used last at the end. */
  readonly #sessions = new Map<string, ClientSession[]>();
  /** By server and then by realm: no server can have another forgotten by asking for many realms. */
  readonly #strongest = new Map<string, Map<string, number>>();

  /** @param most pairs of server and user, and servers, that are remembered */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there is no session. */
  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  /** @param tag of the credentials' source */
  sessions(server: string, tag: string): readonly ClientSession[] {
    return touched(this.#sessions, keyOf(server, tag)) ?? [];
  }

  remember(server: string, tag: string, session: ClientSession): void {
    const key = keyOf(server, tag);
    const known = touched(this.#sessions, key);
    if (known === undefined) put(this.#sessions, key, [session], this.#most);
    else if (!known.includes(session)) {
      if (known.length === MOST_REALMS) known.shift();
      known.push(session);
    }
  }

  forget(server: string, tag: string, session: ClientSession): void {
    const key = keyOf(server, tag);
    const left = (this.#sessions.get(key) ?? []).filter((one) => one !== session);
    if (left.length === 0) this.#sessions.delete(key);
    else this.#sessions.set(key, left);
  }

  /** The rank of the strongest hash that a realm of a server has asked for; -1 before it has. */
  strongest(server: string, realm: string): number {
    return touched(this.#strongest, server)?.get(realm) ?? -1;
  }

  /** It has asked for one of this rank. */
  asked(server: string, realm: string, rank: number): void {
    const realms = touched(this.#strongest, server) ?? new Map<string, number>();
    put(realms, realm, Math.max(rank, realms.get(realm) ?? -1), MOST_REALMS);
    put(this.#strongest, server, realms, this.#most);
  }
}

/** How strong the hash of an algorithm is; a `-sess` variant is as strong as its plain form. */
export function rankOf(name: AlgorithmName): number {
  return hashOf(algorithmNumberOf(name));
}

/** Unlike any other pair's: a server, a host and a port, has no blank. */
function keyOf(server: string, tag: string): string {
  return `${server} ${tag}`;
}

function touched<V>(map: Map<string, V>, key: string): V | undefined {
  const value = map.get(key);
  if (value === undefined) return undefined;
  map.delete(key);
  map.set(key, value);
  return value;
}

function put<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  while (map.size >= most) map.delete(map.keys().next().value!);
  map.set(key, value);
}
