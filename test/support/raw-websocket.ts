/** A WebSocket client that writes its own frames (RFC 6455), so that a test can write any. */
import { createHash } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { PATIENCE_MS } from "./datagram-client.ts";
import { requestText, SipMessage, unique } from "./sip-messages.ts";

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface HandshakeShape {
  /** Default GET. */
  method?: string;
  /** Values of Sec-WebSocket-Protocol, one a line. Default `["sip"]`. */
  protocols?: readonly string[];
  /** Header lines in place of those of a handshake: Upgrade, Connection, key and version. */
  headers?: readonly string[];
  /** TLS with these options; plain when left out. */
  tls?: { cert?: string; key?: string };
}

/** What the server said to a handshake. */
export interface HandshakeAnswer {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
const MASK = Uint8Array.of(0x12, 0x34, 0x56, 0x78);

/** The header lines of a proper handshake. */
export const HANDSHAKE = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  `Sec-WebSocket-Key: ${KEY}`,
  "Sec-WebSocket-Version: 13",
] as const;

export class RawWebSocket {
  /** What came and was not taken yet, whole frames. */
  readonly frames: Frame[] = [];
  readonly answer: HandshakeAnswer;
  readonly #socket: Socket;
  #rest: Buffer;
  #isClosed = false;
  #arrived: (() => void)[] = [];

  private constructor(socket: Socket, answer: HandshakeAnswer, rest: Buffer) {
    this.#socket = socket;
    this.answer = answer;
    this.#rest = rest;
    socket.on("data", (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      this.#read();
    });
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
    this.#read();
  }

  /** Connects and shakes hands, whatever comes of that. @throws Error when the connection fails */
  static async open(
    { address, port }: { address: string; port: number },
    shape: HandshakeShape = {},
  ): Promise<RawWebSocket> {
    const { method = "GET", protocols = ["sip"], headers = HANDSHAKE, tls } = shape;
    const socket =
      tls === undefined
        ? connectTcp({ host: address, port })
        : connectTls({ host: address, port, rejectUnauthorized: false, ...tls });
    const lines = [`${method} / HTTP/1.1`, `Host: ${address}:${port}`, ...headers];
    lines.push(...protocols.map((value) => `Sec-WebSocket-Protocol: ${value}`));
    socket.once(tls === undefined ? "connect" : "secureConnect", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
    let got = Buffer.alloc(0);
    const [head, rest] = await new Promise<[string, Buffer]>((resolve, reject) => {
      const onData = (chunk: Buffer) => {
        got = Buffer.concat([got, chunk]);
        const end = got.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", onData);
        socket.pause();
        resolve([got.toString("latin1", 0, end), got.subarray(end + 4)]);
      };
      socket.on("data", onData);
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("closed in the handshake")));
    });
    const [statusLine, ...fields] = head.split("\r\n");
    const named = fields.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const answer = { status: Number(statusLine!.split(" ")[1]), headers: new Map(named) };
    if (answer.status === 101 && answer.headers.get("sec-websocket-accept") !== ACCEPT) throw new Error("no such key");
    const client = new RawWebSocket(socket, answer, answer.status === 101 ? rest : Buffer.alloc(0));
    socket.resume();
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The port it connects from. */
  get localPort(): number {
    return this.#socket.localPort!;
  }

  /** Writes one frame. @param isMasked whether as a client must */
  frame(opcode: number, payload: string | Uint8Array, { isLast = true, isMasked = true } = {}): void {
    this.#socket.write(frameOf(opcode, payload, isLast, isMasked));
  }

  /** Sends a message in one text frame, its text in UTF-8. */
  text(message: string): void {
    this.frame(Opcode.Text, message);
  }

  /** Sends a message in one binary frame, one octet a character. */
  binary(message: string): void {
    this.frame(Opcode.Binary, Buffer.from(message, "latin1"));
  }

  /** Takes the next frame. @throws Error when none comes */
  async next(): Promise<Frame> {
    await this.until("a frame", () => this.frames.length > 0 || this.#isClosed);
    const frame = this.frames.shift();
    if (frame === undefined) throw new Error("the connection is closed");
    return frame;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#arrived.push(resolve);
      const timer = setTimeout(resolve, 100);
      await promise;
      clearTimeout(timer);
    }
  }

  /** Waits until the server has closed. @returns the code of its close frame, or null when it sent none */
  async closed(): Promise<number | null> {
    await this.until("the end of the connection", () => this.#isClosed);
    const close = this.frames.find(({ opcode }) => opcode === Opcode.Close);
    return close === undefined || close.payload.length < 2 ? null : close.payload.readUInt16BE(0);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #read(): void {
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) break;
      const short = rest[1]! & 0x7f;
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (rest.length < head) break;
      const length = short === 127 ? Number(rest.readBigUInt64BE(2)) : short === 126 ? rest.readUInt16BE(2) : short;
      if (rest.length < head + length) break;
      this.frames.push({ opcode: rest[0]! & 15, payload: Buffer.from(rest.subarray(head, head + length)) });
      this.#rest = rest.subarray(head + length);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#arrived.splice(0)) resolve();
  }
}

/** An OPTIONS as a browser would send it. @param headers more lines */
export function browserOptions(...headers: string[]): string {
  return requestText("OPTIONS", { transport: "WS", sentBy: `${unique("h")}.invalid`, headers });
}

/** The message in a frame. */
export function messageIn(frame: Frame): SipMessage {
  return new SipMessage(new Uint8Array(frame.payload));
}

/** RFC 6455 s5.2. */
function frameOf(opcode: number, payload: string | Uint8Array, isLast: boolean, isMasked: boolean): Buffer {
  const octets = typeof payload === "string" ? Buffer.from(payload, "utf8") : Buffer.from(payload);
  const { length } = octets;
  const head = [(isLast ? 0x80 : 0) | opcode];
  const mask = isMasked ? 0x80 : 0;
  if (length < 126) head.push(mask | length);
  else if (length < 65_536) head.push(mask | 126, length >> 8, length & 255);
  else head.push(mask | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255);
  if (isMasked) for (let i = 0; i < length; i++) octets[i]! ^= MASK[i & 3]!;
  return Buffer.concat([Buffer.from(head), isMasked ? MASK : Buffer.alloc(0), octets]);
}
