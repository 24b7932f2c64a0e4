/** Every way in and out of a server: its UDP sockets, its listeners and its connections. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { ScannerPool } from "../message/framer.ts";
import type { TimerWheel } from "../time/wheel.ts";
import { localAddressFinder } from "./address.ts";
import type { Channel, Receiver } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { flowKey } from "./flow-key.ts";
import { defaultPort, isSecure, type TransportName } from "./kinds.ts";
import type { Listener } from "./listener.ts";
import { isWildcard, OwnName } from "./own-name.ts";
import type { StreamSettings } from "./settings.ts";
import { StreamConnection, streamHandlers } from "./stream.ts";
import { StreamListener } from "./stream-listener.ts";
import type { TlsContext } from "./tls/context.ts";
import { type UdpSettings, UdpSocket } from "./udp.ts";
import { WebSocketListener } from "./websocket.ts";

/** An address of nobody's (RFC 5737), for what depends on the peer where there is none. */
const SOMEWHERE = "192.0.2.1";

/** Where to listen. */
export interface ListenAt {
  readonly transport: TransportName;
  /** Numeric address or name of this machine, IPv6 without brackets. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Gives what peers are told instead of the bound address, `host:port`, once the port is known. */
  readonly advertised?: ((port: number) => string) | undefined;
}

/** Where a message is to go. */
export interface Destination {
  readonly transport: TransportName;
  /** Numeric, IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  /** The name that a certificate of the peer must carry. */
  readonly domain: string;
}

export interface TransportsOptions {
  receiver: Receiver;
  udp: UdpSettings;
  streams: StreamSettings;
  tls: TlsContext;
  scanners: ScannerPool;
  wheel: TimerWheel;
}

export class Transports {
  readonly udp: UdpSocket[] = [];
  readonly connections: Connections;
  readonly tls: TlsContext;
  readonly #listeners: Listener[] = [];
  readonly #options: TransportsOptions;
  readonly #localFor = localAddressFinder();
  #isClosed = false;
  /** In the order they were asked for. */
  readonly #bound: { transport: TransportName; address: string; port: number }[] = [];

  constructor(options: TransportsOptions) {
    const { receiver, streams, scanners, wheel } = options;
    this.#options = options;
    this.tls = options.tls;
    this.connections = new Connections(receiver, streams, scanners, wheel, (lost, address, port) =>
      this.#reopen(lost, address, port),
    );
  }

  /** What is listened on. */
  get bound(): readonly { transport: TransportName; address: string; port: number }[] {
    return this.#bound;
  }

  /** @throws the system's error, with its `code` */
  async listen({ transport, host: name, port, advertised }: ListenAt): Promise<void> {
    const host = isIP(name) ? name : (await lookup(name)).address;
    const { receiver, udp, scanners } = this.#options;
    if (transport === "udp") {
      const socket = await UdpSocket.open(host, port, receiver, udp, advertised, this.#localFor);
      this.udp.push(socket);
      this.#bound.push({ transport, address: socket.address, port: socket.port });
      return;
    }
    const tls = isSecure(transport) ? this.tls : null;
    const listener =
      transport === "tcp" || transport === "tls"
        ? new StreamListener(this.connections, tls, host, port, advertised, this.#localFor)
        : new WebSocketListener(
            this.connections,
            tls,
            host,
            port,
            advertised,
            this.#localFor,
            scanners.limits.messageSize,
          );
    this.#listeners.push(listener);
    this.#bound.push({ transport, address: listener.address, port: listener.port });
  }

  /** The host that peers are told this server is at, as it stands in a URI: that of the first listener. */
  get ownHost(): string {
    const host = (this.udp[0] ?? this.#listeners[0]?.name)?.hostFor(SOMEWHERE) ?? "localhost";
    return host.includes(":") ? `[${host}]` : host;
  }

  /** Whether requests can be sent over a transport to addresses of a family. */
  canReach(transport: TransportName, family: 4 | 6): boolean {
    if (transport === "udp") return this.udp.some((socket) => socket.address.includes(":") === (family === 6));
    // A WebSocket is opened by the client alone (RFC 7118 s4).
    return transport === "tcp" || transport === "tls";
  }

  /**
   * What a request to a destination is sent on: a socket of the right family, a connection that is open, or one that is
   * opened now and told of by {@link Receiver.lost} when it cannot be.
   * @returns null when there is nothing to send it on
   */
  channelTo(to: Destination): Channel | null {
    if (this.#isClosed) return null;
    if (to.transport === "udp") return this.#udpTo(to.address);
    const key = flowKey(to.transport, to.address, to.port, to.domain);
    return this.connections.find(key) ?? this.#connect(to, key);
  }

  #udpTo(address: string): UdpSocket | null {
    const family = this.udp.filter((socket) => socket.address.includes(":") === address.includes(":"));
    const local = this.#localFor(address);
    return (
      family.find((socket) => socket.address === local) ??
      family.find((socket) => isWildcard(socket.address)) ??
      family[0] ??
      null
    );
  }

  #connect(to: Destination, key: string): StreamConnection | null {
    const { transport, address, port, domain } = to;
    const { connections, tls } = this;
    if (!this.canReach(transport, address.includes(":") ? 6 : 4) || !connections.mayOpen(address)) return null;
    const secure = isSecure(transport);
    const check = secure ? { domain: tls.verifyServers ? domain : null, isRequired: false } : null;
    const name = this.#nameFor(transport, address);
    const connection = new StreamConnection(connections, transport, address, port, false, name, check);
    connections.add(connection, key);
    Bun.connect<StreamConnection | null>({
      hostname: address,
      port,
      allowHalfOpen: true,
      data: connection,
      ...(secure ? { tls: tls.connectOptions(domain === address ? null : domain) } : {}),
      socket: streamHandlers((socket) => connection.opened(socket)),
    }).catch((error: Error) => connection.gone(error.message));
    return connection;
  }

  /** What a connection of ours says of this end: the listener that its peer can reach over the same transport. */
  #nameFor(transport: TransportName, peer: string): OwnName {
    const family = (address: string) => address.includes(":") === peer.includes(":");
    const listeners = this.#listeners.filter((listener) => listener.transport === transport);
    const listener = listeners.find(({ address }) => family(address)) ?? listeners[0];
    return listener?.name ?? new OwnName("0.0.0.0", defaultPort(transport), undefined, this.#localFor);
  }

  #reopen(lost: Connection, address: string, port: number): Connection | null {
    const { kind } = lost;
    const known = lost instanceof StreamConnection ? lost.identities[0] : undefined;
    const domain = known ?? address;
    const key = flowKey(kind, address, port, domain);
    return this.connections.find(key) ?? this.#connect({ transport: kind, address, port, domain }, key);
  }

  /** Reads the certificates again for connections to come. @throws TlsFileError when a file is at fault; all stays then */
  reloadCertificates(): void {
    this.tls.reload();
    for (const listener of this.#listeners) listener.renew();
  }

  /** Sends what the kernel takes at once, and closes everything. */
  close(): void {
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.udp) socket.close();
    this.connections.flush();
    for (const connection of this.connections) connection.close(null);
  }
}
