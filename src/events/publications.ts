/** The event state compositor: takes PUBLISH and keeps what was published until it expires (RFC 3903 s6). */

import { aorOf } from "../message/aor.ts";
import { copyOf, latin1 } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host } from "../server/plugin.ts";
import type { Authorize } from "./authorize.ts";
import type { EventPackage, Published } from "./event-package.ts";
import { type EventField, entityTagOf, eventOf, FieldFault } from "./fields.ts";
import { grantedSeconds, type Intervals, type Refused } from "./intervals.ts";

export interface PublicationSettings {
  packages: ReadonlyMap<string, EventPackage>;
  intervals: Intervals;
  /** The most at once; more get 503. */
  maxPublications: number;
  /** The most for one resource of one package; more get 403. */
  maxPerResource: number;
  authorize: Authorize | undefined;
}

/** One publication. Its entity-tag is another after every request for it. */
interface Publication extends Published {
  etag: string;
  type: string;
  content: Uint8Array;
  /** The alarm of its end. */
  expiry: number;
}

/** What a PUBLISH asks for. */
interface Asked {
  readonly pkg: EventPackage;
  readonly resource: string;
  /** The publication that it is about; null for a new one. */
  readonly known: Publication | null;
  readonly seconds: number;
  /** Null for a refresh. */
  readonly body: { type: string; content: Uint8Array } | null;
}

const ETAG_LETTERS = 16;
const FULL: Refused = { status: 503, headers: { "Retry-After": "30" } };
const UNKNOWN: Refused = { status: 412 };

export class Publications {
  /** Since the start. */
  readonly counters = { published: 0 };
  /** Publications by PUBLISH that there are. */
  size = 0;
  readonly #host: Host;
  readonly #settings: PublicationSettings;
  readonly #changed: (event: string, resource: string) => void;
  readonly #of = new Map<string, Publication[]>();

  /** @param changed told when what is published for a resource has changed */
  constructor(host: Host, settings: PublicationSettings, changed: (event: string, resource: string) => void) {
    this.#host = host;
    this.#settings = settings;
    this.#changed = changed;
  }

  /** What is published for a resource, the oldest first. */
  of(event: string, resource: string): readonly Published[] {
    return this.#of.get(keyOf(event, resource)) ?? [];
  }

  /** Publishes without a PUBLISH, in the place of what was published so before; it does not expire. @param body null removes */
  set(event: string, resource: string, body: { type: string; content: Uint8Array } | null): void {
    const rest = this.of(event, resource).filter((one) => one.etag !== "") as Publication[];
    const own = body === null ? [] : [{ etag: "", expiry: -1, ...body }];
    this.#put(event, resource, [...own, ...rest]);
  }

  /** A PUBLISH came. */
  publish(request: IncomingRequest): Promise<void> | undefined {
    const asked = this.#asked(request);
    if ("status" in asked) return refuse(request, asked);
    const { pkg, resource } = asked;
    const verdict = this.#settings.authorize?.({ method: "PUBLISH", event: pkg.name, resource, request }) ?? true;
    if (typeof verdict === "boolean") return this.#decide(request, asked, verdict);
    return verdict.then((isAllowed) => {
      // Meanwhile its publication may have expired or been changed.
      const again = isAllowed ? this.#asked(request) : asked;
      if ("status" in again) refuse(request, again);
      else this.#decide(request, again, isAllowed);
    });
  }

  // ----

  /** What a PUBLISH asks for, or why it is refused; in the order of RFC 3903 s6. */
  #asked(request: IncomingRequest): Asked | Refused {
    const { message } = request;
    const resource = aorOf(request.uri);
    if (resource === null) return { status: 404 };
    const event = eventOf(message);
    if (event === FieldFault.Malformed) return { status: 400, reason: "Bad Event" };
    const pkg = event === FieldFault.Missing ? undefined : this.#settings.packages.get((event as EventField).name);
    if (pkg?.accepts === undefined) return this.#badEvent;
    if (pkg.has?.(resource) === false) return { status: 404 };

    const etag = entityTagOf(message, Header.SipIfMatch);
    if (etag === FieldFault.Malformed) return { status: 400, reason: "Bad SIP-If-Match" };
    const known = etag === FieldFault.Missing ? null : this.#find(pkg.name, resource, etag as string);
    if (known === undefined) return UNKNOWN;
    const seconds = grantedSeconds(message, this.#settings.intervals);
    if (typeof seconds !== "number") return seconds;
    const body = bodyOf(request, pkg);
    if (body !== null && "status" in body) return body;
    if (known === null && body === null) return { status: 400, reason: "Nothing Is Published" };
    return { pkg, resource, known, seconds, body };
  }

  get #badEvent(): Refused {
    const names = [...this.#settings.packages.values()].filter((pkg) => pkg.accepts !== undefined);
    return { status: 489, headers: { "Allow-Events": names.map(({ name }) => name).join(", ") } };
  }

  #decide(request: IncomingRequest, asked: Asked, isAllowed: boolean): undefined {
    if (!isAllowed) return refuse(request, { status: 403 });
    const { pkg, resource, known, seconds, body } = asked;
    const { maxPublications, maxPerResource } = this.#settings;
    if (known === null && seconds > 0) {
      if (this.size >= maxPublications) return refuse(request, FULL);
      if (this.of(pkg.name, resource).length >= maxPerResource) {
        return refuse(request, { status: 403, reason: "Too Many Publications" });
      }
    }
    const etag = this.#etag();
    this.counters.published++;
    // The answer goes before the NOTIFYs that come of it.
    request.reply(200, { headers: { Expires: String(seconds), "SIP-ETag": etag } });
    if (seconds === 0) {
      if (known !== null) this.#remove(pkg.name, resource, known);
    } else if (known !== null) {
      known.etag = etag;
      this.#expire(pkg.name, resource, known, seconds);
      if (body === null) return;
      known.type = body.type;
      known.content = body.content;
      this.#changed(pkg.name, resource);
    } else {
      const publication: Publication = { etag, expiry: -1, ...body! };
      this.size++;
      this.#expire(pkg.name, resource, publication, seconds);
      this.#put(pkg.name, resource, [...(this.of(pkg.name, resource) as Publication[]), publication]);
    }
  }

  #expire(event: string, resource: string, publication: Publication, seconds: number): void {
    const { alarms } = this.#host;
    if (publication.expiry >= 0) alarms.clear(publication.expiry);
    publication.expiry = alarms.set(seconds * 1000, () => {
      publication.expiry = -1;
      this.#remove(event, resource, publication);
    });
  }

  #remove(event: string, resource: string, publication: Publication): void {
    if (publication.expiry >= 0) this.#host.alarms.clear(publication.expiry);
    this.size--;
    const rest = this.of(event, resource).filter((one) => one !== publication) as Publication[];
    this.#put(event, resource, rest);
  }

  #put(event: string, resource: string, publications: Publication[]): void {
    if (publications.length === 0) this.#of.delete(keyOf(event, resource));
    else this.#of.set(keyOf(event, resource), publications);
    this.#changed(event, resource);
  }

  /** @returns undefined when there is none */
  #find(event: string, resource: string, etag: string): Publication | undefined {
    return this.of(event, resource).find((one) => one.etag === etag) as Publication | undefined;
  }

  #etag(): string {
    return latin1(this.#host.sender.tokens.token(ETAG_LETTERS), 0, ETAG_LETTERS);
  }
}

function keyOf(event: string, resource: string): string {
  return `${event}\n${resource}`;
}

function refuse(request: IncomingRequest, { status, ...options }: Refused): undefined {
  request.reply(status, options);
}

/** The body of a PUBLISH, in octets of its own; null when there is none. */
function bodyOf(request: IncomingRequest, pkg: EventPackage): { type: string; content: Uint8Array } | null | Refused {
  const { message } = request;
  const { bytes, bodyStart, bodyEnd } = message;
  if (bodyStart === bodyEnd) return null;
  const value = request.header("Content-Type") ?? "";
  const type = pkg.types.find((one) => one === value.split(";")[0]!.trim().toLowerCase());
  if (type === undefined) return { status: 415, headers: { Accept: pkg.types.join(", ") } };
  const body = { type, content: copyOf(bytes, bodyStart, bodyEnd) };
  return pkg.accepts!(body) ? body : { status: 400, reason: `Not ${type}` };
}
