/** A UDP peer for tests: sends octets, keeps what comes back. */
import { sendDatagram } from "./send-datagram.ts";

/** How long a test waits for a datagram before it fails, in milliseconds: generous, for machines with much else to do. */
export const PATIENCE_MS = 10_000;

export class DatagramClient {
  /** Everything received so far, oldest first. */
  readonly received: Uint8Array[] = [];
  #socket!: Bun.udp.Socket<"uint8array">;
  #arrived: (() => void) | null = null;

  private constructor() {}

  /**
   * Binds a socket; waits where another test has the address.
   * @param host a loopback address
   * @param port 0 for any free one
   */
  static async open(host = "127.0.0.1", port = 0): Promise<DatagramClient> {
    const client = new DatagramClient();
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        client.#socket = await Bun.udpSocket({
          hostname: host,
          port,
          binaryType: "uint8array",
          socket: {
            data(_socket, bytes) {
              client.received.push(bytes);
              client.#arrived?.();
            },
            // A send to a server that has gone: what is awaited does not come, and the test says so.
            error() {},
          },
        });
        return client;
      } catch (error) {
        if ((error as { code?: string }).code !== "EADDRINUSE" || performance.now() > deadline) throw error;
        await Bun.sleep(20);
      }
    }
  }

  get address(): string {
    return this.#socket.hostname;
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Sends one datagram. @returns false when the kernel's buffer is full */
  send(bytes: Uint8Array | string, port: number, host = "127.0.0.1"): boolean {
    return sendDatagram(this.#socket, bytes, port, host);
  }

  /**
   * Waits until something received so far satisfies `wanted`.
   * @returns the index in {@link received} of the first that does, from `from` on
   * @throws Error after {@link PATIENCE_MS}
   */
  async until(wanted: (bytes: Uint8Array) => boolean, from = 0): Promise<number> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let index = from; ; index++) {
      while (index >= this.received.length) {
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`Not received in ${PATIENCE_MS} ms; ${this.received.length} others were`);
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#arrived = resolve;
        const timer = setTimeout(resolve, left);
        await promise;
        clearTimeout(timer);
      }
      if (wanted(this.received[index]!)) return index;
    }
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
