/** Bindings in Redis, which several servers share: each has all of them in its memory, and tells the others of changes. */
import { hostname } from "node:os";
import { Changes } from "./changes.ts";
import { Flushing } from "./flushing.ts";
import { hostOf, isReply, RedisLink } from "./redis-link.ts";
import { channelOf, type GoneRow, isFrom, writeNews } from "./redis-rows.ts";
import { nameOf, Shared } from "./redis-shared.ts";
import { Slice } from "./redis-slice.ts";
import { checkVersion, forgetSeen, readAll, readKept, renewSeen, tellSeen } from "./redis-sync.ts";
import { drawSecret, SECRET_OCTETS } from "./secrets.ts";
import { type BindingStore, type StoreCounters, StoreError, type StoreHost } from "./store.ts";
import { Waiting, within } from "./waiting.ts";

export interface RedisStoreOptions {
  /** `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, `rediss:` for TLS. */
  url: string;
  /** What all keys, and the channel, begin with: servers that share bindings have the same. Default `viaduct:`. */
  prefix?: string;
  /** By what this server is told from others on the store, in its next life too. Default the machine's name. */
  server?: string;
  /** Milliseconds that changes are gathered. Default 100. A crash loses what came in them. */
  window?: number;
  /**
   * What becomes of REGISTERs while Redis is away. `accept`, the default: they are taken into memory, and written when it is
   * back; until then other servers do not know of them, and if this one ends, they are lost. `refuse`: 503, as it is where
   * answers wait for Redis.
   */
  whileAway?: "accept" | "refuse";
  /** Milliseconds that Redis may take for an answer before it counts as away. Default 5000. */
  patience?: number;
  /** Whether a REGISTER is answered once Redis has it, and with 503 while it is away. Default false. */
  isAwaited?: boolean;
}

/** What a Redis store has done since its start. */
export interface RedisCounters extends StoreCounters {
  /** Bindings that came from other servers. */
  learnt: number;
  /** What came of them and could not be read. */
  malformed: number;
  /** Times that Redis was away. */
  away: number;
}

/** Changes that are written in one go. */
const SLICE = 200;
/** How often this server shows that it is there, and sees that Redis is. */
const BEAT_MS = 1000;
const FORGET_BEATS = 60;
/** The pauses between two tries to connect, in milliseconds; the last one is repeated. */
const PAUSES = [50, 100, 200, 500, 1000, 2000];
/** The pause after Redis has refused to write. */
const REFUSED_MS = 1000;
/** Milliseconds that closing may take to write what is left. */
const CLOSE_MS = 5000;

const AWAY = "Redis is away";

/** What there is once the store is open. */
interface Opened extends StoreHost {
  readonly changes: Changes;
  readonly shared: Shared;
}

export class RedisStore implements BindingStore {
  readonly name = "redis";
  readonly counters: RedisCounters = { written: 0, failures: 0, longest: 0, learnt: 0, malformed: 0, away: 0 };
  readonly isAwaited: boolean;
  readonly #options: Required<RedisStoreOptions>;
  /** Where Redis is, for people. */
  readonly #where: string;
  /** By what this life of the server knows its own news. */
  readonly #origin = crypto.randomUUID();
  readonly #waiting = new Waiting();
  readonly #flushing = new Flushing(() => this.#flush());
  /** By {@link nameOf}. */
  readonly #removed = new Map<string, GoneRow>();
  /** Those that were asked for, in hexadecimal. */
  readonly #secrets = new Map<string, string>();
  #opened: Opened | null = null;
  #link: RedisLink | null = null;
  #trouble: string | null = null;
  #troubled = 0;
  /** Slices that were sent on their way. */
  #slices = 0;
  #writing: Promise<void> | null = null;
  /** Whether one of them is. */
  #isFlying = false;
  #isRefused = false;
  /** Whether Redis has, or is sent, all that is known here: its sign of this server says so. */
  #isLevel = false;
  #beat: Timer | null = null;
  #beats = 0;
  /** When news of our own came back last. */
  #echoed = 0;
  #isClosed = false;
  /** When the first change came that is not on its way yet; 0 when there is none. */
  #since = 0;

  constructor(options: RedisStoreOptions) {
    const { url, prefix = "viaduct:", server = hostname(), window = 100, whileAway = "accept" } = options;
    const { patience = 5000, isAwaited = false } = options;
    this.#options = { url, prefix, server, window, whileAway, patience, isAwaited };
    this.isAwaited = isAwaited;
    this.#where = hostOf(url);
  }

  /** Whether Redis cannot be reached, or takes no changes. Look-ups go on from what is known. */
  get isAway(): boolean {
    return this.#trouble !== null;
  }

  get trouble(): string | null {
    return this.#options.whileAway === "refuse" || this.isAwaited ? this.#trouble : null;
  }

  // ---- the link

  async open(host: StoreHost): Promise<void> {
    const { location, log } = host;
    const { counters } = this;
    const began = performance.now();
    const changes = new Changes(location.ceiling);
    const shared = new Shared({ location, changes, removed: this.#removed, server: this.#options.server, counters });
    this.#opened = { ...host, changes, shared };
    let link: RedisLink | null = null;
    try {
      link = await this.#connect();
      await checkVersion(link);
      await this.#catchUp(link);
    } catch (error) {
      link?.end("it cannot be used");
      throw new StoreError(`Redis at ${this.#where}: ${(error as Error).message}`, { cause: error });
    }
    const ms = Math.round(performance.now() - began);
    log.info({ store: this.name, redis: this.#where, bindings: location.size, ms }, "bindings loaded");
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS).unref();
    void this.#keep(link);
  }

  #connect(): Promise<RedisLink> {
    const { url, patience, prefix } = this.#options;
    return RedisLink.connect({ url, patience, channel: channelOf(prefix), heard: (news) => this.#heard(news) });
  }

  /** Sees to it that there is a link, for as long as the store is open. */
  async #keep(first: RedisLink): Promise<void> {
    for (let link: RedisLink | null = first; link !== null; link = await this.#again()) {
      const reason = await link.over;
      this.#link = null;
      if (this.#isClosed) return;
      this.counters.away++;
      this.#fail(AWAY, "Redis is away; what is known of bindings goes on being used", reason);
    }
  }

  /** Connects anew, however long it takes. @returns null when the store was closed meanwhile */
  async #again(): Promise<RedisLink | null> {
    for (let tries = 0; !this.#isClosed; tries++) {
      await Bun.sleep(PAUSES[Math.min(tries, PAUSES.length - 1)]!);
      let link: RedisLink | null = null;
      try {
        link = await this.#connect();
        if (!this.#isClosed) {
          await this.#catchUp(link);
          return link;
        }
        link.end("closed");
      } catch (error) {
        link?.end((error as Error).message);
        this.#link = null;
      }
    }
    return null;
  }

  /** Brings what Redis has and what is known here together. */
  async #catchUp(link: RedisLink): Promise<void> {
    const { location, log, shared } = this.#room;
    const { prefix } = this.#options;
    const { written, learnt } = this.counters;
    this.#isLevel = false;
    for (const gone of this.#removed.values()) shared.remember(gone);
    const kept = await readKept(link, prefix, this.#origin);
    this.#link = link;
    this.#echoed = performance.now();
    // What was removed here must not be read as what is there.
    await this.#write(link);
    const ended = await readAll(link, prefix, shared, kept, this.#beat === null);
    // Else a server that comes later would draw others.
    for (const [name, secret] of this.#secrets) void link.send("SET", this.#secretKey(name), secret, "NX");
    // Nothing of ours is told while all is read at the start.
    this.#echoed = performance.now();
    if (this.#trouble !== null) {
      await this.#write(link);
      const seconds = Math.round((performance.now() - this.#troubled) / 1000);
      this.#trouble = null;
      const changed = { written: this.counters.written - written, learnt: this.counters.learnt - learnt, ended };
      log.info({ store: this.name, redis: this.#where, seconds, ...changed }, "Redis is back");
    }
    if (this.#isPending) this.#flushing.after(0);
    await tellSeen(link, prefix, this.#origin, location.now);
    this.#isLevel = true;
  }

  /** Shows Redis and the others that we are here. */
  #onBeat(): void {
    const link = this.#link;
    if (link === null) return;
    if (++this.#beats % FORGET_BEATS === 0) this.#room.shared.forget();
    const { patience, prefix } = this.#options;
    // Subscriptions can fall silent while commands are answered.
    if (performance.now() - this.#echoed > patience + BEAT_MS) {
      link.end("news do not come through");
      return;
    }
    void link.send("PUBLISH", channelOf(prefix), writeNews(this.#origin, [], []));
    if (this.#isLevel) this.#renewSeen(link).catch(() => {});
  }

  /** Redis may lose all it has while the link stands: by FLUSHALL, or with another in its place. It is caught up with anew. */
  async #renewSeen(link: RedisLink): Promise<void> {
    const isKept = await renewSeen(link, this.#options.prefix, this.#origin, this.#room.location.now);
    if (!isKept) link.end("it has lost what it had");
  }

  #heard(news: string): void {
    if (isFrom(this.#origin, news)) this.#echoed = performance.now();
    else {
      this.#room.shared.hear(news);
      // Of some we know better.
      if (this.#isPending) this.#changed();
    }
  }

  get #room(): Opened {
    if (this.#opened === null) throw new TypeError("The store is not open");
    return this.#opened;
  }

  // ---- changes

  put(slot: number): void {
    this.#room.changes.put(slot);
    this.#changed();
  }

  touch(slot: number): void {
    this.put(slot);
  }

  remove(slot: number): void {
    this.#room.changes.forget(slot);
    this.#endKey(slot);
  }

  respell(slot: number): void {
    this.#endKey(slot);
  }

  #endKey(slot: number): void {
    const { location, shared } = this.#room;
    const gone = shared.ending(slot);
    this.#removed.set(nameOf(gone), gone);
    // While Redis is away for long, what went first may come back with it, until it expires.
    if (this.#removed.size > location.ceiling) this.#removed.delete(this.#removed.keys().next().value!);
    this.#changed();
  }

  settled(): Promise<void> {
    if (this.#trouble !== null) return Promise.reject(new StoreError(this.#trouble));
    if (!this.#isPending) {
      if (!this.#isFlying) return Promise.resolve();
      return this.#waiting.until(this.#slices, this.#room.changes.queued);
    }
    this.#flushing.soon();
    const more = Math.max(1, Math.ceil(this.#removed.size / SLICE));
    return this.#waiting.until(this.#slices + more, this.#room.changes.queued);
  }

  /** Whether there are changes that are not on their way yet. */
  get #isPending(): boolean {
    return this.#removed.size > 0 || this.#room.changes.size > 0;
  }

  #changed(): void {
    if (this.#since !== 0) return;
    this.#since = performance.now();
    this.#flushing.after(this.#options.window);
  }

  #flush(): void {
    // Without a link it waits until there is one.
    if (this.#link !== null) this.#write(this.#link).catch(() => {});
  }

  /** Writes until nothing is left. One at a time: who comes second waits for the first. */
  #write(link: RedisLink): Promise<void> {
    this.#writing ??= this.#writeAll(link).finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #writeAll(link: RedisLink): Promise<void> {
    const { location, changes, shared } = this.#room;
    const { prefix, server } = this.#options;
    while (this.#isPending) {
      const slice = new Slice({ link, location, prefix, server, origin: this.#origin });
      const since = this.#since;
      slice.fill(changes, this.#removed, SLICE);
      this.#since = this.#isPending ? performance.now() : 0;
      const number = ++this.#slices;
      const position = changes.drained;
      this.#isFlying = true;
      try {
        shared.read(await slice.write());
      } catch (error) {
        slice.restore(changes, this.#removed);
        this.#since ||= since;
        this.#failed(error);
        throw error;
      } finally {
        this.#isFlying = false;
      }
      this.#written(slice.size, since);
      this.#waiting.written(number, position);
    }
  }

  #written(count: number, since: number): void {
    this.counters.written += count;
    if (since !== 0) this.counters.longest = Math.max(this.counters.longest, Math.round(performance.now() - since));
    if (!this.#isRefused) return;
    this.#isRefused = false;
    this.#trouble = null;
    this.#room.log.info({ store: this.name, redis: this.#where }, "Redis takes changes again");
  }

  #failed(error: unknown): void {
    this.counters.failures++;
    if (!isReply(error)) {
      // The end of the link is told where it is waited for.
      this.#waiting.fail(new StoreError(AWAY));
      return;
    }
    this.#isRefused = true;
    this.#fail("Redis takes no changes", "Redis takes no changes", error.message);
    this.#flushing.after(REFUSED_MS);
  }

  #fail(trouble: string, message: string, reason: string): void {
    if (this.#trouble !== trouble) {
      if (this.#trouble === null) this.#troubled = performance.now();
      this.#room.log.error({ store: this.name, redis: this.#where, reason }, message);
    }
    this.#trouble = trouble;
    this.#waiting.fail(new StoreError(trouble));
  }

  // ---- secrets

  async secret(name: string): Promise<Uint8Array> {
    const link = this.#link;
    if (link === null) throw new StoreError(AWAY);
    const key = this.#secretKey(name);
    try {
      void link.send("SET", key, drawSecret().toHex(), "NX");
      const secret = String(await link.ask("GET", key));
      const octets = Uint8Array.fromHex(secret);
      if (octets.length === SECRET_OCTETS) {
        this.#secrets.set(name, secret);
        return octets;
      }
    } catch (error) {
      throw new StoreError(`Redis at ${this.#where}: ${(error as Error).message}`, { cause: error });
    }
    throw new StoreError(`Redis at ${this.#where}: ${key} is no secret`);
  }

  #secretKey(name: string): string {
    return `${this.#options.prefix}secret:${name}`;
  }

  // ---- closing

  async close(): Promise<void> {
    if (this.#opened === null || this.#isClosed) return;
    this.#isClosed = true;
    const link = this.#link;
    if (link !== null) {
      const last = this.#write(link).then(() => forgetSeen(link, this.#options.prefix, this.#origin));
      await within(
        CLOSE_MS,
        last.catch(() => {}),
      );
      link.end("closed");
    }
    if (this.#beat !== null) clearInterval(this.#beat);
    this.#flushing.stop();
    const lost = this.#room.changes.size + this.#removed.size;
    const fields = { store: this.name, redis: this.#where, lost };
    if (lost > 0) this.#opened.log.error(fields, "changes of bindings were not stored");
  }
}

/** Keeps bindings in Redis, for all servers that are given the same. */
export function redisStore(options: RedisStoreOptions): RedisStore {
  return new RedisStore(options);
}
