/** Writes and sends the responses of the UAS core, in a request's transaction or without one (RFC 3261 s8.2.6, s8.2.7). */
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { checkedReason, type HeaderFields, headerLines, joinedLines } from "../message/header-lines.ts";
import { URI_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { ADDR_SIZE, ADDR_URI_START, scanNameAddr } from "../message/name-addr.ts";
import { writeResponse } from "../message/response.ts";
import type { TokenSource } from "../message/token-source.ts";
import { isSipsAt } from "../message/uri-scan.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import { responsePort } from "../transaction/response-address.ts";
import type { Channel } from "../transport/channel.ts";
import type { Capabilities, ContactLines } from "./capabilities.ts";
import type { IncomingRequest, ReplyOptions } from "./incoming-request.ts";
import { type Refusal, TOO_LARGE } from "./screening.ts";

/** Letters in a To tag: five random bits each (s19.3 wants 32 bits). */
const TAG_LETTERS = 12;
const SDP = "application/sdp";

export class Responder {
  readonly #layer: TransactionLayer;
  readonly #capabilities: Capabilities;
  readonly #tokens: TokenSource;

  constructor(layer: TransactionLayer, capabilities: Capabilities, tokens: TokenSource) {
    this.#layer = layer;
    this.#capabilities = capabilities;
    this.#tokens = tokens;
  }

  /** A To tag of ours. */
  tag(): Uint8Array {
    return this.#tokens.token(TAG_LETTERS);
  }

  /** Answers a request in its transaction, without a handler. @param toTag added where the request has none */
  respond(
    slot: number,
    message: Message,
    answer: Refusal,
    address: string,
    port: number,
    toTag: Uint8Array | null = this.tag(),
  ): void {
    const { status, reason, headers } = answer;
    const channel = this.#layer.pool.channel(slot);
    const { arena } = channel;
    const start = writeResponse(arena, message, { status, reason, headers, toTag }, address, port);
    if (arena.at - start <= channel.longest) {
      this.#layer.respond(slot, status, start);
      return;
    }
    channel.drop(start);
    const short = writeResponse(arena, message, { ...TOO_LARGE, toTag }, address, port);
    this.#layer.respond(slot, TOO_LARGE.status, short);
  }

  /** Answers a request that has no transaction. */
  stateless(message: Message, refusal: Refusal, channel: Channel, address: string, port: number): void {
    const { status, reason, headers } = refusal;
    const toTag = this.#layer.statelessTag(message);
    const start = writeResponse(channel.arena, message, { status, reason, headers, toTag }, address, port);
    channel.send(start, address, responsePort(message, port, channel));
  }

  /**
   * Writes a handler's response into the channel's arena.
   * @param headers lines to go first
   * @returns where it begins; -1 where it is longer than a datagram can be: {@link TOO_LARGE} goes in its place then
   * @throws RangeError for a status that is none, TypeError for text that would not stand on its line
   */
  write(
    request: IncomingRequest,
    status: number,
    options: ReplyOptions,
    headers: Uint8Array | undefined,
    recordRoute: boolean,
  ): number {
    const { body, contentType = SDP, reason } = options;
    if (!Number.isInteger(status) || status < 100 || status > 699) throw new RangeError(`No status code: ${status}`);
    const octets = typeof body === "string" ? ascii(body) : body;
    const { channel } = request;
    const start = writeResponse(
      channel.arena,
      request.message,
      {
        status,
        reason: reason === undefined ? undefined : checkedReason(reason),
        headers: joined(status < 300 ? withInfo(request, status, headers, octets) : headers, options.headers),
        toTag: request.localTag,
        contentType: checkedReason(contentType),
        body: octets,
        recordRoute,
      },
      request.address,
      request.port,
    );
    // What goes in the place of the others is as short as can be, and goes as it is.
    if (channel.arena.at - start <= channel.longest || options === TOO_LARGE) return start;
    channel.drop(start);
    return -1;
  }

  /**
   * Writes and sends it.
   * @returns false when the transaction is over, its state does not allow it, or a datagram cannot hold it: in the place of a
   *   final response 500 is sent then
   */
  send(
    request: IncomingRequest,
    status: number,
    options: ReplyOptions,
    headers?: Uint8Array,
    recordRoute = false,
  ): boolean {
    const { pool } = this.#layer;
    const { slot, generation } = request;
    if (!pool.isLive(slot, generation)) return false;
    const start = this.write(request, status, options, headers, recordRoute);
    if (start < 0) {
      // As the request's own, which may have to end more than its transaction.
      if (status >= 200) request.reply(TOO_LARGE.status, TOO_LARGE);
      return false;
    }
    const sent = this.#layer.respond(slot, status, start);
    if (sent && status >= 200 && pool.isLive(slot, generation)) pool.setUser(slot, null);
    return sent;
  }

  /** Our Contact for a peer, alone and with what goes beside it in a 2xx. */
  contactOf(request: IncomingRequest): ContactLines {
    const { channel, message } = request;
    const secure = isSipsAt(message.bytes, message.table[URI_START]!) || (isSecured(channel) && asksForSips(message));
    return this.#capabilities.contact(channel, request.address, secure);
  }
}

function isSecured(channel: Channel): boolean {
  return channel.transport === "TLS" || channel.transport === "WSS";
}

const uri = new Int32Array(ADDR_SIZE);

/** Whether the route back, or the caller itself where there is none, is a `sips` URI (s12.1.1, RFC 5630 s5.1.2). */
function asksForSips(message: Message): boolean {
  const record = message.first(Header.RecordRoute) || message.first(Header.Contact);
  if (record === 0) return false;
  const { bytes } = message;
  const isRead = scanNameAddr(bytes, message.valueStart(record), message.valueEnd(record), uri);
  return isRead && isSipsAt(bytes, uri[ADDR_URI_START]!);
}

/** RFC 7616 s3.5: what proves to a user who has logged in that this server knows its secret too. */
function withInfo(
  { login }: IncomingRequest,
  status: number,
  headers: Uint8Array | undefined,
  body: Uint8Array | undefined,
): Uint8Array | undefined {
  if (login === null || status < 200) return headers;
  const info = body === undefined || login.headersFor === undefined ? login.headers : login.headersFor(body);
  if (info === null) return headers;
  return headers === undefined ? info : joinedLines(headers, info);
}

function joined(lines: Uint8Array | undefined, fields: HeaderFields | undefined): Uint8Array | undefined {
  if (fields === undefined) return lines;
  const more = headerLines(fields);
  return lines === undefined ? more : joinedLines(lines, more);
}
