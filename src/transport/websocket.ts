/**
 * SIP over WebSocket (RFC 7118), the server's side: a message is a frame, and responses and requests to a client go over
 * its own connection alone. Text or binary frames are answered in kind; octets that are no UTF-8 never go as text.
 */
import { isAscii } from "node:buffer";
import { canonicalAddress } from "./address.ts";
import { Connection, ConnectionState } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { TransportName } from "./kinds.ts";
import type { Listener } from "./listener.ts";
import { OwnName } from "./own-name.ts";
import type { TlsContext } from "./tls/context.ts";

const SUBPROTOCOL = "sip";
/** Seconds without a sign of life, pongs included, after which Bun gives a connection up; it pings before. */
const DEAD_AFTER_S = 120;
/** RFC 6455 s7.4.1. */
const GOING_AWAY = 1001;
const POLICY = 1008;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

type Socket = Bun.ServerWebSocket<WebSocketConnection>;

export class WebSocketConnection extends Connection {
  readonly isOnlyWay = true;
  #socket: Socket | null = null;
  #isText = true;

  constructor(connections: Connections, kind: TransportName, address: string, port: number, name: OwnName) {
    super(connections, kind, address, port, true, name);
  }

  send(start: number): void {
    const { connections } = this;
    if (this.#socket === null || this.state !== ConnectionState.Open) {
      connections.counters.undeliverable++;
      return;
    }
    connections.counters.sent++;
    this.#write(this.arena.bytes.subarray(start, this.arena.at));
    connections.wake();
  }

  /** Nothing is gathered: Bun joins what is sent in a turn. */
  flush(): void {}

  #write(octets: Uint8Array): void {
    const socket = this.#socket!;
    const text = this.#isText ? textOf(octets) : null;
    // 0: the peer does not read and its queue is full; Bun closes the connection.
    if ((text === null ? socket.sendBinary(octets) : socket.sendText(text)) === 0) {
      this.connections.counters.writeOverflows++;
      this.connections.closeSoon(this, "the peer does not read");
    }
  }

  opened(socket: Socket): void {
    this.#socket = socket;
    this.state = ConnectionState.Open;
    socket.binaryType = "uint8array";
  }

  received(frame: string | Uint8Array): void {
    const { receiver, counters } = this.connections;
    if (this.state !== ConnectionState.Open) return;
    this.lastActive = receiver.tick();
    this.#isText = typeof frame === "string";
    const octets = typeof frame === "string" ? encoder.encode(frame) : frame;
    if (isPing(octets)) {
      counters.keepAlives++;
      this.#write(octets.subarray(0, 2));
      return;
    }
    if (octets.length <= 2) return;
    this.hasSpoken = true;
    counters.received++;
    try {
      receiver.datagram(octets, this, this.address, this.port);
    } catch (error) {
      receiver.failed(error, this.address, this.port);
    }
    this.connections.flush();
  }

  /** A sign of life. */
  alive(): void {
    this.lastActive = this.connections.now;
  }

  protected shut(orderly: boolean): void {
    if (orderly) this.#socket?.close(GOING_AWAY);
    else this.#socket?.close(POLICY);
  }
}

/** RFC 5626 s3.5.1 over WebSocket (RFC 7118 s6). */
function isPing(octets: Uint8Array): boolean {
  return octets.length === 4 && octets[0] === 13 && octets[1] === 10 && octets[2] === 13 && octets[3] === 10;
}

/** Octets as text, or null where they are no UTF-8. */
function textOf(octets: Uint8Array): string | null {
  if (isAscii(octets)) return Buffer.prototype.latin1Slice.call(octets, 0, octets.length);
  try {
    return decoder.decode(octets);
  } catch {
    return null;
  }
}

export class WebSocketListener implements Listener {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  readonly name: OwnName;
  readonly #connections: Connections;
  readonly #tls: TlsContext | null;
  readonly #messageSize: number;
  #server: Bun.Server<WebSocketConnection>;

  /** Listens at once; see {@link StreamListener}. @param messageSize octets of the longest message */
  constructor(
    connections: Connections,
    tls: TlsContext | null,
    host: string,
    port: number,
    advertised: ((port: number) => string) | undefined,
    localFor: (peer: string) => string,
    messageSize: number,
  ) {
    this.#connections = connections;
    this.#tls = tls;
    this.#messageSize = messageSize;
    this.transport = tls === null ? "ws" : "wss";
    this.#server = this.#listen(host, port);
    this.address = host;
    this.port = this.#server.port!;
    this.name = new OwnName(this.address, this.port, advertised?.(this.port), localFor);
  }

  #listen(hostname: string, port: number): Bun.Server<WebSocketConnection> {
    const { writeQueue } = this.#connections.settings;
    return Bun.serve<WebSocketConnection>({
      hostname,
      port,
      ...(this.#tls === null
        ? {}
        : {
            tls: {
              ...this.#tls.listenOptions(),
              // There is no socket here to ask whether its peer's certificate can be trusted.
              rejectUnauthorized: this.#tls.clientCertificates === "required",
            },
          }),
      fetch: (request, server) => this.#upgrade(request, server),
      websocket: {
        open: (socket) => socket.data.opened(socket),
        message: (socket, frame) => socket.data.received(frame),
        pong: (socket) => socket.data.alive(),
        ping: (socket) => socket.data.alive(),
        close: (socket, _code, reason) => socket.data.close(reason || "the peer closed the connection"),
        idleTimeout: DEAD_AFTER_S,
        sendPings: true,
        // A frame somewhat too long is still answered, by 413 or 513.
        maxPayloadLength: this.#messageSize * 2,
        backpressureLimit: writeQueue,
        closeOnBackpressureLimit: true,
        perMessageDeflate: false,
      },
    });
  }

  #upgrade(request: Request, server: Bun.Server<WebSocketConnection>): Response | undefined {
    const connections = this.#connections;
    const refuse = (status: number, text: string, headers = {}) => {
      connections.counters.upgradesRefused++;
      return new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain", ...headers } });
    };
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return refuse(426, "SIP over WebSocket (RFC 7118) is spoken here", {
        Upgrade: "websocket",
        Connection: "Upgrade",
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
      });
    }
    const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) return refuse(400, "Sec-WebSocket-Protocol must offer sip (RFC 7118 s4.1)");
    const peer = server.requestIP(request);
    if (peer === null) return refuse(400, "The connection is gone");
    const address = canonicalAddress(peer.address);
    if (!connections.mayAccept(address)) return refuse(503, "Too many connections", { "Retry-After": "10" });
    const connection = new WebSocketConnection(connections, this.transport, address, peer.port, this.name);
    const upgraded = server.upgrade(request, {
      data: connection,
      headers: { "Sec-WebSocket-Protocol": SUBPROTOCOL },
    });
    if (!upgraded) return refuse(400, "Not a WebSocket handshake");
    connections.add(connection, `${this.transport} ${address} ${peer.port}`);
    return undefined;
  }

  renew(): void {
    if (this.#tls === null) return;
    // Bun.serve has no other way: WebSockets there are stay, a handshake under way is cut off.
    void this.#server.stop(false);
    this.#server = this.#listen(this.address, this.port);
  }

  close(): void {
    void this.#server.stop(false);
  }
}
