/**
 * Keeps NATs open towards registered clients (RFC 5626 s4.4, s5.4): an empty line over UDP, or OPTIONS. All bindings are
 * gone through once in an interval, a part of them at each step, so that no moment has more to do than another.
 */
import { isIP } from "node:net";
import type { Location } from "../location/location.ts";
import { Section } from "../location/packed.ts";
import { BindingFlag } from "../location/row.ts";
import { ascii } from "../message/bytes.ts";
import { Uri } from "../message/uri.ts";
import type { Flow } from "../outgoing/outgoing-request.ts";
import { nextHopOf } from "../resolve/target.ts";
import type { Host } from "../server/plugin.ts";
import { readReceived } from "./binding.ts";
import type { RegistrarCounters } from "./counters.ts";
import type { KeepAliveKind } from "./settings.ts";

const STEP_MS = 100;
const MAX_PORT = 0xffff;
const EMPTY_LINES = ascii("\r\n\r\n");
/** OPTIONS that have no answer yet; more wait for the next round. */
const MAX_ASKED = 2000;

export interface KeepAliveParts {
  readonly host: Host;
  readonly location: Location;
  readonly counters: RegistrarCounters;
  readonly kind: KeepAliveKind;
  /** Milliseconds. */
  readonly interval: number;
  /** The way to a binding's client, as far as it is known. */
  readonly flowOf: (slot: number) => Flow | null;
}

export class KeepAlive {
  readonly #parts: KeepAliveParts;
  #alarm = -1;
  #at = 0;
  /** Slots that are to be gone through by now, and a part of one. */
  #due = 0;
  /** The time that they were reckoned to. */
  #reckoned: number;
  #asked = 0;

  constructor(parts: KeepAliveParts) {
    this.#parts = parts;
    this.#reckoned = parts.host.now();
    if (parts.kind !== "off") this.#arm();
  }

  stop(): void {
    if (this.#alarm >= 0) this.#parts.host.alarms.clear(this.#alarm);
    this.#alarm = -1;
  }

  #arm(): void {
    this.#alarm = this.#parts.host.alarms.set(STEP_MS, () => {
      // First: a step that fails must not be the last one.
      this.#arm();
      this.#step();
    });
  }

  #step(): void {
    const { host, location, interval } = this.#parts;
    const now = host.now();
    // By the clock, not by the steps: a busy server is late for some. Never the same one twice at once.
    this.#due = Math.min(this.#due + (location.used * (now - this.#reckoned)) / interval, location.used);
    this.#reckoned = now;
    for (; this.#due >= 1; this.#due--) {
      if (this.#at >= location.used) this.#at = 0;
      const slot = this.#at++;
      // What another server registered is kept alive by that one: the NAT knows it alone.
      const isOurs = (location.flags(slot) & BindingFlag.Elsewhere) === 0;
      if (isOurs && location.expires(slot) > 0) this.#keep(slot);
    }
  }

  #keep(slot: number): void {
    const { location, kind, counters } = this.#parts;
    if (kind === "crlf") {
      if (!(location.flags(slot) & BindingFlag.Nat)) return;
      const flow = this.#parts.flowOf(slot);
      if (flow === null || flow.channel.transport !== "UDP") return;
      const { arena } = flow.channel;
      const start = arena.open(EMPTY_LINES.length);
      arena.put(EMPTY_LINES);
      flow.channel.send(start, flow.address, flow.port);
      counters.keepAlives++;
    } else this.#ask(slot);
  }

  /** Sends OPTIONS; who answers nothing is passed over by look-ups until it is heard of again. */
  #ask(slot: number): void {
    const { host, location, counters } = this.#parts;
    const flow = this.#parts.flowOf(slot);
    if (flow === null || this.#asked >= MAX_ASKED) return;
    const contact = Uri.parse(location.text(slot, Section.Uri));
    if (contact === null || nextHopOf(contact) === null) return;
    const id = location.id(slot);
    const [updated, cseq] = [location.updated(slot), location.cseq(slot)];
    const over = (isSilent: boolean) => {
      this.#asked--;
      if (location.expires(slot) === 0 || location.id(slot) !== id) return;
      // One that has refreshed meanwhile was heard of, perhaps from another place than was asked.
      const isRefreshed = location.updated(slot) !== updated || location.cseq(slot) !== cseq;
      if (!(isSilent && isRefreshed)) this.#mark(slot, isSilent);
    };
    const { draft } = host.composer.compose("OPTIONS", contact, { to: location.aorOf(slot) });
    this.#asked++;
    counters.keepAlives++;
    host.sender.send(draft, null, flow, {
      response(message) {
        if (message.status >= 200) over(false);
      },
      failed: ({ cause }) => over(cause === "timeout" || cause === "unreachable"),
    });
  }

  #mark(slot: number, isSilent: boolean): void {
    const { location, counters } = this.#parts;
    const flags = location.flags(slot);
    if (isSilent && !(flags & BindingFlag.Silent)) counters.silent++;
    location.setFlags(slot, isSilent ? flags | BindingFlag.Silent : flags & ~BindingFlag.Silent);
  }
}

/** The way to a client by where it came from, over a socket that is there. @param received of a store, not to be trusted */
export function flowOfReceived(host: Host, received: string): Flow | null {
  const from = readReceived(received);
  if (from === null || from.transport !== "udp") return null;
  const { address, port } = from;
  if (isIP(address) === 0 || port < 1 || port > MAX_PORT) return null;
  const channel = host.sender.channelTo({ transport: "udp", address, port, domain: address });
  return channel === null ? null : { channel, address, port };
}
