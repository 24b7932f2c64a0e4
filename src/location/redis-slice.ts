/** Some changes that go to Redis together, and one message that tells other servers of them. */
import type { Changes } from "./changes.ts";
import type { Location } from "./location.ts";
import type { RedisLink } from "./redis-link.ts";
import { channelOf, type GoneRow, keyOf, writeNews, writeRow } from "./redis-rows.ts";
import { nameOf } from "./redis-shared.ts";
import { RedisWrite } from "./redis-write.ts";
import { BindingFlag, bindingKey } from "./row.ts";

export interface SliceParts {
  readonly link: RedisLink;
  readonly location: Location;
  readonly prefix: string;
  readonly server: string;
  readonly origin: string;
}

export class Slice {
  readonly #parts: SliceParts;
  readonly #write = new RedisWrite();
  readonly #slots: number[] = [];
  readonly #ids: number[] = [];
  readonly #rows: string[] = [];
  readonly #gone: GoneRow[] = [];

  constructor(parts: SliceParts) {
    this.#parts = parts;
  }

  /** Changes in it. */
  get size(): number {
    return this.#slots.length + this.#gone.length;
  }

  /**
   * Takes changes.
   * @param removed by `nameOf`
   * @param most of either kind
   */
  fill(changes: Changes, removed: Map<string, GoneRow>, most: number): void {
    const { location, prefix } = this.#parts;
    for (const [name, gone] of removed) {
      if (this.#gone.length === most) break;
      removed.delete(name);
      this.#gone.push(gone);
      this.#write.end(prefix, gone, location.now);
    }
    while (this.#slots.length < most) {
      const slot = changes.next();
      if (slot < 0) break;
      if (location.expires(slot) > 0) this.#put(slot);
    }
  }

  /**
   * Resolves when Redis has it all.
   * @returns values of Redis that are later than what was to be written
   * @throws LinkEnded, or the first error that Redis replied with
   */
  async write(): Promise<string[]> {
    const { link, origin, prefix } = this.#parts;
    const writing = this.#write.send(link);
    const telling = link.send("PUBLISH", channelOf(prefix), writeNews(origin, this.#rows, this.#gone));
    const [later] = await link.answer(Promise.all([writing, telling]));
    return later;
  }

  /** Gives back what was taken, to be written another time. */
  restore(changes: Changes, removed: Map<string, GoneRow>): void {
    for (const gone of this.#gone) {
      const name = nameOf(gone);
      if (!removed.has(name)) removed.set(name, gone);
    }
    const { location } = this.#parts;
    for (const [i, slot] of this.#slots.entries()) {
      if (location.expires(slot) > 0 && location.id(slot) === this.#ids[i]) changes.put(slot);
    }
  }

  #put(slot: number): void {
    const { location, prefix, server } = this.#parts;
    const row = location.row(slot);
    const isElsewhere = (row.flags & BindingFlag.Elsewhere) !== 0;
    const flags = row.flags & ~BindingFlag.Elsewhere;
    // Which server has it is not known here: if that one has written it too, it knows more.
    const json = writeRow({ ...row, flags }, isElsewhere ? "" : server);
    this.#write.put(keyOf(prefix, row.aor, bindingKey(row)), json, row, row.expires, isElsewhere);
    this.#slots.push(slot);
    this.#ids.push(row.id);
    this.#rows.push(json);
  }
}
