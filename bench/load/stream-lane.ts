/** A TCP or TLS connection of the generator. Small writes are joined to one a turn. */
import { type Lane, type LaneTarget, type LaneUser, reasonOf } from "./lane.ts";
import { ResponseFramer } from "./response-framer.ts";

/** Octets gathered before a write that does not wait for the end of the turn. */
const FLUSH_AT = 16 * 1024;
/** Room of a new connection: one INVITE fits, and ten thousand connections take little. */
const FIRST_ROOM = 1024;

export class StreamLane implements Lane {
  readonly ready: Promise<void>;
  readonly #user: LaneUser;
  #socket: Bun.Socket | undefined;
  #out = new Uint8Array(FIRST_ROOM);
  #length = 0;
  #isOpen = false;
  /** The kernel takes no more until it says so. */
  #isFull = false;
  #flushPlanned = false;
  #closed = false;

  constructor(target: LaneTarget, user: LaneUser) {
    this.#user = user;
    this.ready = this.#open(target);
  }

  async #open({ transport, host, port, localAddress }: LaneTarget): Promise<void> {
    const secure = transport === "tls";
    const framer = new ResponseFramer((message) => this.#user.received(message));
    const open = Promise.withResolvers<void>();
    // It may fail before anybody waits for it, below.
    open.promise.catch(() => {});
    const opened = (): void => {
      this.#isOpen = true;
      open.resolve();
      this.flush();
    };
    const over = (error: unknown): void => {
      // Without effect when the lane was open.
      open.reject(error);
      if (this.#isOpen && !this.#closed) this.#lost(reasonOf(error));
    };
    // `localAddress` is heeded by Bun and missing in its types.
    const where = { hostname: host, port, localAddress } as { hostname: string; port: number };
    await Bun.connect({
      ...where,
      ...(secure ? { tls: { rejectUnauthorized: false } } : {}),
      socket: {
        binaryType: "uint8array",
        open: (socket) => {
          this.#socket = socket;
          if (this.#closed) socket.terminate();
          else if (!secure) opened();
        },
        // What is written to a TLS connection before its handshake is lost.
        handshake: (_, success, error) => (success ? opened() : over(error ?? new Error("TLS handshake failed"))),
        data: (_, bytes) => {
          if (this.#closed) return;
          try {
            framer.push(bytes as Uint8Array);
          } catch (error) {
            this.#lost((error as Error).message);
          }
        },
        drain: () => {
          this.#isFull = false;
          this.flush();
        },
        close: (_, error) => over(error ?? new Error("connection closed")),
        error: (_, error) => over(error),
        connectError: (_, error) => over(error),
      },
    }).catch(over);
    await open.promise;
  }

  #lost(why: string): void {
    this.close();
    this.#user.lost(why);
  }

  get local(): string {
    return `${this.#socket!.localAddress}:${this.#socket!.localPort}`;
  }

  send(message: Uint8Array): void {
    if (this.#closed) return;
    if (this.#length + message.length > this.#out.length) this.#grow(message.length);
    this.#out.set(message, this.#length);
    this.#length += message.length;
    if (this.#length >= FLUSH_AT) this.flush();
    else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      setImmediate(this.#endTurn);
    }
  }

  #grow(more: number): void {
    const larger = new Uint8Array(2 * (this.#length + more));
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }

  readonly #endTurn = (): void => {
    this.#flushPlanned = false;
    this.flush();
  };

  flush(): void {
    if (!this.#isOpen || this.#isFull || this.#closed || this.#length === 0) return;
    const taken = Math.max(0, this.#socket!.write(this.#out, 0, this.#length));
    if (taken === this.#length) this.#length = 0;
    else {
      this.#isFull = true;
      this.#out.copyWithin(0, taken, this.#length);
      this.#length -= taken;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#socket?.end();
  }
}
