/**
 * A SIP peer for tests over UDP, TCP and TLS at one port: it keeps the requests that come and reacts to each as a script
 * says. It can call too, so that requests come back on the ways that it opened.
 */
import type { Socket, TCPSocketListener, udp } from "bun";
import { freePort } from "../../bench/load/process.ts";
import type { CertificateFiles } from "./certificates.ts";
import { sendDatagram } from "./send-datagram.ts";
import { responseText, SipMessage } from "./sip-messages.ts";
import { bytesOf } from "./sip-text.ts";
import { until } from "./until.ts";

/**
 * What is done with a request: a status that is answered, one with header lines, nothing, or the end of the connection
 * it came on, in order or by a reset. Several are done one after the other.
 */
export type Reaction =
  | number
  | { readonly status: number; readonly headers: readonly string[] }
  | "silent"
  | "close"
  | "reset"
  | readonly Reaction[];

/** A request that came. */
export interface ServedRequest {
  readonly message: SipMessage;
  readonly transport: "udp" | "tcp" | "tls";
  /** Which of the peer's connections it came on, from 0; -1 over UDP. */
  readonly connection: number;
  /** Whether one with its branch had come before. */
  readonly isRepeated: boolean;
  react(reaction: Reaction): void;
}

export interface SipServerOptions {
  /** Default `["udp", "tcp"]`. TLS takes the place of TCP at the port. */
  over?: readonly ("udp" | "tcp" | "tls")[];
  /** For TLS. */
  certificate?: CertificateFiles;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default any that is free for all transports. */
  port?: number;
}

/** A connection's octets so far, and its number. */
interface Stream {
  text: string;
  readonly number: number;
}

type StreamSocket = Socket<Stream>;

export class SipServer {
  /** In the order they came. */
  readonly requests: ServedRequest[] = [];
  /** Responses to what this peer sent itself. */
  readonly responses: SipMessage[] = [];
  /** Connections there ever were. */
  connections = 0;
  /** Those there are now. */
  readonly open = new Set<StreamSocket>();
  /** What is done with a request; the script. */
  onRequest: (request: ServedRequest) => Reaction;
  readonly host: string;
  readonly #branches = new Set<string>();
  #udp: udp.Socket<"buffer"> | null = null;
  #tcp: TCPSocketListener<Stream> | null = null;

  private constructor(host: string, onRequest: (request: ServedRequest) => Reaction) {
    this.host = host;
    this.onRequest = onRequest;
  }

  /** @param onRequest the script; default answers 200 to everything */
  static async start(
    onRequest: Reaction | ((request: ServedRequest) => Reaction) = 200,
    { over = ["udp", "tcp"], host = "127.0.0.1", port = 0, certificate }: SipServerOptions = {},
  ): Promise<SipServer> {
    const server = new SipServer(host, typeof onRequest === "function" ? onRequest : () => onRequest);
    const own = port === 0 ? await freePort(host) : port;
    if (over.includes("udp")) server.#udp = await server.#bind(own);
    if (over.includes("tcp") || over.includes("tls")) server.listen(own, certificate);
    return server;
  }

  get port(): number {
    return (this.#udp ?? this.#tcp)!.port!;
  }

  /** `host:port`. */
  get at(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  /** What came, as `transport method`, without repetitions. */
  get brief(): string[] {
    const once = this.requests.filter(({ isRepeated }) => !isRepeated);
    return once.map(({ transport, message }) => `${transport} ${message.method}`);
  }

  /** Waits for the request with this number, from 0, repetitions not counted. */
  async request(number = 0): Promise<ServedRequest> {
    return until(`request ${number} at ${this.at}`, () => this.requests.filter((one) => !one.isRepeated)[number]);
  }

  /** Waits until a response to a request of this peer's satisfies. */
  async response(status: number, callId?: string): Promise<SipMessage> {
    return until(`a ${status}`, () =>
      this.responses.find((one) => one.status === status && (callId ?? one.callId) === one.callId),
    );
  }

  /** Listens for connections (again). */
  listen(port: number, certificate?: CertificateFiles): void {
    const isTls = certificate !== undefined;
    this.#tcp = Bun.listen<Stream>({
      hostname: this.host,
      port,
      ...(isTls ? { tls: { cert: Bun.file(certificate.certificate), key: Bun.file(certificate.privateKey) } } : {}),
      socket: this.#handlers(isTls ? "tls" : "tcp"),
    });
  }

  /** Takes no connections any more; those there are stay. */
  stopListening(): void {
    this.#tcp?.stop(false);
    this.#tcp = null;
  }

  /** Ends all connections. @param how in order, or by a reset */
  endAll(how: "close" | "reset" = "close"): void {
    for (const socket of [...this.open]) end(socket, how);
  }

  /** Sends a datagram from the port that requests are served at. */
  sendTo(text: string, to: { address: string; port: number }): void {
    sendDatagram(this.#udp!, bytesOf(text), to.port, to.address);
  }

  /** Opens a connection; requests that come on it are served as all others. */
  async connect(to: { address: string; port: number }): Promise<StreamSocket> {
    const { open, ...handlers } = this.#handlers("tcp");
    return Bun.connect<Stream>({
      hostname: to.address,
      port: to.port,
      data: this.#stream(),
      socket: { ...handlers, open: (socket) => void this.open.add(socket) },
    });
  }

  [Symbol.dispose](): void {
    this.#udp?.close();
    this.#udp = null;
    this.#tcp?.stop(true);
    this.#tcp = null;
    this.endAll();
  }

  #stream(): Stream {
    return { text: "", number: this.connections++ };
  }

  #handlers(transport: "tcp" | "tls") {
    return {
      open: (socket: StreamSocket) => {
        socket.data = this.#stream();
        this.open.add(socket);
      },
      data: (socket: StreamSocket, octets: Buffer) => {
        const stream = socket.data;
        stream.text += octets.toString("latin1");
        for (;;) {
          const length = messageLength(stream.text);
          if (length < 0) return;
          const message = stream.text.slice(0, length);
          stream.text = stream.text.slice(length);
          this.#take(message, transport, stream.number, (octets) => void socket.write(octets), socket);
        }
      },
      close: (socket: StreamSocket) => void this.open.delete(socket),
      error: (socket: StreamSocket) => void this.open.delete(socket),
    };
  }

  #bind(port: number): Promise<udp.Socket<"buffer">> {
    return Bun.udpSocket({
      hostname: this.host,
      port,
      socket: {
        data: (socket, octets, peerPort, peer) => {
          const send = (bytes: Uint8Array) => void sendDatagram(socket, bytes, peerPort, peer);
          this.#take(octets.toString("latin1"), "udp", -1, send, null);
        },
        // A server under test that is gone.
        error() {},
      },
    });
  }

  #take(
    text: string,
    transport: ServedRequest["transport"],
    connection: number,
    send: (octets: Uint8Array) => void,
    socket: StreamSocket | null,
  ): void {
    const message = new SipMessage(bytesOf(text));
    if (message.status !== 0) {
      this.responses.push(message);
      return;
    }
    const isRepeated = this.#branches.has(message.branch!);
    this.#branches.add(message.branch!);
    const react = (reaction: Reaction): void => {
      if (typeof reaction === "number") send(bytesOf(responseText(message, reaction, { toTag: "peer" })));
      else if (reaction === "close" || reaction === "reset") end(socket!, reaction);
      else if (typeof reaction === "object" && "status" in reaction) {
        send(bytesOf(responseText(message, reaction.status, { toTag: "peer", headers: reaction.headers })));
      } else if (reaction !== "silent") for (const one of reaction) react(one);
    };
    const request = { message, transport, connection, isRepeated, react };
    this.requests.push(request);
    react(this.onRequest(request));
  }
}

/** A port of the loopback at which nobody listens, for TCP or UDP. */
export async function deadPort(): Promise<number> {
  const server = await SipServer.start();
  const { port } = server;
  server[Symbol.dispose]();
  return port;
}

/** The length of the message that text begins with, or -1 when it is not all there. */
function messageLength(text: string): number {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return -1;
  const length = headEnd + 4 + Number(/\r\nContent-Length: *(\d+)/i.exec(text.slice(0, headEnd))![1]);
  return text.length < length ? -1 : length;
}

function end(socket: StreamSocket, how: "close" | "reset"): void {
  if (how === "close") socket.end();
  else socket.terminate();
}
