/**
 * A SIP peer over TCP, TLS or WebSocket for tests: the face of `WireClient`, and what only a connection has: its end, a
 * reset, a pause in reading, and a listener of its own for connections that the server opens.
 */
import { PATIENCE_MS } from "./datagram-client.ts";
import { type RequestShape, requestText, responseText, SipMessage, unique } from "./sip-messages.ts";
import { bytesOf } from "./sip-text.ts";
import { SocketWire, type Wire } from "./stream-wire.ts";
import { ClientCall, type Wanted, type WireClient } from "./wire-client.ts";

export type StreamTransport = "tcp" | "tls" | "ws" | "wss";

export interface StreamClientOptions {
  /** Default `tcp`. */
  transport?: StreamTransport;
  /** The address to connect from, and to listen at. Default 127.0.0.1, or ::1 towards an IPv6 address. */
  host?: string;
  /** Listens too, on a port of its own over TCP or TLS: Via and Contact name it, so that the server can call back. */
  listen?: boolean;
  /** Of the connection to the server, over TLS. Default: no certificate of this peer's, the server's not checked. */
  tls?: Bun.TLSOptions;
  /** Of the listener, over TLS. */
  listenTls?: Bun.TLSOptions;
  /** What a WebSocket client offers. Default `["sip"]`. */
  subprotocols?: string[];
  /** Whether WebSocket messages go as text. Default true. */
  text?: boolean;
}

export class StreamClient {
  readonly transport: StreamTransport;
  /** The address it connects from. */
  readonly host: string;
  /** When the server ended its side, or the connection went away. */
  readonly closed: Promise<void>;
  /** Octets that came over all connections. */
  octets = 0;
  /** Reads that they came in. */
  reads = 0;
  /** Connections that the server opened to this peer. */
  accepted = 0;
  /** The close code and reason of a WebSocket. */
  closeCode = 0;
  closeReason = "";
  /** Whether a WebSocket message came as text; one for each. */
  readonly frameKinds: ("text" | "binary")[] = [];
  #wire!: Wire;
  #localPort = 0;
  #listener: Bun.TCPSocketListener<SocketWire> | null = null;
  readonly #all = new Set<SocketWire>();
  readonly #sentBy: string | null;
  readonly #over = new WeakMap<SipMessage, Wire>();
  readonly #close: () => void;
  #isClosed = false;
  #unread: SipMessage[] = [];
  #pongs = 0;
  #fault: Error | null = null;
  #arrived: (() => void)[] = [];

  private constructor(transport: StreamTransport, host: string) {
    this.transport = transport;
    this.host = host;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = () => {
      this.#isClosed = true;
      resolve();
      this.#wake();
    };
    this.#sentBy = transport === "ws" || transport === "wss" ? `${unique("w")}.invalid` : null;
  }

  /** @param server where to connect; a wildcard is reached by the address of `host`'s kind. @throws when it refuses */
  static async open(
    server: { address: string; port: number },
    options: StreamClientOptions = {},
  ): Promise<StreamClient> {
    const { transport = "tcp", host = server.address.includes(":") ? "::1" : "127.0.0.1" } = options;
    const isWildcard = server.address === "0.0.0.0" || server.address === "::";
    const address = isWildcard ? (host.includes(":") ? "::1" : "127.0.0.1") : server.address;
    const client = new StreamClient(transport, host);
    if (options.listen) client.#listen(options);
    if (transport === "ws" || transport === "wss") await client.#openWebSocket(address, server.port, options);
    else await client.#connect(address, server.port, options);
    return client;
  }

  // ---- the connection

  async #connect(address: string, port: number, { transport, tls }: StreamClientOptions): Promise<void> {
    const wire = new SocketWire();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const secure = transport === "tls";
    const handlers = this.#handlers(secure ? () => {} : resolve, () => {
      reject(new Error("the connection was closed before it was there"));
      this.#close();
    });
    const socket = await Bun.connect<SocketWire>({
      hostname: address,
      port,
      localAddress: this.host,
      allowHalfOpen: true,
      data: wire,
      ...(secure ? { tls: { rejectUnauthorized: false, ...tls } } : {}),
      socket: {
        ...handlers,
        handshake(_socket: unknown, success: boolean, error: Error | null) {
          if (success) resolve();
          else reject(error ?? new Error("no TLS handshake"));
        },
      },
    } as unknown as Bun.TCPSocketConnectOptions<SocketWire>);
    this.#wire = wire;
    this.#localPort = socket.localPort;
    await promise;
  }

  #listen({ transport, listenTls }: StreamClientOptions): void {
    this.#listener = Bun.listen<SocketWire>({
      hostname: this.host,
      port: 0,
      allowHalfOpen: true,
      ...(transport === "tls" ? { tls: listenTls } : {}),
      socket: this.#handlers(
        () => this.accepted++,
        () => {},
      ),
    } as unknown as Bun.TCPSocketListenOptions<SocketWire>);
  }

  #handlers(opened: () => void, gone: () => void) {
    return {
      binaryType: "uint8array",
      open: (socket: Bun.Socket<SocketWire>) => {
        socket.data ??= new SocketWire();
        socket.data.socket = socket;
        socket.setNoDelay(true);
        this.#all.add(socket.data);
        opened();
      },
      data: (socket: Bun.Socket<SocketWire>, octets: Uint8Array) => this.#octets(socket.data, octets),
      drain: (socket: Bun.Socket<SocketWire>) => socket.data.drained(),
      end: (socket: Bun.Socket<SocketWire>) => {
        gone();
        socket.end();
      },
      close: (socket: Bun.Socket<SocketWire>) => {
        this.#all.delete(socket.data);
        gone();
      },
      error: () => gone(),
    };
  }

  async #openWebSocket(
    address: string,
    port: number,
    { transport, tls, subprotocols = ["sip"], text = true }: StreamClientOptions,
  ): Promise<void> {
    const host = address.includes(":") ? `[${address}]` : address;
    const socket = new WebSocket(`${transport}://${host}:${port}/`, {
      protocols: subprotocols,
      tls: { rejectUnauthorized: false, ...tls },
    } as unknown as string[]);
    socket.binaryType = "arraybuffer";
    this.#wire = {
      write: (octets) => socket.send(text ? Buffer.from(octets).toString("utf8") : new Uint8Array(octets)),
      end: () => socket.close(),
      reset: () => socket.terminate(),
      pause: () => (socket as unknown as { pause(): void }).pause(),
      resume: () => (socket as unknown as { resume(): void }).resume(),
    };
    socket.onmessage = ({ data }: MessageEvent) => {
      this.frameKinds.push(typeof data === "string" ? "text" : "binary");
      this.#frame(typeof data === "string" ? new Uint8Array(Buffer.from(data, "utf8")) : new Uint8Array(data));
    };
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onclose = ({ code, reason }) => {
        this.closeCode = code;
        this.closeReason = reason;
        this.#close();
        reject(new Error(`the WebSocket was closed: ${code} ${reason}`));
      };
      socket.onerror = () => {};
    });
  }

  #octets(wire: SocketWire, octets: Uint8Array): void {
    this.octets += octets.length;
    this.reads++;
    const { splitter } = wire;
    const before = splitter.lineEnds;
    try {
      for (const message of splitter.push(octets)) this.#take(message, wire);
    } catch (error) {
      this.#fault = error as Error;
    }
    this.#pongs += splitter.lineEnds - before;
    this.#wake();
  }

  #frame(octets: Uint8Array): void {
    this.octets += octets.length;
    if (octets.length === 2) this.#pongs++;
    else {
      try {
        this.#take(octets, this.#wire);
      } catch (error) {
        this.#fault = error as Error;
      }
    }
    this.#wake();
  }

  #take(octets: Uint8Array, wire: Wire): void {
    const message = new SipMessage(octets);
    this.#over.set(message, wire);
    this.#unread.push(message);
  }

  #wake(): void {
    for (const resolve of this.#arrived.splice(0)) resolve();
  }

  /** The port it is reached at: of its listener, else of its end of the connection. */
  get port(): number {
    return this.#listener?.port ?? this.#localPort;
  }

  /** Of its end of the connection to the server; 0 over WebSocket, which does not tell. */
  get localPort(): number {
    return this.#localPort;
  }

  /** What stands in its Via and Contact: `host:port`, over WebSocket a name of nobody's (RFC 7118 s5). */
  get sentBy(): string {
    return this.#sentBy ?? (this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`);
  }

  /** Its Contact, with the transport. */
  get contact(): string {
    const transport = this.transport === "wss" ? "ws" : this.transport;
    return `<sip:alice@${this.sentBy};transport=${transport}>`;
  }

  /** Whether the server has ended its side, or the connection went away. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** TCP and TLS connections it holds: its own, and those that it accepted. */
  get held(): number {
    return this.#all.size;
  }

  /** CRLFs that came between messages: answers to pings (RFC 5626 s3.5.1). */
  get pongs(): number {
    return this.#pongs;
  }

  /** Ends its side: it sends no more, and still reads. Over WebSocket it closes. */
  end(): void {
    this.#wire.end();
  }

  /** Resets the connection; those that it accepted stay. */
  reset(): void {
    this.#wire.reset();
  }

  /** Stops reading from the connection. */
  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  // ---- messages

  /** Sends octets as they are; over WebSocket as one message. */
  send(text: string | Uint8Array): void {
    this.#wire.write(typeof text === "string" ? bytesOf(text) : text);
  }

  /** Sends each slice by itself, giving the server of this process the time to read it before the next one. */
  async sendSlices(slices: readonly (string | Uint8Array)[]): Promise<void> {
    for (const slice of slices) {
      this.send(slice);
      await turns();
    }
  }

  /** The text of a request of this peer's. */
  text(method: string, shape: RequestShape = {}): string {
    return requestText(method, {
      transport: this.transport.toUpperCase(),
      sentBy: this.sentBy,
      contact: method === "INVITE" ? this.contact : null,
      ...shape,
    });
  }

  /** Writes a request of this peer's, and sends it. @returns it */
  request(method: string, shape: RequestShape = {}): SipMessage {
    const text = this.text(method, shape);
    this.send(text);
    return new SipMessage(bytesOf(text));
  }

  /** Answers a request of the server's, over the connection it came on. */
  respond(request: SipMessage, status: number): void {
    (this.#over.get(request) ?? this.#wire).write(bytesOf(responseText(request, status)));
  }

  /** Whether a message came over the connection that this peer made, not over one that it accepted. */
  isOverOwn(message: SipMessage): boolean {
    return this.#over.get(message) === this.#wire;
  }

  /** Sends an INVITE and waits for a response to it. */
  async invite(shape: RequestShape = {}, wanted: Wanted = 200): Promise<ClientCall> {
    const invite = this.request("INVITE", shape);
    return this.call(invite, await this.next(wanted, invite));
  }

  /** What the requests that follow in a dialog are written from. */
  call(invite: SipMessage, response: SipMessage): ClientCall {
    // A call asks of its client only to send requests and to wait for what comes.
    return new ClientCall(this as unknown as WireClient, invite, response);
  }

  /** Sends a request and waits for its final response. */
  async ask(method: string, shape: RequestShape = {}): Promise<SipMessage> {
    const request = this.request(method, shape);
    return this.next((message) => message.status >= 200, request);
  }

  /**
   * Takes the first message that came and was not taken yet, among those that `wanted` is about.
   * @param of only responses to this request, by Call-ID and CSeq
   * @throws Error when it does not come in time, or something came that is no SIP
   */
  async next(wanted: Wanted, of?: SipMessage): Promise<SipMessage> {
    const isWanted = (message: SipMessage): boolean => {
      if (of !== undefined && (message.callId !== of.callId || message.header("CSeq") !== of.header("CSeq")))
        return false;
      if (typeof wanted === "function") return wanted(message);
      return typeof wanted === "number" ? message.status === wanted : message.status === 0 && message.method === wanted;
    };
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      if (this.#fault !== null) throw this.#fault;
      const at = this.#unread.findIndex(isWanted);
      if (at >= 0) return this.#unread.splice(at, 1)[0]!;
      const isOver = this.#isClosed && this.#all.size === 0 && this.#listener === null;
      if (isOver || performance.now() > deadline) {
        const said = typeof wanted === "function" ? "a message" : wanted;
        const unread = this.#unread.map((message) => message.startLine).join(" | ");
        throw new Error(`Waited in vain for ${said}; closed: ${this.#isClosed}; unread: ${unread}`);
      }
      await this.#next(deadline);
    }
  }

  /** Waits until something that this peer counts has come true. @throws Error when it does not in time */
  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#fault !== null) throw this.#fault;
      if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}`);
      await this.#next(deadline);
    }
  }

  /** Whether something like this has come and was not taken yet. */
  has(wanted: (message: SipMessage) => boolean): boolean {
    return this.#unread.some(wanted);
  }

  /** Takes everything that has come so far. */
  take(): SipMessage[] {
    return this.#unread.splice(0);
  }

  /** Everything that the server has sent up to now and that was not taken yet: its answer to a last question ends it. */
  async rest(): Promise<SipMessage[]> {
    const { callId } = this.request("OPTIONS", { callId: unique("probe") });
    await this.next((message) => message.callId === callId && message.status >= 200);
    return this.#unread.splice(0);
  }

  /** The same as statuses and methods. */
  async restBrief(): Promise<(number | string)[]> {
    return (await this.rest()).map(briefOf);
  }

  /** Everything that came and was not taken yet, once the server has closed. */
  async restAtEnd(): Promise<SipMessage[]> {
    await this.until("the end of the connection", () => this.#isClosed);
    return this.#unread.splice(0);
  }

  async #next(deadline: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrived.push(resolve);
    const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()) + 1);
    await promise;
    clearTimeout(timer);
  }

  [Symbol.dispose](): void {
    this.#listener?.stop(true);
    for (const wire of this.#all) wire.reset();
    if (this.#sentBy !== null) this.#wire.reset();
  }
}

/** A response's status, a request's method. */
export function briefOf(message: SipMessage): number | string {
  return message.status || message.method;
}

/** A few turns of the event loop: a server of this process has read by then what was written before. */
export async function turns(count = 2): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}
