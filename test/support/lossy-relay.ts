/**
 * A network that loses datagrams: a UDP relay between one client and one server that drops each datagram, either way,
 * with a given probability. The random numbers are seeded, so a run can be had again as far as the timing lets it.
 */

export interface LossyRelayOptions {
  /** Where the server listens; its address is 127.0.0.1. */
  server: number;
  /** The probability that a datagram is lost, 0 to 1. */
  loss: number;
  seed: number;
}

/** Datagrams one way. */
export interface Way {
  passed: number;
  lost: number;
}

export interface LossyRelay {
  /** The port the client sends to. */
  readonly port: number;
  /** The port the server sees the client at: what a Contact must name, so that requests of the server are lost as well. */
  readonly outside: number;
  readonly toServer: Way;
  readonly toClient: Way;
  close(): void;
}

/** Numbers of 0 to below 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Opens a relay on 127.0.0.1. The client is whoever sent to it last. */
export async function openLossyRelay({ server, loss, seed }: LossyRelayOptions): Promise<LossyRelay> {
  const random = seededRandom(seed);
  const toServer: Way = { passed: 0, lost: 0 };
  const toClient: Way = { passed: 0, lost: 0 };
  let client = 0;
  const survives = (way: Way): boolean => {
    const lost = random() < loss;
    if (lost) way.lost++;
    else way.passed++;
    return !lost;
  };
  const send = (socket: Bun.udp.Socket<"uint8array">, bytes: Uint8Array, port: number) => {
    try {
      socket.send(bytes, port, "127.0.0.1");
    } catch {
      // An ICMP error of a peer that is gone: lost like the others.
    }
  };
  const outer = await Bun.udpSocket({
    hostname: "127.0.0.1",
    binaryType: "uint8array",
    socket: {
      data(_, bytes) {
        if (client !== 0 && survives(toClient)) send(inner, bytes, client);
      },
      error() {},
    },
  });
  const inner = await Bun.udpSocket({
    hostname: "127.0.0.1",
    binaryType: "uint8array",
    socket: {
      data(_, bytes, port) {
        client = port;
        if (survives(toServer)) send(outer, bytes, server);
      },
      error() {},
    },
  });
  return {
    port: inner.port,
    outside: outer.port,
    toServer,
    toClient,
    close() {
      inner.close();
      outer.close();
    },
  };
}
