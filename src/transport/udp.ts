/**
 * SIP over one UDP socket (RFC 3261 s18).
 *
 * Replies are gathered while datagrams are read and go out in one `sendMany` a turn, or as soon as a few have come
 * together: a peer's receive buffer holds little, and a burst that overflows it is lost. What the kernel does not take
 * waits in a bounded queue for `drain`.
 *
 * A turn begins with a datagram and ends in `setImmediate`, when Bun has read its sockets. Under a flood Bun would read
 * on for seconds; after {@link UdpSettings.floodBudget} the valve is shut, Bun sees an empty socket, and timers and other
 * sockets have their turn.
 */
import { Arena } from "../message/arena.ts";
import { canonicalAddress } from "./address.ts";
import type { Channel, Receiver } from "./channel.ts";
import { nativeSockets, type Valve } from "./native.ts";
import { OwnName } from "./own-name.ts";
import { type Sendable, SendQueue } from "./send-queue.ts";
import { isBindingRequest, isStun, writeBindingResponse } from "./stun.ts";

export interface UdpSettings {
  /** Octets asked of the kernel for the receive and the send buffer. Default 8 MiB; the kernel may give less. */
  receiveBuffer: number;
  /** Datagrams kept while the kernel's buffer is full; more are dropped and counted. Default 8,192. */
  sendQueue: number;
  /** Milliseconds of reading after which other work has its turn. Default 5. */
  floodBudget: number;
  /** Whether system calls that Bun has no face for may be used. Default true. */
  native: boolean;
}

export const DEFAULT_UDP: Readonly<UdpSettings> = {
  receiveBuffer: 8 * 1024 * 1024,
  sendQueue: 8192,
  floodBudget: 5,
  native: true,
};

/** Counts kept by one socket since its start. */
export class UdpCounters {
  received = 0;
  sent = 0;
  /** Datagrams of nothing but line ends, spaces or zeros, and STUN, whose requests alone are answered (RFC 5626 s4.4). */
  keepAlives = 0;
  /** Sends that found the kernel's buffer full and had to wait. */
  sendsDeferred = 0;
  /** Sends given up: the queue was full, the system refused the datagram, or the message is longer than one can be. */
  sendsDropped = 0;
  /** Errors reported by the system, ICMP among them. */
  errors = 0;
  /** Datagrams that were cut off by the receive buffer. */
  truncated = 0;
  /** Times that reading was held back so that other work could run. */
  floodPauses = 0;
}

/** Datagrams gathered before they are sent without waiting for the turn's end. */
const FLUSH_AT = 48;
/** What one holds over IPv4. Over IPv6 it is 20 octets more, which nobody misses; a socket may have peers of both. */
const LONGEST_DATAGRAM = 65_507;
/** The clock is read once in so many datagrams. */
const TICK_EVERY = 8;

export class UdpSocket implements Channel {
  readonly transport = "UDP";
  readonly reliable = false;
  readonly longest = LONGEST_DATAGRAM;
  readonly isOnlyWay = false;
  readonly dependants = null;
  holders = 0;
  readonly arena = new Arena();
  readonly counters = new UdpCounters();
  /** The address that is bound, numeric. */
  readonly address: string;
  readonly port: number;
  /** What the kernel gave for a receive buffer, in octets; 0 when it could not be asked. */
  readonly receiveBuffer: number;
  readonly #receiver: Receiver;
  readonly #settings: UdpSettings;
  readonly #socket: Bun.udp.Socket<"uint8array">;
  readonly #queue: SendQueue;
  readonly #valve: Valve | null;
  readonly #name: OwnName;
  #turnScheduled = false;
  #turnStarted = 0;
  #inTurn = 0;
  #shut = false;
  #closed = false;

  private constructor(
    socket: Bun.udp.Socket<"uint8array">,
    receiver: Receiver,
    settings: UdpSettings,
    advertised: ((port: number) => string) | undefined,
    localFor: (peer: string) => string,
  ) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#settings = settings;
    this.address = socket.hostname;
    this.port = socket.port;
    this.#name = new OwnName(this.address, this.port, advertised?.(this.port), localFor);
    const native = settings.native ? nativeSockets() : null;
    const { fd } = socket as unknown as { fd: number };
    this.receiveBuffer = native?.setBuffers(fd, settings.receiveBuffer) ?? 0;
    native?.ignoreIcmpErrors(fd, this.address.includes(":"));
    this.#valve = native?.valve(fd) ?? null;
    this.#queue = new SendQueue(socket as unknown as Sendable, settings.sendQueue, this.counters);
  }

  /**
   * Binds a socket.
   * @param host numeric address or name of this machine, IPv6 without brackets
   * @param port 0 for any free one
   * @param advertised gives what peers are told instead of the bound address, `host:port`, once the port is known
   * @param localFor the address of this machine that a peer is reached from; asked when a wildcard is bound
   * @throws the system's error, its `code` among `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`
   */
  static async open(
    host: string,
    port: number,
    receiver: Receiver,
    settings: UdpSettings,
    advertised: ((port: number) => string) | undefined,
    localFor: (peer: string) => string,
  ): Promise<UdpSocket> {
    let opened: UdpSocket | undefined;
    const socket = await Bun.udpSocket({
      hostname: host,
      port,
      binaryType: "uint8array",
      socket: {
        data(_socket, bytes, peerPort, peerAddress, flags?: { truncated: boolean }) {
          if (opened !== undefined) opened.#onData(bytes, peerPort, peerAddress, flags?.truncated === true);
        },
        drain() {
          if (opened !== undefined) opened.#onDrain();
        },
        error() {
          if (opened !== undefined) opened.counters.errors++;
        },
      },
    });
    opened = new UdpSocket(socket, receiver, settings, advertised, localFor);
    return opened;
  }

  get isOpen(): boolean {
    return !this.#closed;
  }

  sentByFor(peer: string): string {
    return this.#name.sentByFor(peer);
  }

  hostFor(peer: string): string {
    return this.#name.hostFor(peer);
  }

  send(start: number, address: string, port: number): void {
    const { arena } = this;
    this.#queue.add(arena.bytes.subarray(start, arena.at), address, port);
    if (!this.#turnScheduled) this.#scheduleTurn();
  }

  drop(start: number): void {
    this.arena.at = start;
    this.counters.sendsDropped++;
  }

  /** Hands what was gathered to the kernel. */
  flush(): void {
    if (this.#shut) this.#openValve();
    this.#queue.flush();
    this.arena.reset();
  }

  /** Sends what is left and closes. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#valve?.close();
    this.#socket.close();
  }

  #onData(bytes: Uint8Array, port: number, peer: string, truncated: boolean): void {
    const receiver = this.#receiver;
    const address = canonicalAddress(peer);
    this.counters.received++;
    if (!this.#turnScheduled) {
      this.#scheduleTurn();
      this.#inTurn = 0;
      this.#turnStarted = receiver.tick();
    }
    if (truncated) this.counters.truncated++;
    if (isKeepAlive(bytes)) this.#keepAlive(bytes, address, port);
    else {
      try {
        receiver.datagram(bytes, this, address, port);
      } catch (error) {
        receiver.failed(error, address, port);
      }
    }
    // Not in send(): what is written must stay where it is until its writer is done with it.
    if (this.#queue.gathered >= FLUSH_AT) this.flush();
    if ((++this.#inTurn & (TICK_EVERY - 1)) === 0) {
      const now = receiver.tick();
      if (now - this.#turnStarted > this.#settings.floodBudget && !this.#shut) this.#giveWay(now);
    }
  }

  #keepAlive(bytes: Uint8Array, address: string, port: number): void {
    this.counters.keepAlives++;
    if (isStun(bytes) && isBindingRequest(bytes)) {
      this.send(writeBindingResponse(this.arena, bytes, address, port), address, port);
    }
  }

  /** Reading has taken its time: what is written goes out, and where there is a valve the others have their turn. */
  #giveWay(now: number): void {
    this.flush();
    this.#turnStarted = now;
    if (this.#valve === null) return;
    this.#shut = true;
    this.counters.floodPauses++;
    this.#valve.shut();
  }

  #scheduleTurn(): void {
    this.#turnScheduled = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#turnScheduled = false;
    if (!this.#closed) this.flush();
  };

  #openValve(): void {
    this.#shut = false;
    this.#valve!.open();
  }

  #onDrain(): void {
    if (this.#closed) return;
    if (this.#shut) this.#openValve();
    this.#queue.drain();
  }
}

/**
 * Whether a datagram only keeps a NAT binding alive: up to four octets of line ends, spaces or zeros, or STUN (RFC 5626
 * s4.4, s5.4), whose first octet no SIP message begins with. RFC 3261 s7.5 has line ends before a message ignored.
 */
function isKeepAlive(bytes: Uint8Array): boolean {
  const first = bytes[0]!;
  if (first > 0x20 || bytes.length === 0) return bytes.length === 0;
  if (bytes.length <= 4) {
    for (const c of bytes) if (c !== 0x0d && c !== 0x0a && c !== 0x20 && c !== 0) return false;
    return true;
  }
  return isStun(bytes);
}
