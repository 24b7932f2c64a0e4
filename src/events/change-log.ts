/**
 * What there is of one resource and what has lately gone, by revision: so that a subscriber is told just what has changed
 * since it was told last (partial state: RFC 4235 s4.3, RFC 3680 s5).
 */

/**
 * How many that are gone are remembered; a subscriber that missed more is told the whole state. One REGISTER can end as many
 * bindings.
 */
const MAX_GONE = 64;

interface Entry<V> {
  readonly value: V;
  readonly revision: number;
}

/** What a subscriber is told. */
export interface Changes<V> {
  readonly isFull: boolean;
  readonly values: readonly V[];
}

export class ChangeLog<K, V> {
  /** The revision of the last change. */
  revision: number;
  readonly #live = new Map<K, Entry<V>>();
  #gone: Entry<V>[] = [];
  /** Changes up to this revision are not known any more. */
  #forgotten: number;

  /** @param revision a number that all changes to come are above */
  constructor(revision: number) {
    this.revision = revision;
    this.#forgotten = revision;
  }

  get size(): number {
    return this.#live.size;
  }

  get(key: K): V | undefined {
    return this.#live.get(key)?.value;
  }

  /** Something is there or has changed. */
  set(key: K, value: V, revision: number): void {
    this.revision = revision;
    this.#live.set(key, { value, revision });
  }

  /** Something is gone. @param value what is told of it for the last time */
  remove(key: K, value: V, revision: number): void {
    if (!this.#live.delete(key)) return;
    this.revision = revision;
    this.#gone.push({ value, revision });
    if (this.#gone.length > MAX_GONE) this.#forgotten = this.#gone.shift()!.revision;
  }

  /** What has changed since a revision; the whole, without what is gone, for one that is negative or too long ago. */
  since(revision: number): Changes<V> {
    const isFull = revision < 0 || revision < this.#forgotten;
    const live = [...this.#live.values()].filter((entry) => isFull || entry.revision > revision);
    const gone = isFull ? [] : this.#gone.filter((entry) => entry.revision > revision);
    return { isFull, values: [...gone, ...live].map(({ value }) => value) };
  }
}

/** The logs of many resources. One without anything in it goes once nobody is left to be told. */
export class ChangeLogs<K, V> {
  readonly #logs = new Map<string, ChangeLog<K, V>>();
  readonly #empty = new Set<string>();
  readonly #watchers: (resource: string) => number;
  #revision = 0;

  /** @param watchers how many are told of a resource */
  constructor(watchers: (resource: string) => number) {
    this.#watchers = watchers;
  }

  /** Resources that there is a log for. */
  get size(): number {
    return this.#logs.size;
  }

  of(resource: string): ChangeLog<K, V> | undefined {
    return this.#logs.get(resource);
  }

  set(resource: string, key: K, value: V): void {
    let log = this.#logs.get(resource);
    if (log === undefined) {
      log = new ChangeLog(this.#revision);
      this.#logs.set(resource, log);
    }
    this.#empty.delete(resource);
    log.set(key, value, ++this.#revision);
  }

  /** @param value what is told of it for the last time */
  remove(resource: string, key: K, value: V): void {
    const log = this.#logs.get(resource);
    log?.remove(key, value, ++this.#revision);
    if (log?.size === 0) this.#empty.add(resource);
    this.#sweep();
  }

  /** Forgets a resource that nobody is told of. */
  forget(resource: string): void {
    this.#logs.delete(resource);
    this.#empty.delete(resource);
  }

  /** What a subscriber is told, and the revision it knows then. */
  since(resource: string, revision: number): Changes<V> & { readonly revision: number } {
    const log = this.#logs.get(resource);
    if (log === undefined) return { isFull: true, values: [], revision: this.#revision };
    return { ...log.since(revision), revision: log.revision };
  }

  /** Looks at two that are empty: more than come to be empty meanwhile. */
  #sweep(): void {
    let looks = 2;
    for (const resource of this.#empty) {
      if (looks-- === 0) return;
      this.#empty.delete(resource);
      if (this.#watchers(resource) === 0) this.#logs.delete(resource);
      else this.#empty.add(resource);
    }
  }
}
