/**
 * SIP over TCP and TLS (RFC 3261 s18.3): a connection that is a stream of messages.
 *
 * What is sent in a turn is joined into one write. What the kernel does not take waits in a bounded queue for `drain`,
 * and a peer that lets it run full is closed: nobody else waits for it.
 */
import type { X509Certificate } from "node:crypto";
import { type FrameReceiver, Framer } from "../message/framer.ts";
import type { Message } from "../message/message.ts";
import { offersAlias, viasOf } from "../message/via.ts";
import { canonicalAddress, SIPS_PORT } from "./address.ts";
import { Connection, ConnectionState } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { flowKey } from "./flow-key.ts";
import type { TransportName } from "./kinds.ts";
import type { OwnName } from "./own-name.ts";
import { sipIdentities, verifyServer } from "./tls/identity.ts";

/** Octets joined for one write; more is written in several. */
const JOIN = 128 * 1024;
const PEER_CLOSED = "the peer closed the connection";
const PONG = Uint8Array.of(0x0d, 0x0a);
const joined = new Uint8Array(JOIN);

/** What a TLS connection asks of its peer. */
export interface PeerCheck {
  /** For a connection of ours: what the peer's certificate must name; null checks nothing. */
  readonly domain: string | null;
  /** For an accepted connection: whether one without a certificate that can be trusted is closed. */
  readonly isRequired: boolean;
}

/** A socket with its connection. */
export type Socket = Bun.Socket<StreamConnection | null>;

export class StreamConnection extends Connection implements FrameReceiver {
  readonly isOnlyWay = false;
  /** What the peer's verified certificate names it (RFC 5922 s7.1); empty without one. */
  identities: readonly string[] = [];
  #socket: Socket | null = null;
  readonly #framer: Framer;
  readonly #check: PeerCheck | null;
  /** Views on the arena, written at the end of the turn. */
  readonly #gathered: Uint8Array[] = [];
  /** What the kernel did not take yet, oldest first. */
  #waiting: Uint8Array[] = [];
  #waitingOctets = 0;
  #framedInRead = 0;
  #isAliasSought = false;

  /** @param check for TLS; null for TCP */
  constructor(
    connections: Connections,
    kind: TransportName,
    address: string,
    port: number,
    isAccepted: boolean,
    name: OwnName,
    check: PeerCheck | null,
  ) {
    super(connections, kind, address, port, isAccepted, name);
    this.#check = check;
    this.#framer = new Framer(connections.scanners, this);
  }

  // ---- sending

  override get isDone(): boolean {
    return super.isDone && this.#waitingOctets === 0;
  }

  send(start: number, address: string, port: number): void {
    const { connections } = this;
    if (this.state === ConnectionState.Closed) {
      connections.reopen(this, start, address, port);
      return;
    }
    connections.counters.sent++;
    this.#gather(this.arena.bytes.subarray(start, this.arena.at));
  }

  #gather(octets: Uint8Array): void {
    this.#gathered.push(octets);
    // Never written here: a connection that broke would end the transaction that is sending.
    if (this.#gathered.length === 1) this.connections.gather(this);
  }

  flush(): void {
    const gathered = this.#gathered;
    if (gathered.length > 0 && this.state !== ConnectionState.Closed) {
      if (this.state === ConnectionState.Opening || this.#waitingOctets > 0) {
        for (const octets of gathered) this.#wait(octets.slice());
      } else if (gathered.length === 1) this.#write(gathered[0]!);
      else this.#writeJoined(gathered);
    }
    gathered.length = 0;
    if (this.isDone) this.close(null);
  }

  #writeJoined(gathered: readonly Uint8Array[]): void {
    let at = 0;
    for (const octets of gathered) {
      if (at + octets.length > JOIN) {
        this.#write(joined.subarray(0, at));
        at = 0;
      }
      if (octets.length > JOIN) this.#write(octets);
      else {
        joined.set(octets, at);
        at += octets.length;
      }
    }
    if (at > 0) this.#write(joined.subarray(0, at));
  }

  /** @param octets may be overwritten afterwards */
  #write(octets: Uint8Array): void {
    if (this.state === ConnectionState.Closed) return;
    const taken = this.#waitingOctets > 0 ? 0 : Math.max(0, this.#socket!.write(octets));
    if (taken < octets.length) this.#wait(octets.slice(taken));
  }

  #wait(octets: Uint8Array): void {
    if (this.state === ConnectionState.Closed) return;
    if (this.#waitingOctets + octets.length > this.connections.settings.writeQueue) {
      this.#waiting = [];
      this.#waitingOctets = 0;
      this.connections.counters.writeOverflows++;
      this.close("the peer does not read");
      return;
    }
    this.#waiting.push(octets);
    this.#waitingOctets += octets.length;
  }

  /** The kernel takes octets again, or the connection has just been opened. */
  #drain(): void {
    const waiting = this.#waiting;
    let done = 0;
    for (const octets of waiting) {
      const taken = Math.max(0, this.#socket!.write(octets));
      this.#waitingOctets -= taken;
      if (taken < octets.length) {
        waiting[done] = octets.subarray(taken);
        break;
      }
      done++;
    }
    waiting.splice(0, done);
    if (this.isDone) this.close(null);
  }

  // ---- from the framer

  framed(message: Message): void {
    const { receiver, counters } = this.connections;
    this.hasSpoken = true;
    this.#framedInRead++;
    counters.received++;
    if (this.identities.length > 0 && !this.#isAliasSought && message.isRequest) this.#alias(message);
    try {
      receiver.framed(message, this, this.address, this.port);
    } catch (error) {
      receiver.failed(error, this.address, this.port);
    }
  }

  broken(message: Message): void {
    const { receiver, counters } = this.connections;
    counters.unframed++;
    try {
      receiver.broken(message, this, this.address, this.port);
    } catch (error) {
      receiver.failed(error, this.address, this.port);
    }
    this.flush();
    this.close(null);
  }

  ping(): void {
    this.connections.counters.keepAlives++;
    this.#gather(PONG);
  }

  /**
   * RFC 5923 s8.2: a caller whose certificate was verified may have requests for its advertised address sent over its own
   * connection; not for a host that the certificate does not name.
   */
  #alias(message: Message): void {
    this.#isAliasSought = true;
    if (!offersAlias(message)) return;
    const port = viasOf(message)[0]?.port ?? SIPS_PORT;
    for (const identity of this.identities) {
      this.connections.alias(this, flowKey(this.kind, this.address, port, identity));
    }
  }

  // ---- from the socket

  /** The socket is there; with TLS its handshake is still to come. */
  opened(socket: Socket): void {
    if (this.state === ConnectionState.Closed) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    this.local = canonicalAddress(socket.localAddress);
    const { keepAlive } = this.connections.settings;
    socket.setNoDelay(true);
    if (keepAlive > 0) socket.setKeepAlive(true, keepAlive);
    if (this.#check === null) this.#isOpenNow();
  }

  /**
   * The TLS handshake is over.
   * @param isDone whether it came to its end
   * @param error what is wrong with the peer's certificate, or with the handshake
   */
  handshaken(isDone: boolean, error: Error | null): void {
    const check = this.#check;
    const socket = this.#socket;
    if (check === null || socket === null || this.state !== ConnectionState.Opening) return;
    // A server without a certificate is none; with a caller Bun says so.
    if (this.isAccepted ? !isDone : socket.getPeerX509Certificate() === undefined) {
      this.close(error?.message ?? "no TLS handshake");
      return;
    }
    if (this.isAccepted) {
      if (check.isRequired && !socket.authorized) {
        this.close("the peer has no certificate that can be trusted");
        return;
      }
    } else if (check.domain !== null) {
      const fault = verifyServer(socket, error, check.domain);
      if (fault !== null) {
        this.close(fault);
        return;
      }
    }
    // What a server was verified for may be more than its host name, by which alone Bun authorizes it.
    if (socket.authorized || check.domain !== null) this.identities = identitiesOf(socket);
    this.#isOpenNow();
  }

  #isOpenNow(): void {
    this.state = ConnectionState.Open;
    if (!this.isAccepted) this.connections.counters.opened++;
    this.#drain();
  }

  received(chunk: Uint8Array): void {
    const { connections } = this;
    if (this.state === ConnectionState.Closed) return;
    const now = connections.receiver.tick();
    this.lastActive = now;
    this.#framedInRead = 0;
    this.#framer.push(chunk);
    if (!this.#framer.isPartial) this.partialSince = -1;
    else if (this.partialSince < 0 || this.#framedInRead > 0) this.partialSince = now;
    connections.flush();
  }

  drained(): void {
    if (this.state === ConnectionState.Open) this.#drain();
  }

  /** The peer will send no more; it may still wait for what it asked for. Nobody need wait for it. */
  ended(): void {
    if (this.state !== ConnectionState.Open) {
      this.close(PEER_CLOSED);
      return;
    }
    this.isHalfClosed = true;
    this.connections.unlist(this);
    this.connections.receiver.ended(this, PEER_CLOSED);
    this.connections.flush();
    this.flush();
  }

  /** The socket is gone, or never came to be. */
  gone(cause: string): void {
    this.close(cause);
  }

  override close(cause: string | null): void {
    if (this.state === ConnectionState.Opening && cause !== null) {
      if (this.isAccepted) this.connections.counters.handshakeFailures++;
      else this.connections.counters.connectFailures++;
    }
    super.close(cause);
  }

  protected shut(orderly: boolean): void {
    this.#framer.stop();
    this.#waiting = [];
    if (orderly) this.#socket?.end();
    else this.#socket?.terminate();
  }
}

function identitiesOf(socket: Socket): readonly string[] {
  const certificate = socket.getPeerX509Certificate() as X509Certificate | undefined;
  return certificate === undefined ? [] : sipIdentities(certificate);
}

/** What a Bun socket tells its connection, which is the socket's `data`. */
const handlers: Bun.SocketHandler<StreamConnection | null, "uint8array"> = {
  binaryType: "uint8array",
  data(socket, chunk) {
    socket.data?.received(chunk);
  },
  drain(socket) {
    socket.data?.drained();
  },
  handshake(socket, isDone, error) {
    socket.data?.handshaken(isDone, error);
  },
  end(socket) {
    socket.data?.ended();
  },
  close(socket, error) {
    socket.data?.gone(error?.message ?? PEER_CLOSED);
  },
  error(socket, error) {
    socket.data?.gone(error.message);
  },
};

/** The handlers with what is done when a socket is there. */
export function streamHandlers(open: (socket: Socket) => void): Bun.SocketHandler<StreamConnection | null> {
  // The types know no binary type but the default.
  return { ...handlers, open } as unknown as Bun.SocketHandler<StreamConnection | null>;
}
