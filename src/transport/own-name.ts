/**
 * By what name peers reach a listener: `host:port` for Via, Contact and Record-Route. What is advertised, else the
 * address that is bound, else, where every address is bound, the one that a peer sees; never a wildcard.
 */
import { hostPort, withoutBrackets } from "./address.ts";

export class OwnName {
  readonly #address: string;
  readonly #port: number;
  readonly #advertised: string | undefined;
  readonly #localFor: (peer: string) => string;
  /** The peer asked about last, and what it is told: a trunk sends message after message from one address. */
  #peer = "";
  #sentBy = "";
  #host = "";

  /**
   * @param address what is bound, numeric
   * @param advertised `host:port` told instead
   * @param localFor the address of this machine that a peer is reached from; asked when a wildcard is bound
   */
  constructor(address: string, port: number, advertised: string | undefined, localFor: (peer: string) => string) {
    this.#address = address;
    this.#port = port;
    this.#advertised = advertised;
    this.#localFor = localFor;
  }

  /** @param peer numeric address */
  sentByFor(peer: string): string {
    if (peer !== this.#peer) this.#lookUp(peer);
    return this.#sentBy;
  }

  /** The host of {@link sentByFor} alone, IPv6 without brackets. */
  hostFor(peer: string): string {
    if (peer !== this.#peer) this.#lookUp(peer);
    return this.#host;
  }

  /** The same for a connection, whose local address is known. @param local numeric */
  sentByAt(local: string): string {
    return this.#advertised ?? hostPort(local, this.#port);
  }

  #lookUp(peer: string): void {
    const address = isWildcard(this.#address) ? this.#localFor(peer) : this.#address;
    this.#peer = peer;
    this.#sentBy = this.sentByAt(address);
    this.#host = hostOf(this.#sentBy);
  }
}

/** Whether an address stands for every address of the machine. */
export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** The host of `host:port`, IPv6 without brackets. */
export function hostOf(sentBy: string): string {
  return withoutBrackets(sentBy.slice(0, sentBy.lastIndexOf(":")));
}
