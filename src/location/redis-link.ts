/**
 * One life of a connection to Redis: as long as it stands, and no longer. Bun's client would connect anew by itself, but a
 * limited number of times, and without a word of what was lost in between.
 *
 * There are two clients in it: one that has subscribed stops answering at the first error reply.
 */
import { RedisClient } from "bun";

export interface RedisLinkOptions {
  url: string;
  /** Milliseconds that Redis may take for an answer before the link ends. */
  patience: number;
  channel: string;
  /** Told what is published on the channel. */
  heard: (message: string) => void;
}

const CLIENT = { autoReconnect: false, enableOfflineQueue: false } as const;

const CLOSED = "the connection was closed";

/** The link has ended. The message says why, in a few words. */
export class LinkEnded extends Error {
  override name = "LinkEnded";
}

export class RedisLink {
  /** Resolves with the reason once the link has ended. */
  readonly over: Promise<string>;
  readonly #options: RedisLinkOptions;
  readonly #commands: RedisClient;
  readonly #news: RedisClient;
  readonly #end = Promise.withResolvers<string>();
  readonly #waiting = new Set<PromiseWithResolvers<never>>();
  #isOpen = true;

  /**
   * Connects and subscribes.
   * @throws LinkEnded when that does not work
   * @throws TypeError for a URL that is none of Redis
   */
  static async connect(options: RedisLinkOptions): Promise<RedisLink> {
    const link = new RedisLink(options);
    try {
      await link.answer(link.#start());
      return link;
    } catch (error) {
      link.end(CLOSED);
      // Bun's client tells the two no more apart than that.
      if ((error as Error).message === CLOSED) throw new LinkEnded("it cannot be reached, or refuses the password");
      throw error;
    }
  }

  private constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.over = this.#end.promise;
    this.#commands = this.#client();
    this.#news = this.#client();
  }

  #client(): RedisClient {
    // Our own patience ends first: it tells more.
    const client = new RedisClient(this.#options.url, { ...CLIENT, connectionTimeout: this.#options.patience * 2 });
    client.onclose = () => this.end(CLOSED);
    return client;
  }

  async #start(): Promise<void> {
    await Promise.all([this.#commands.connect(), this.#news.connect()]);
    await this.#news.subscribe(this.#options.channel, (message) => {
      if (this.#isOpen) this.#options.heard(message);
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends a command; what is sent in one turn goes together. Its reply is waited for by {@link answer}. */
  send(command: string, ...args: string[]): Promise<unknown> {
    const reply = this.#commands.send(command, args);
    // When the link ends before, nobody waits for it any more.
    reply.catch(() => {});
    return reply;
  }

  /**
   * Waits for what is to come of {@link send}, though not for longer than the patience: then the link ends.
   * @throws LinkEnded, or the error that Redis replied with: see {@link isReply}
   */
  async answer<T>(reply: Promise<T>): Promise<T> {
    const ended = Promise.withResolvers<never>();
    const timer = setTimeout(() => this.end("it does not answer"), this.#options.patience);
    this.#waiting.add(ended);
    try {
      return await Promise.race([reply, ended.promise]);
    } catch (error) {
      if (isReply(error) || error instanceof LinkEnded) throw error;
      this.end((error as Error).message);
      throw new LinkEnded((error as Error).message);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(ended);
    }
  }

  /** {@link answer} of a command. */
  ask(command: string, ...args: string[]): Promise<unknown> {
    return this.answer(this.send(command, ...args));
  }

  end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#end.resolve(reason);
    for (const { reject } of this.#waiting) reject(new LinkEnded(reason));
    for (const client of [this.#commands, this.#news]) {
      client.onclose = null;
      client.close();
    }
  }
}

/** Whether an error is what Redis replied with: the link stands. */
export function isReply(error: unknown): error is Error {
  return (error as { code?: string } | null)?.code === "ERR_REDIS_SERVER_ERROR";
}

/** Where a URL leads to, without its password. */
export function hostOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return host === "" ? pathname : host;
  } catch {
    return url.slice(url.lastIndexOf("@") + 1);
  }
}
