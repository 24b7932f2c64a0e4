/** A way to a TCP server that can be cut, and mended. */
import type { Socket } from "bun";

interface Pair {
  other: Socket<Pair> | null;
  /** What came before there was another. */
  early: Uint8Array[];
  /** What is still to be written. */
  waiting: Uint8Array[];
}

export class TcpRelay implements Disposable {
  readonly port: number;
  readonly #listener: Bun.TCPSocketListener<Pair>;
  readonly #open = new Set<Socket<Pair>>();
  #isCut = false;

  /** @param port of the server, on 127.0.0.1 */
  constructor(port: number) {
    this.#listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { other: null, early: [], waiting: [] };
          if (this.#isCut) socket.terminate();
          else void this.#connect(socket, port);
        },
        ...this.#ends(),
      },
    });
    this.port = this.#listener.port;
  }

  /** Ends all connections and takes no more. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#open) socket.terminate();
    this.#open.clear();
  }

  mend(): void {
    this.#isCut = false;
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#listener.stop(true);
  }

  async #connect(near: Socket<Pair>, port: number): Promise<void> {
    const far = await Bun.connect<Pair>({
      hostname: "127.0.0.1",
      port,
      data: { other: near, early: [], waiting: [] },
      socket: this.#ends(),
    });
    near.data.other = far;
    this.#open.add(near).add(far);
    for (const octets of near.data.early) pass(far, octets);
  }

  #ends() {
    return {
      data: (socket: Socket<Pair>, octets: Uint8Array) => {
        if (socket.data.other === null) socket.data.early.push(octets);
        else pass(socket.data.other, octets);
      },
      drain: (socket: Socket<Pair>) => {
        for (const octets of socket.data.waiting.splice(0)) pass(socket, octets);
      },
      close: (socket: Socket<Pair>) => {
        this.#open.delete(socket);
        socket.data.other?.end();
      },
      error() {},
    };
  }
}

/** Writes, and keeps what the socket does not take until it drains. */
function pass(to: Socket<Pair>, octets: Uint8Array): void {
  const taken = to.data.waiting.length > 0 ? 0 : Math.max(0, to.write(octets));
  if (taken < octets.length) to.data.waiting.push(octets.subarray(taken));
}
