/**
 * Globally routable user agent URIs (RFC 5627): public ones are the address-of-record with the instance in `gr`, temporary
 * ones are made anew for each REGISTER and tell nobody whose they are.
 *
 * A temporary GRUU's user is sixteen octets that only this server can read: a handle of eight, four of chance, four zeros
 * that prove it was made here, encrypted as one block. The handle is made of address-of-record, instance and Call-ID, so all
 * that were made for one registration lead to it, and to nothing once the instance registers with another Call-ID (s5.1).
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
const CHANCE = 4;
const MARK = "tgruu.";
const MARK_OCTETS = ascii(MARK);

/** What a GRUU leads to. */
export interface GruuTarget {
  /** The canonical address-of-record. */
  readonly aor: string;
  readonly instance: string;
}

export class Gruus {
  readonly #location: Location;
  readonly #key: Uint8Array;
  readonly #hashKey: Uint8Array;
  /** The bindings whose temporary GRUUs have this handle. */
  readonly #byHandle = new Map<string, Set<number>>();
  readonly #handleOf = new Map<number, string>();

  /** @param secret 32 octets; the same ones read what was made with them before */
  constructor(location: Location, secret: Uint8Array) {
    this.#location = location;
    this.#key = secret.slice(0, BLOCK);
    this.#hashKey = secret.slice(BLOCK);
  }

  /** A binding was made or changed. */
  bound(slot: number): void {
    if (!(this.#location.flags(slot) & BindingFlag.Gruu)) {
      if (this.#handleOf.size > 0) this.unbound(slot);
      return;
    }
    const handle = this.#handle(slot);
    if (this.#handleOf.get(slot) === handle) return;
    this.unbound(slot);
    this.#handleOf.set(slot, handle);
    const slots = this.#byHandle.get(handle);
    if (slots === undefined) this.#byHandle.set(handle, new Set([slot]));
    else slots.add(slot);
  }

  /** A binding is about to go. */
  unbound(slot: number): void {
    const handle = this.#handleOf.get(slot);
    if (handle === undefined) return;
    this.#handleOf.delete(slot);
    const slots = this.#byHandle.get(handle)!;
    slots.delete(slot);
    if (slots.size === 0) this.#byHandle.delete(handle);
  }

  /** The Contact parameters of a binding whose client understands GRUUs (s5.2). */
  params(slot: number): string {
    const location = this.#location;
    const aor = location.aorOf(slot);
    const gr = location.instance(slot).slice(1, -1);
    const open = Uri.parse(aor);
    if (open === null || open.scheme !== "sip") return "";
    const temporary = `${MARK}${this.#temporary(slot)}`;
    return `;pub-gruu="${open.with({ params: { gr } })}";temp-gruu="sip:${temporary}@${open.host};gr"`;
  }

  /** What a URI leads to when it is a GRUU made here; null when it is none, or leads nowhere any more. */
  resolve(uri: Uri): GruuTarget | null {
    const gr = uri.params.get("gr");
    if (gr === undefined) return null;
    if (gr !== "") return { aor: aorOf(uri) ?? "", instance: `<${gr}>` };
    const slot = this.#slotOf(uri.rawUser ?? "");
    if (slot < 0) return null;
    return { aor: this.#location.aorOf(slot), instance: this.#location.instance(slot) };
  }

  #temporary(slot: number): string {
    const block = Buffer.alloc(BLOCK);
    block.write(this.#handleOf.get(slot) ?? this.#handle(slot), "latin1");
    randomBytes(CHANCE).copy(block, HANDLE);
    const cipher = createCipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]).toString("base64url");
  }

  #slotOf(user: string): number {
    if (!user.startsWith(MARK)) return -1;
    const octets = Buffer.from(user.slice(MARK.length), "base64url");
    if (octets.length !== BLOCK) return -1;
    const cipher = createDecipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    const block = Buffer.concat([cipher.update(octets), cipher.final()]);
    if (block.readUInt32BE(HANDLE + CHANCE) !== 0) return -1;
    const [slot = -1] = this.#byHandle.get(block.toString("latin1", 0, HANDLE)) ?? [];
    return slot;
  }

  #handle(slot: number): string {
    const location = this.#location;
    const hash = createHash("sha256").update(this.#hashKey);
    for (const text of [location.aorOf(slot), location.instance(slot), location.text(slot, Section.CallId)]) {
      hash.update(`${text.length} ${text}`);
    }
    return hash.digest().toString("latin1", 0, HANDLE);
  }
}

/** Whether a user that begins here looks like that of a temporary GRUU. @param start -1 when there is none */
export function isTemporary(bytes: Uint8Array, start: number): boolean {
  if (start < 0) return false;
  for (let i = 0; i < MARK_OCTETS.length; i++) if (bytes[start + i] !== MARK_OCTETS[i]) return false;
  return true;
}
