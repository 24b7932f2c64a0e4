/** The ends of connections that a `StreamClient` sends and reads on. */
import { StreamSplitter } from "./stream-splitter.ts";

/** A connection of the peer's, made or accepted. */
export interface Wire {
  write(octets: Uint8Array): void;
  end(): void;
  reset(): void;
  pause(): void;
  resume(): void;
}

/** A TCP or TLS socket as a wire, with what the kernel did not take yet. */
export class SocketWire implements Wire {
  readonly splitter = new StreamSplitter();
  socket!: Bun.Socket<SocketWire>;
  #unsent: Uint8Array[] = [];
  #isEnding = false;

  write(octets: Uint8Array): void {
    if (this.#unsent.length > 0) {
      this.#unsent.push(octets.slice());
      return;
    }
    const taken = Math.max(0, this.socket.write(octets));
    if (taken < octets.length) this.#unsent.push(octets.slice(taken));
  }

  drained(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const octets of unsent) this.write(octets);
    if (this.#isEnding && this.#unsent.length === 0) this.socket.shutdown();
  }

  end(): void {
    this.#isEnding = true;
    if (this.#unsent.length === 0) this.socket.shutdown();
  }

  reset(): void {
    this.socket.terminate();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}
