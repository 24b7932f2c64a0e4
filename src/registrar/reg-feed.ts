/**
 * What the `reg` package is told of bindings (RFC 3680): changes are gathered by their address-of-record until all that was
 * to be done is done, so that whoever watches hears of one REGISTER in one NOTIFY.
 */
import type { ContactChange, RegisteredContact, RegistrationSource, RegPackage } from "../events/reg.ts";
import type { BoundEvent, Location, UnboundEvent } from "../location/location.ts";
import { decoded } from "./binding.ts";

export class RegFeed implements RegistrationSource {
  readonly #location: Location;
  readonly #reg: RegPackage;
  #changes = new Map<string, ContactChange[]>();

  constructor(location: Location, reg: RegPackage) {
    this.#location = location;
    this.#reg = reg;
    reg.follow(this);
  }

  /** A binding was made or changed, or is about to go. */
  note(slot: number, event: BoundEvent | UnboundEvent): void {
    if (!this.#reg.isWatched) return;
    const aor = this.#location.aorOf(slot);
    if (!this.#reg.wants(aor)) return;
    const change = { contact: this.#contactOf(slot), event };
    const others = this.#changes.get(aor);
    if (others === undefined) this.#changes.set(aor, [change]);
    else others.push(change);
  }

  /** What was noted is complete. */
  settled(): void {
    if (this.#changes.size === 0) return;
    const changes = this.#changes;
    // What comes of telling may be noted meanwhile.
    this.#changes = new Map();
    for (const [aor, ofOne] of changes) this.#reg.changed(aor, ofOne);
  }

  contactsOf(resource: string): RegisteredContact[] {
    const location = this.#location;
    const contacts: RegisteredContact[] = [];
    const aor = location.findText(resource);
    for (let slot = aor < 0 ? -1 : location.first(aor); slot >= 0; slot = location.next(slot)) {
      contacts.push(this.#contactOf(slot));
    }
    return contacts;
  }

  #contactOf(slot: number): RegisteredContact {
    const location = this.#location;
    const { id, name, contact, q, callId, cseq } = location.row(slot);
    const displayName = name === "" ? undefined : decoded(name.replace(/^"|"$/g, "").replace(/\\(.)/gs, "$1"));
    const [uri, expires] = [contact, location.remaining(slot)];
    return { id: String(id), uri, displayName, q: q / 1000, expires, callId: decoded(callId), cseq };
  }
}
