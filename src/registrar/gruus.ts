/**
 * Globally routable user agent URIs (RFC 5627): public ones are the address-of-record with the instance in `gr`, temporary
 * ones are made anew for each REGISTER and tell nobody whose they are.
 *
 * A temporary GRUU's user is sixteen octets that only this server can read: a handle of eight, a count of four, four zeros
 * that prove it was made here, encrypted as one block. The handle is made of address-of-record, instance and Call-ID, so it
 * is the same after a restart. An instance has one for each Call-ID that its flows were registered with; all but the last
 * are forgotten once it registers again with another one (s5.1), and all with its last binding (s5.3).
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { Location } from "../location/location.ts";
import { Section } from "../location/packed.ts";
import { BindingFlag } from "../location/row.ts";
import { aorOf } from "../message/aor.ts";
import { ascii } from "../message/bytes.ts";
import { Uri } from "../message/uri.ts";

const CIPHER = "aes-128-ecb";
const BLOCK = 16;
const HANDLE = 8;
const ZEROS_AT = 12;
const MARK = "tgruu.";
const MARK_OCTETS = ascii(MARK);

/**
 * Handles of one instance: two for each of the contacts that it may have. A client whose flows come with Call-IDs without
 * end, and go again, takes no more.
 */
const MAX_HANDLES = 128;

/** What a GRUU leads to. */
export interface GruuTarget {
  /** The canonical address-of-record. */
  readonly aor: string;
  readonly instance: string;
}

/** A user agent that understands GRUUs, with what it has registered for one address-of-record. */
interface Agent {
  readonly key: string;
  /** Its bindings, the one registered last at the end, and by which handle each was. */
  readonly bindings: Map<number, string>;
  /** What its temporary GRUUs may have in them, the one that came last at the end. */
  readonly handles: Set<string>;
  /** What they are made with now. */
  handle: string;
  /** The one made last, and in which answer. */
  made: string;
  answer: number;
}

export class Gruus {
  readonly #location: Location;
  readonly #key: Uint8Array;
  readonly #hashKey: Uint8Array;
  readonly #agents = new Map<string, Agent>();
  readonly #byHandle = new Map<string, Agent>();
  readonly #bySlot = new Map<number, Agent>();
  /** Of those made, so that no two are the same. */
  #count = randomBytes(4).readUInt32BE();
  #answer = 0;

  /** @param secret 32 octets; the same ones read what was made with them before */
  constructor(location: Location, secret: Uint8Array) {
    this.#location = location;
    this.#key = secret.slice(0, BLOCK);
    this.#hashKey = secret.slice(BLOCK);
  }

  /** User agents that have a temporary GRUU. */
  get size(): number {
    return this.#agents.size;
  }

  /** Takes in what a store held, in the order in which it was registered. */
  load(): void {
    const location = this.#location;
    const slots: number[] = [];
    for (let slot = 0; slot < location.used; slot++) {
      if (location.expires(slot) > 0 && location.flags(slot) & BindingFlag.Gruu) slots.push(slot);
    }
    slots.sort((a, b) => location.updated(a) - location.updated(b) || location.id(a) - location.id(b));
    for (const slot of slots) this.bound(slot);
  }

  /** A binding was made or changed. */
  bound(slot: number): void {
    const location = this.#location;
    if (!(location.flags(slot) & BindingFlag.Gruu)) {
      if (this.#bySlot.size > 0) this.unbound(slot);
      return;
    }
    const key = `${location.aorOf(slot)} ${location.instance(slot)}`;
    const handle = this.#handle(key, location.text(slot, Section.CallId));
    if (this.#bySlot.has(slot) && this.#bySlot.get(slot)!.key !== key) this.unbound(slot);
    const agent = this.#agents.get(key) ?? this.#open(key);
    // s5.1: a flow is compared with itself, another binding with the one registered last.
    const before = agent.bindings.get(slot);
    const last = location.regId(slot) > 0 ? before : [...agent.bindings.values()].at(-1);
    if (last !== undefined && last !== handle) this.#forget(agent);
    agent.bindings.delete(slot);
    agent.bindings.set(slot, handle);
    this.#bySlot.set(slot, agent);
    agent.handle = handle;
    this.#know(agent, handle);
  }

  /** Temporary GRUUs with a handle lead to an agent from now on; those with the handle that came longest ago give way. */
  #know(agent: Agent, handle: string): void {
    const { handles } = agent;
    handles.delete(handle);
    handles.add(handle);
    this.#byHandle.set(handle, agent);
    if (handles.size <= MAX_HANDLES) return;
    const [oldest] = handles;
    handles.delete(oldest!);
    this.#byHandle.delete(oldest!);
  }

  /** A binding is about to go. */
  unbound(slot: number): void {
    const agent = this.#bySlot.get(slot);
    if (agent === undefined) return;
    this.#bySlot.delete(slot);
    agent.bindings.delete(slot);
    if (agent.bindings.size > 0) return;
    this.#forget(agent);
    this.#agents.delete(agent.key);
  }

  #open(key: string): Agent {
    const agent = { key, bindings: new Map(), handles: new Set<string>(), handle: "", made: "", answer: -1 };
    this.#agents.set(key, agent);
    return agent;
  }

  /** No temporary GRUU that was made for it is one any more. */
  #forget(agent: Agent): void {
    for (const handle of agent.handles) this.#byHandle.delete(handle);
    agent.handles.clear();
  }

  /** An answer begins: its temporary GRUUs are new ones, one for each instance (s5.2). */
  begin(): void {
    this.#answer++;
  }

  /** The Contact parameters of a binding whose client understands GRUUs (s5.2); empty where it cannot have any. */
  params(slot: number): string {
    const location = this.#location;
    const agent = this.#bySlot.get(slot);
    const open = Uri.parse(location.aorOf(slot));
    if (agent === undefined || open === null || open.scheme !== "sip") return "";
    if (agent.answer !== this.#answer) {
      agent.made = this.#temporary(agent.handle);
      agent.answer = this.#answer;
    }
    const gr = location.instance(slot).slice(1, -1);
    return `;pub-gruu="${open.with({ params: { gr } })}";temp-gruu="sip:${agent.made}@${open.host};gr"`;
  }

  /** What a URI leads to when it is a GRUU made here; null when it is none, or leads nowhere any more. */
  resolve(uri: Uri): GruuTarget | null {
    const gr = uri.params.get("gr");
    if (gr === undefined) return null;
    if (gr !== "") return { aor: aorOf(uri) ?? "", instance: `<${gr}>` };
    const agent = this.#agentOf(uri.rawUser ?? "");
    if (agent === undefined) return null;
    const [slot] = agent.bindings.keys();
    return { aor: this.#location.aorOf(slot!), instance: this.#location.instance(slot!) };
  }

  #temporary(handle: string): string {
    const block = Buffer.alloc(BLOCK);
    block.write(handle, "latin1");
    this.#count = (this.#count + 1) >>> 0;
    block.writeUInt32BE(this.#count, HANDLE);
    const cipher = createCipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    return MARK + Buffer.concat([cipher.update(block), cipher.final()]).toString("base64url");
  }

  #agentOf(user: string): Agent | undefined {
    if (!user.startsWith(MARK)) return undefined;
    const octets = Buffer.from(user.slice(MARK.length), "base64url");
    if (octets.length !== BLOCK) return undefined;
    const cipher = createDecipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    const block = Buffer.concat([cipher.update(octets), cipher.final()]);
    if (block.readUInt32BE(ZEROS_AT) !== 0) return undefined;
    return this.#byHandle.get(block.toString("latin1", 0, HANDLE));
  }

  #handle(key: string, callId: string): string {
    const hash = createHash("sha256").update(this.#hashKey).update(`${key.length} ${key}${callId}`, "latin1");
    return hash.digest().toString("latin1", 0, HANDLE);
  }
}

/** Whether a user that begins here looks like that of a temporary GRUU. @param start -1 when there is none */
export function isTemporary(bytes: Uint8Array, start: number): boolean {
  if (start < 0) return false;
  for (let i = 0; i < MARK_OCTETS.length; i++) if (bytes[start + i] !== MARK_OCTETS[i]) return false;
  return true;
}
