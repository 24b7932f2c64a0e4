/**
 * Offer and answer in one dialog (RFC 3264; where they may stand: RFC 3261 s13.2.1, RFC 3262 s5, RFC 3311 s5): what was
 * agreed, and whose turn it is.
 *
 *     whose turn  event                                 next turn    state
 *     nobody      a request with an offer               its peer     local-offer or remote-offer
 *     nobody      an INVITE without one                 its peer     as before
 *     a side      its offer, asked for by that INVITE   its peer     local-offer or remote-offer
 *     a side      its answer                            nobody       stable
 *     a side      it may answer no more, and has not    nobody       unanswered
 *     either      the request failed                    nobody       as before the offer
 *
 * A description is counted once: what repeats it in a later response of the same INVITE is nothing new (RFC 6337 s3.1.1).
 */
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { isMediaType } from "../message/media-type.ts";
import type { Message } from "../message/message.ts";

/**
 * `none`: nothing was agreed; `local-offer` and `remote-offer`: that side's offer waits for its answer; `stable`: `local` and
 * `remote` are agreed; `unanswered`: the last offer never got its answer, and what was agreed before it stands.
 */
export type SessionState = "none" | "local-offer" | "remote-offer" | "stable" | "unanswered";

/** The request that an exchange began with. An ACK or PRACK that answers belongs to its INVITE. */
export type Exchange = "INVITE" | "PRACK" | "UPDATE";

/** This end, or its peer. */
export type Side = "local" | "remote";

export class Session {
  #local: Uint8Array | null = null;
  #remote: Uint8Array | null = null;
  #offer: Uint8Array | null = null;
  #turn: Side | null = null;
  #exchange: Exchange | null = null;
  #settled: "none" | "stable" | "unanswered" = "none";
  /** Whether an UPDATE of the peer's has no final response yet (RFC 3311 s5.2); kept by whoever answers it. */
  isUpdating = false;

  /** Our description, as it was agreed last. Not to be written to. */
  get local(): Uint8Array | null {
    return this.#local;
  }

  /** The peer's. Not to be written to. */
  get remote(): Uint8Array | null {
    return this.#remote;
  }

  /** The offer that waits for its answer. */
  get offer(): Uint8Array | null {
    return this.#offer;
  }

  get state(): SessionState {
    return this.#offer === null ? this.#settled : this.#turn === "remote" ? "local-offer" : "remote-offer";
  }

  /** Who has to make an offer or an answer before there can be another exchange; null when anybody may begin one. */
  get turn(): Side | null {
    return this.#turn;
  }

  /** Whether an INVITE without an offer has come or gone, and the side whose turn it is has made none yet. */
  get isAsked(): boolean {
    return this.#turn !== null && this.#offer === null;
  }

  /** Whether a description of this side would be counted now. */
  expects(exchange: Exchange, side: Side): boolean {
    return this.#exchange === exchange && this.#turn === side;
  }

  /**
   * A request has been sent or has come that begins an exchange.
   * @param side whose request it is
   * @param offer null for an INVITE without one: its peer makes the offer
   * @throws Error when another exchange is under way
   */
  begin(exchange: Exchange, side: Side, offer: Uint8Array | null): void {
    if (this.#turn !== null) throw new Error(`An exchange of ${this.#exchange} is under way`);
    this.#exchange = exchange;
    this.#offer = offer;
    this.#turn = side === "local" ? "remote" : "local";
  }

  /**
   * A description has been sent or has come in the exchange.
   * @param description null: there was none where it had to be; see {@link end}
   * @returns what it is; null when it counts for nothing, since it is not that side's turn
   */
  say(exchange: Exchange, side: Side, description: Uint8Array | null): "offer" | "answer" | null {
    if (!this.expects(exchange, side)) return null;
    if (description === null) {
      this.end(exchange, "unanswered");
      return null;
    }
    if (this.#offer === null) {
      this.#offer = description;
      this.#turn = side === "local" ? "remote" : "local";
      return "offer";
    }
    this.#local = side === "local" ? description : this.#offer;
    this.#remote = side === "local" ? this.#offer : description;
    this.#close();
    this.#settled = "stable";
    return "answer";
  }

  /** An exchange is over without an answer. Nothing happens when it is over already. @param how whether its request failed */
  end(exchange: Exchange, how: "failed" | "unanswered"): void {
    if (this.#exchange !== exchange) return;
    if (how === "unanswered" && this.#offer !== null) this.#settled = "unanswered";
    this.#close();
  }

  #close(): void {
    this.#exchange = this.#turn = this.#offer = null;
  }
}

const SDP = ascii("application/sdp");

/** The session description in a message; null when it has none. A view on its octets. */
export function descriptionOf(message: Message): Uint8Array | null {
  if (message.bodyEnd === message.bodyStart) return null;
  const type = message.first(Header.ContentType);
  if (type !== 0 && !isMediaType(message.bytes, message.valueStart(type), message.valueEnd(type), SDP)) return null;
  // s20.11: SDP that describes something else than this session, early media apart for instance, says so.
  const disposition = message.first(Header.ContentDisposition);
  if (disposition !== 0 && !/^\s*session\s*(;|$)/i.test(message.valueText(disposition))) return null;
  return message.body;
}

/** A body of ours, and its type: `application/sdp` unless given. */
export interface BodyOptions {
  body?: string | Uint8Array | undefined;
  contentType?: string | undefined;
}

/** Whether a body of ours is a session description. */
export function isDescription({ body, contentType }: BodyOptions): boolean {
  return (
    body !== undefined && body.length > 0 && (contentType === undefined || /^application\/sdp\b/i.test(contentType))
  );
}

/** A session description of ours in octets of its own; null when there is none. */
export function ownDescription(options: BodyOptions): Uint8Array | null {
  if (!isDescription(options)) return null;
  const { body } = options;
  return typeof body === "string" ? ascii(body) : new Uint8Array(body!);
}
