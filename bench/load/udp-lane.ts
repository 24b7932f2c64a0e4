/** A connected UDP socket of the generator. */
import { nativeSockets } from "../../src/transport/native.ts";
import type { Lane, LaneTarget, LaneUser } from "./lane.ts";

/** Datagrams gathered before a send: large enough to share a system call, small enough to keep the server fed. */
const BATCH = 16;
const RECEIVE_BUFFER = 4 * 1024 * 1024;

export class UdpLane implements Lane {
  readonly ready: Promise<void>;
  #socket: Bun.udp.ConnectedSocket<"uint8array"> | undefined;
  #out: Uint8Array[] = [];
  #flushPlanned = false;
  #closed = false;

  constructor(target: LaneTarget, user: LaneUser) {
    this.ready = this.#open(target, user);
  }

  async #open({ host, port }: LaneTarget, user: LaneUser): Promise<void> {
    const socket = await Bun.udpSocket({
      hostname: host,
      binaryType: "uint8array",
      connect: { hostname: host, port },
      socket: {
        data: (_, bytes) => user.received(bytes),
        drain: () => this.flush(),
        // ICMP errors of a server not there yet or gone: the timers count what it costs.
        error: () => {},
      },
    });
    // The kernel's own size holds fewer messages than a burst of answers: what it drops would look like the server's loss.
    nativeSockets()?.setBuffers((socket as unknown as { fd: number }).fd, RECEIVE_BUFFER);
    if (this.#closed) socket.close();
    else this.#socket = socket;
  }

  get local(): string {
    const { hostname, port } = this.#socket!;
    return `${hostname}:${port}`;
  }

  send(message: Uint8Array): void {
    this.#out.push(message);
    if (this.#out.length >= BATCH) this.flush();
    else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      setImmediate(this.#endTurn);
    }
  }

  readonly #endTurn = (): void => {
    this.#flushPlanned = false;
    this.flush();
  };

  flush(): void {
    const out = this.#out;
    if (this.#socket === undefined || out.length === 0) return;
    let taken = 0;
    try {
      taken = this.#socket.sendMany(out);
    } catch {
      // An ICMP error of an earlier datagram; what was lost with it the timers send again.
      taken = out.length;
    }
    // What the kernel did not take is copied, since its slot may be patched for the next call before it goes.
    this.#out = taken === out.length ? [] : out.slice(taken).map((bytes) => bytes.slice());
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close();
    this.#socket = undefined;
  }
}
