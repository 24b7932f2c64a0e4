/** A location with bindings in it, as a registrar would put them there, for tests of what keeps them. */
import { Location } from "../../src/location/location.ts";
import { BindingPacker, Section } from "../../src/location/packed.ts";
import { type BindingRow, bindingKey } from "../../src/location/row.ts";
import type { StoreLog } from "../../src/location/store.ts";
import { TimerWheel } from "../../src/time/wheel.ts";

export interface LocationClock {
  readonly location: Location;
  /** Moves the location's time on. */
  pass(ms: number): void;
}

/** An empty location. @param wall its time at first, in milliseconds since 1970 */
export function newLocation(wall = Date.now(), ceiling = 20_000): LocationClock {
  const wheel = new TimerWheel(5000);
  return {
    location: new Location({ wheel, epoch: { wall, wheel: 5000 }, ceiling, seed: [1, 2] }),
    pass: (ms) => wheel.advance(wheel.now + ms),
  };
}

/** What a REGISTER says. @property expires seconds from now */
export type Registered = Partial<Omit<BindingRow, "id" | "updated">> & { aor: string };

const packer = new BindingPacker();

/**
 * Takes in what a REGISTER says.
 * @param which the binding that it refreshes, where that has another key by its Contact
 * @returns the binding's slot
 */
export function register(location: Location, registered: Registered, which = -1): number {
  const said = {
    name: "",
    contact: "sip:bob@192.0.2.1",
    params: "",
    instance: "",
    regId: 0,
    q: 1000,
    callId: "a84b4c76e66710",
    cseq: 1,
    expires: 3600,
    path: "",
    received: "udp:192.0.2.9:1024",
    userAgent: "phone/1",
    flags: 0,
    ...registered,
  };
  packer.begin();
  packer.text(Section.Name, said.name);
  packer.text(Section.Uri, said.contact);
  packer.text(Section.Params, said.params);
  packer.text(Section.CallId, said.callId);
  packer.text(Section.Path, said.path);
  packer.text(Section.Received, said.received);
  packer.text(Section.UserAgent, said.userAgent);
  if (said.instance !== "") packer.instance(said.params.indexOf(said.instance), said.instance.length);
  packer.end();
  const known = which >= 0 ? which : location.slotOf(said.aor, bindingKey(said));
  if (known >= 0) {
    location.update(known, packer, said);
    return known;
  }
  const aor = Buffer.from(said.aor, "latin1");
  return location.add(aor, 0, aor.length, packer, said);
}

/** All bindings there are, by address-of-record and Contact. */
export function rowsOf(location: Location): BindingRow[] {
  const rows: BindingRow[] = [];
  for (let slot = 0; slot < location.used; slot++) if (location.expires(slot) > 0) rows.push(location.row(slot));
  return inOrder(rows);
}

export function inOrder(rows: Iterable<BindingRow>): BindingRow[] {
  const name = ({ aor, contact, regId }: BindingRow) => `${aor} ${contact} ${regId}`;
  return [...rows].sort((a, b) => (name(a) < name(b) ? -1 : 1));
}

/** A log that keeps its lines: the level and the message, and the fields beside it. */
export class StoreLines implements StoreLog {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];

  info(fields: object, message: string): void {
    this.lines.push({ level: "info", message, fields: fields as Record<string, unknown> });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", message, fields: fields as Record<string, unknown> });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: "error", message, fields: fields as Record<string, unknown> });
  }

  /** The messages of a level. */
  of(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}
