/**
 * A small DNS server on loopback, over UDP and TCP, whose zone and whose misbehaviour a test sets. It answers with real
 * packets (RFC 1035, RFC 3596, RFC 2782, RFC 3403) and writes down what it was asked.
 */
import type { TCPSocketListener, udp } from "bun";
import { freePort } from "../../bench/load/process.ts";
import { sendDatagram } from "./send-datagram.ts";

const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, NAPTR: 35 } as const;
export type DnsType = keyof typeof TYPES;

/**
 * What becomes of a query other than a proper answer: an error, silence, octets that are no answer, an answer whose
 * records cannot be read, one that points to TCP, or a proper one after `delay` milliseconds.
 */
export type Misbehaviour =
  | "servfail"
  | "refused"
  | "silent"
  | "garbage"
  | "broken"
  | "truncated"
  | { readonly delay: number };

interface DnsRecord {
  type: DnsType;
  ttl: number;
  data: Uint8Array;
}

export interface SrvFields {
  target: string;
  /** Default 5060. */
  port?: number;
  /** Default 0. */
  priority?: number;
  /** Default 0. */
  weight?: number;
}

export interface NaptrFields {
  service: string;
  replacement: string;
  /** Default 10. */
  order?: number;
  /** Default 10. */
  preference?: number;
  /** Default `s`. */
  flags?: string;
  /** Default empty. */
  regexp?: string;
}

/** Seconds. */
const TTL = 60;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const REFUSED = 5;
/** A response, recursion desired and available. */
const RESPONSE = 0x8180;
const TRUNCATED = 0x0200;

export class DnsServer {
  /** `TYPE name` of each query, in the order they came, repetitions included. */
  readonly queries: string[] = [];
  /** Queries that came over TCP. */
  overTcp = 0;
  readonly #zone = new Map<string, DnsRecord[]>();
  readonly #misbehaviour = new Map<string, Misbehaviour>();
  #udp!: udp.Socket<"buffer">;
  #tcp!: TCPSocketListener<undefined>;

  private constructor() {}

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    const port = await freePort();
    server.#udp = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (socket, query, peerPort, address) =>
          server.#answer(query, true, (bytes) => void sendDatagram(socket, bytes, peerPort, address)),
        // A resolver that has given up closes its socket.
        error() {},
      },
    });
    server.#tcp = server.#listen(port);
    return server;
  }

  /** `127.0.0.1:PORT`, as the setting `nameservers` takes it. */
  get address(): string {
    return `127.0.0.1:${this.#udp.port}`;
  }

  a(name: string, address: string, ttl = TTL): this {
    return this.#add(name, { type: "A", ttl, data: Uint8Array.from(address.split("."), Number) });
  }

  /** @param address written in full: eight groups */
  aaaa(name: string, address: string, ttl = TTL): this {
    const data = address.split(":").flatMap((group) => uint16(Number.parseInt(group, 16)));
    return this.#add(name, { type: "AAAA", ttl, data: Uint8Array.from(data) });
  }

  cname(name: string, target: string, ttl = TTL): this {
    return this.#add(name, { type: "CNAME", ttl, data: wireName(target) });
  }

  srv(name: string, { target, port = 5060, priority = 0, weight = 0 }: SrvFields, ttl = TTL): this {
    const data = [...uint16(priority), ...uint16(weight), ...uint16(port), ...wireName(target)];
    return this.#add(name, { type: "SRV", ttl, data: Uint8Array.from(data) });
  }

  naptr(name: string, fields: NaptrFields, ttl = TTL): this {
    const { service, replacement, order = 10, preference = 10, flags = "s", regexp = "" } = fields;
    const texts = [flags, service, regexp].flatMap((text) => [text.length, ...Buffer.from(text, "latin1")]);
    const data = [...uint16(order), ...uint16(preference), ...texts, ...wireName(replacement)];
    return this.#add(name, { type: "NAPTR", ttl, data: Uint8Array.from(data) });
  }

  /** Takes all records of a name away. */
  remove(name: string): this {
    this.#zone.delete(name.toLowerCase());
    return this;
  }

  /** Misbehaves on queries of a type, for one name or for all (`*`); `null` ends it. */
  misbehave(type: DnsType, name: string, how: Misbehaviour | null): this {
    if (how === null) this.#misbehaviour.delete(`${type} ${name}`);
    else this.#misbehaviour.set(`${type} ${name}`, how);
    return this;
  }

  /** Misbehaves on everything. */
  misbehaveAlways(how: Misbehaviour): this {
    for (const type of Object.keys(TYPES) as DnsType[]) this.misbehave(type, "*", how);
    return this;
  }

  /** How often it was asked for the records of a type under a name. */
  count(type: DnsType, name: string): number {
    return this.queries.filter((query) => query === `${type} ${name}`).length;
  }

  [Symbol.dispose](): void {
    this.#udp.close();
    this.#tcp.stop(true);
  }

  #add(name: string, record: DnsRecord): this {
    const key = name.toLowerCase();
    this.#zone.set(key, [...(this.#zone.get(key) ?? []), record]);
    return this;
  }

  #listen(port: number): TCPSocketListener<undefined> {
    return Bun.listen({
      hostname: "127.0.0.1",
      port,
      socket: {
        // A query is smaller than any segment: it comes whole.
        data: (socket, query) =>
          this.#answer(query.subarray(2), false, (bytes) => {
            this.overTcp++;
            socket.write(Uint8Array.from([...uint16(bytes.length), ...bytes]));
          }),
      },
    });
  }

  #answer(query: Uint8Array, datagram: boolean, send: (bytes: Uint8Array) => void): void {
    const question = readQuestion(query);
    const key = `${question.type} ${question.name}`;
    this.queries.push(key);
    const how = this.#misbehaviour.get(key) ?? this.#misbehaviour.get(`${question.type} *`);
    if (how === "silent") return;
    if (how === "garbage") send(new TextEncoder().encode("this is no answer to anything"));
    else if (how === "broken") send(packet(query, question.end, 0, [], 3));
    else if (how === "servfail") send(packet(query, question.end, SERVFAIL, []));
    else if (how === "refused") send(packet(query, question.end, REFUSED, []));
    else if (how === "truncated" && datagram) send(packet(query, question.end, TRUNCATED, []));
    else if (typeof how === "object") setTimeout(() => send(this.#proper(query, question)), how.delay);
    else send(this.#proper(query, question));
  }

  #proper(query: Uint8Array, { name, type, end }: Question): Uint8Array {
    const found: [string, DnsRecord][] = [];
    let owner = name;
    for (let hops = 0; hops < 8; hops++) {
      const records = this.#zone.get(owner) ?? [];
      for (const record of records) if (record.type === type) found.push([owner, record]);
      const alias = records.find((record) => record.type === "CNAME");
      if (alias === undefined) break;
      found.push([owner, alias]);
      owner = readName(alias.data, 0).name;
    }
    return packet(query, end, found.length > 0 || this.#zone.has(owner) ? 0 : NXDOMAIN, found);
  }
}

interface Question {
  /** In lower case. */
  name: string;
  type: DnsType | "other";
  /** The index behind it. */
  end: number;
}

function readQuestion(query: Uint8Array): Question {
  const { name, end } = readName(query, 12);
  const code = query[end]! * 256 + query[end + 1]!;
  const type = (Object.keys(TYPES) as DnsType[]).find((known) => TYPES[known] === code) ?? "other";
  return { name, type, end: end + 4 };
}

function readName(bytes: Uint8Array, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (; bytes[at] !== 0; at += bytes[at]! + 1) {
    labels.push(Buffer.from(bytes.subarray(at + 1, at + 1 + bytes[at]!)).toString("latin1"));
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

/** @param said how many answers the header speaks of, where that is a lie */
function packet(
  query: Uint8Array,
  questionEnd: number,
  flags: number,
  records: readonly [string, DnsRecord][],
  said = records.length,
): Uint8Array {
  const header = [...query.subarray(0, 2), ...uint16(RESPONSE | flags), 0, 1, ...uint16(said), 0, 0, 0, 0];
  const parts = [Uint8Array.from(header), query.subarray(12, questionEnd)];
  for (const [owner, { type, ttl, data }] of records) {
    const fixed = [
      ...uint16(TYPES[type]),
      0,
      1,
      ...uint16(ttl >>> 16),
      ...uint16(ttl & 0xffff),
      ...uint16(data.length),
    ];
    parts.push(wireName(owner), Uint8Array.from(fixed), data);
  }
  return Buffer.concat(parts);
}

/** A name as labels; `.` and the empty one are the root. */
function wireName(name: string): Uint8Array {
  const labels = name.split(".").filter((label) => label !== "");
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]), 0]);
}

function uint16(value: number): [number, number] {
  return [value >> 8, value & 0xff];
}
