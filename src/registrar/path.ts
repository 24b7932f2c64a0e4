/** The Path of a REGISTER (RFC 3327): the proxies by which requests for its contacts go. */
import { type BindingPacker, Section } from "../location/packed.ts";
import { ascii, RAQUOT, skipWhite } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { ADDR_END, ADDR_SIZE, ADDR_URI_END, ADDR_URI_START, scanNameAddr } from "../message/name-addr.ts";
import { findUriParam } from "../message/uri.ts";
import { scanUri, URI_PARAMS_END, URI_PARAMS_START, URI_SIZE, UriResult } from "../message/uri-scan.ts";

/** What {@link scanPath} finds. */
export const PathKind = {
  None: 0,
  /** Addresses in angle brackets, none at either end with `ob`. */
  Plain: 1,
  /**
   * The client's own proxy keeps its flow (RFC 5626 s6): the first URI has `ob`. Behind a further proxy that stands in
   * Path too it is the last one that has it.
   */
  Outbound: 2,
  Malformed: 3,
} as const;
export type PathKind = (typeof PathKind)[keyof typeof PathKind];

const COMMA = ascii(",");
const OB = ascii("ob");

const address = new Int32Array(ADDR_SIZE);
const uri = new Int32Array(URI_SIZE);

/** Reads the Path of a message. */
export function scanPath(message: Message): PathKind {
  const { bytes } = message;
  let isFirst = true;
  let isFirstOutbound = false;
  let isLastOutbound = false;
  for (let record = message.first(Header.Path); record !== 0; record = message.next(record)) {
    const end = message.valueEnd(record);
    let at = message.valueStart(record);
    if (at === end) return PathKind.Malformed;
    while (at < end) {
      if (!scanNameAddr(bytes, at, end, address)) return PathKind.Malformed;
      const uriEnd = address[ADDR_URI_END]!;
      // s4: a name-addr. Without brackets its parameters would be the header field's, once it is a Route.
      if (uriEnd === end || bytes[uriEnd] !== RAQUOT) return PathKind.Malformed;
      if (scanUri(bytes, address[ADDR_URI_START]!, uriEnd, uri) === UriResult.BAD) return PathKind.Malformed;
      isLastOutbound = findUriParam(bytes, uri[URI_PARAMS_START]!, uri[URI_PARAMS_END]!, OB) >= 0;
      if (isFirst) isFirstOutbound = isLastOutbound;
      isFirst = false;
      at = skipWhite(bytes, address[ADDR_END]! + 1, end);
    }
  }
  if (isFirst) return PathKind.None;
  return isFirstOutbound || isLastOutbound ? PathKind.Outbound : PathKind.Plain;
}

/** Packs all its values. @returns false when they are too long to be kept */
export function packPath(message: Message, packer: BindingPacker): boolean {
  let isFirst = true;
  for (let record = message.first(Header.Path); record !== 0; record = message.next(record)) {
    if (!isFirst && !packer.add(Section.Path, COMMA, 0, 1)) return false;
    if (!packer.add(Section.Path, message.bytes, message.valueStart(record), message.valueEnd(record))) return false;
    isFirst = false;
  }
  return true;
}
