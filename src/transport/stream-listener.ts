/** Listens for TCP or TLS connections. */
import { canonicalAddress } from "./address.ts";
import type { Connections } from "./connections.ts";
import type { TransportName } from "./kinds.ts";
import type { Listener } from "./listener.ts";
import { OwnName } from "./own-name.ts";
import { type PeerCheck, type Socket, StreamConnection, streamHandlers } from "./stream.ts";
import type { TlsContext } from "./tls/context.ts";

export class StreamListener implements Listener {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  readonly name: OwnName;
  readonly #connections: Connections;
  readonly #tls: TlsContext | null;
  readonly #listener: Bun.TCPSocketListener<StreamConnection | null>;

  /**
   * Listens at once.
   * @param tls null for TCP
   * @param host numeric address or name of this machine, IPv6 without brackets
   * @param port 0 for any free one
   * @param advertised gives what peers are told instead of the bound address, `host:port`, once the port is known
   * @throws the system's error, its `code` among `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`
   */
  constructor(
    connections: Connections,
    tls: TlsContext | null,
    host: string,
    port: number,
    advertised: ((port: number) => string) | undefined,
    localFor: (peer: string) => string,
  ) {
    this.#connections = connections;
    this.#tls = tls;
    this.transport = tls === null ? "tcp" : "tls";
    this.#listener = this.#listen(host, port);
    this.address = host;
    this.port = this.#listener.port;
    this.name = new OwnName(this.address, this.port, advertised?.(this.port), localFor);
  }

  #listen(hostname: string, port: number): Bun.TCPSocketListener<StreamConnection | null> {
    const check: PeerCheck | null =
      this.#tls === null ? null : { domain: null, isRequired: this.#tls.clientCertificates === "required" };
    return Bun.listen<StreamConnection | null>({
      hostname,
      port,
      allowHalfOpen: true,
      data: null,
      ...(this.#tls === null ? {} : { tls: this.#tls.listenOptions() }),
      socket: streamHandlers((socket) => this.#accept(socket, check)),
    });
  }

  #accept(socket: Socket, check: PeerCheck | null): void {
    const connections = this.#connections;
    const address = canonicalAddress(socket.remoteAddress);
    if (!connections.mayAccept(address)) {
      socket.terminate();
      return;
    }
    const { remotePort } = socket;
    const connection = new StreamConnection(connections, this.transport, address, remotePort, true, this.name, check);
    socket.data = connection;
    connections.add(connection, this.#tls === null ? `tcp ${address} ${remotePort}` : null);
    this.#tls?.renew(socket);
    connection.opened(socket);
  }

  renew(): void {
    // Each socket takes the certificates as it is accepted.
  }

  close(): void {
    this.#listener.stop(false);
  }
}
