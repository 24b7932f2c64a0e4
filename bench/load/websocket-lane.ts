/** A WebSocket of the generator (RFC 7118): one message a frame. */
import { latin1 } from "../../src/message/bytes.ts";
import { type Lane, type LaneTarget, type LaneUser, reasonOf } from "./lane.ts";

export class WebSocketLane implements Lane {
  readonly ready: Promise<void>;
  /** A browser does not know its address and port, and says so (RFC 7118 s5). */
  readonly local = "generator.invalid";
  readonly #socket: WebSocket;
  readonly #isBinary: boolean;
  #early: Uint8Array[] = [];
  #isOpen = false;
  #closed = false;

  constructor({ transport, host, port, binaryFrames = false }: LaneTarget, user: LaneUser) {
    this.#isBinary = binaryFrames;
    // Bun takes an object where browsers take the list of protocols.
    const options = { protocols: ["sip"], ...(transport === "wss" ? { tls: { rejectUnauthorized: false } } : {}) };
    const socket = new WebSocket(`${transport}://${host}:${port}/`, options as unknown as string[]);
    socket.binaryType = "nodebuffer";
    this.#socket = socket;
    const open = Promise.withResolvers<void>();
    this.ready = open.promise;
    const over = (error: unknown): void => {
      open.reject(error);
      if (!this.#isOpen || this.#closed) return;
      this.#closed = true;
      user.lost(reasonOf(error));
    };
    socket.onopen = () => {
      if (socket.protocol !== "sip") {
        over(new Error("the server did not take the subprotocol sip"));
        socket.close();
        return;
      }
      this.#isOpen = true;
      open.resolve();
      for (const message of this.#early) this.send(message);
      this.#early = [];
    };
    socket.onmessage = ({ data }: MessageEvent<string | Uint8Array>) => {
      if (!this.#closed) user.received(typeof data === "string" ? Buffer.from(data, "latin1") : data);
    };
    socket.onerror = () => over(new Error("WebSocket failed"));
    socket.onclose = ({ code }) => over(new Error(`WebSocket closed with ${code}`));
  }

  send(message: Uint8Array): void {
    if (this.#closed) return;
    if (!this.#isOpen) this.#early.push(message.slice());
    else if (this.#isBinary) this.#socket.send(message);
    else this.#socket.send(latin1(message, 0, message.length));
  }

  /** A WebSocket of Bun gathers and keeps by itself. */
  flush(): void {}

  close(): void {
    this.#closed = true;
    this.#socket.close(1000);
  }
}
