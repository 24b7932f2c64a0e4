/** A server that answers calls well enough for the load generator, over any transport, and can be made to misbehave. */
import { join } from "node:path";
import type { TransportName } from "../../src/transport/kinds.ts";

const TLS = join(import.meta.dir, "../fixtures/tls");

export interface StandIn {
  readonly port: number;
  /** Requests by method, in the order they came. */
  readonly seen: string[];
  /** Connections accepted. */
  readonly accepted: () => number;
  /** The texts of the requests. */
  readonly requests: string[];
  close(): void;
}

export interface Behaviour {
  /** Takes the octets that would be written to a connection, and says in which pieces they are. Default: as one. */
  cut?: (octets: Buffer) => Buffer[];
  /** Status of the answer to INVITE. Default 200. */
  final?: number;
  /** Close a connection when so many INVITEs came over it. */
  closeAfter?: number;
}

/** Starts it on a free port of 127.0.0.1. */
export async function standIn(transport: TransportName, behaviour: Behaviour = {}): Promise<StandIn> {
  const seen: string[] = [];
  const requests: string[] = [];
  let accepted = 0;
  const take = (text: string): string[] => {
    requests.push(text);
    seen.push(text.slice(0, text.indexOf(" ")));
    return answers(text, behaviour.final ?? 200);
  };
  const face = { seen, requests, accepted: () => accepted };
  const tls = { cert: Bun.file(join(TLS, "server.pem")), key: Bun.file(join(TLS, "server.key")) };
  if (transport === "udp") {
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: {
        data(self, bytes, port, address) {
          for (const text of take(bytes.toString("latin1"))) self.send(text, port, address);
        },
      },
    });
    return { ...face, port: socket.port, close: () => socket.close() };
  }
  if (transport === "ws" || transport === "wss") {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      ...(transport === "wss" ? { tls } : {}),
      fetch: (request, self) =>
        request.headers.get("Sec-WebSocket-Protocol") === "sip" &&
        self.upgrade(request, { headers: { "Sec-WebSocket-Protocol": "sip" }, data: undefined })
          ? undefined
          : new Response(null, { status: 400 }),
      websocket: {
        open: () => void accepted++,
        // Answers come in the kind of frame that the request came in.
        message(self, data) {
          if (typeof data === "string") for (const text of take(data)) self.sendText(text);
          else for (const text of take(data.toString("latin1"))) self.sendBinary(Buffer.from(text, "latin1"));
        },
      },
    });
    return { ...face, port: server.port!, close: () => void server.stop(true) };
  }
  const server = Bun.listen<{ rest: string; invites: number }>({
    hostname: "127.0.0.1",
    port: 0,
    ...(transport === "tls" ? { tls } : {}),
    socket: {
      open(socket) {
        accepted++;
        socket.data = { rest: "", invites: 0 };
      },
      data(socket, bytes) {
        const connection = socket.data;
        const [messages, rest] = split(connection.rest + bytes.toString("latin1"));
        connection.rest = rest;
        for (const message of messages) {
          if (message.startsWith("INVITE") && ++connection.invites === behaviour.closeAfter) {
            socket.end();
            return;
          }
          const octets = Buffer.from(take(message).join(""), "latin1");
          for (const piece of behaviour.cut?.(octets) ?? [octets]) socket.write(piece);
        }
      },
    },
  });
  return { ...face, port: server.port, close: () => server.stop(true) };
}

function split(text: string): [string[], string] {
  const messages: string[] = [];
  let rest = text;
  for (;;) {
    const head = rest.indexOf("\r\n\r\n");
    const length = Number(/\r\nContent-Length: (\d+)/.exec(rest)?.[1]);
    const end = head + 4 + length;
    if (head < 0 || rest.length < end) return [messages, rest];
    messages.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
}

function answers(request: string, final: number): string[] {
  const method = request.slice(0, request.indexOf(" "));
  if (method === "ACK") return [];
  const kept = request.split("\r\n").filter((line) => /^(Via|From|Call-ID|CSeq):/.test(line));
  const to = /\r\n(To:[^\r]*)/.exec(request)![1]!;
  const tagged = to.includes(";tag=") ? to : `${to};tag=of-the-stand-in`;
  const answer = (status: number, headers: string[], body = ""): string =>
    [`SIP/2.0 ${status} Any`, ...kept, ...headers, `Content-Length: ${body.length}\r\n\r\n${body}`].join("\r\n");
  if (method !== "INVITE") return [answer(200, [tagged])];
  return [answer(100, [to]), answer(180, [tagged]), answer(final, [tagged], final === 200 ? "v=0\r\n\r\n" : "")];
}
