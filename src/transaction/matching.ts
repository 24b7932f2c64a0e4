/** What a message is matched by: RFC 3261 s17.1.3 for responses, s17.2.3 for requests, s8.2.2.2 for merged ones. */

import type { KeyBuilder } from "../memory/key.ts";
import { hasCookie } from "../message/fields.ts";
import { Header } from "../message/header.ts";
import {
  CSEQ_METHOD_END,
  CSEQ_METHOD_START,
  CSEQ_NUMBER,
  FROM_TAG_END,
  FROM_TAG_START,
  METHOD_END,
  METHOD_START,
  URI_END,
  URI_START,
  VIA_BRANCH_END,
  VIA_BRANCH_START,
  VIA_HOST_END,
  VIA_HOST_START,
  VIA_PORT,
} from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";

const SERVER = 0x53;
const SERVER_2543 = 0x4f;
const MERGED = 0x4d;
const CLIENT = 0x43;

/** An ACK and, where its INVITE is looked for, a CANCEL go by the INVITE's key. */
function keyMethod(method: number, forInvite: boolean): number {
  return forInvite || method === Method.ACK ? Method.INVITE : method;
}

/**
 * The key of a request's server transaction.
 * @param forInvite builds the key of the INVITE that a CANCEL or ACK speaks of
 */
export function serverKey(key: KeyBuilder, message: Message, forInvite = false): KeyBuilder {
  const { bytes, table } = message;
  const method = keyMethod(message.method, forInvite);
  if (hasCookie(bytes, table)) {
    key.begin(SERVER).number((method << 16) ^ table[VIA_PORT]!);
    key.part(bytes, table[VIA_BRANCH_START]!, table[VIA_BRANCH_END]!);
    key.lowerPart(bytes, table[VIA_HOST_START]!, table[VIA_HOST_END]!);
  } else {
    // RFC 2543: no branch that can be trusted to be unique. The To tag is left out, since the ACK has ours.
    const via = message.first(Header.Via);
    const callId = message.first(Header.CallId);
    key.begin(SERVER_2543).number(method).number(table[CSEQ_NUMBER]!);
    key.part(bytes, table[URI_START]!, table[URI_END]!);
    key.part(bytes, table[FROM_TAG_START]!, table[FROM_TAG_END]!);
    key.part(bytes, message.valueStart(callId), message.valueEnd(callId));
    key.part(bytes, message.valueStart(via), message.valueEnd(via));
  }
  if (method === Method.Other) key.part(bytes, table[METHOD_START]!, table[METHOD_END]!);
  return key;
}

/** The key by which the same request is known when it comes on two paths. */
export function mergedKey(key: KeyBuilder, message: Message): KeyBuilder {
  const { bytes, table } = message;
  const callId = message.first(Header.CallId);
  key.begin(MERGED).number(table[CSEQ_NUMBER]!);
  key.part(bytes, table[CSEQ_METHOD_START]!, table[CSEQ_METHOD_END]!);
  key.part(bytes, table[FROM_TAG_START]!, table[FROM_TAG_END]!);
  key.part(bytes, message.valueStart(callId), message.valueEnd(callId));
  return key;
}

/** The key of a client transaction: the branch we made and the method in CSeq. */
export function clientKey(
  key: KeyBuilder,
  branch: Uint8Array,
  branchStart: number,
  branchEnd: number,
  method: Uint8Array,
  methodStart: number,
  methodEnd: number,
): KeyBuilder {
  return key.begin(CLIENT).part(branch, branchStart, branchEnd).part(method, methodStart, methodEnd);
}

/** The key of the client transaction that a response answers. */
export function responseKey(key: KeyBuilder, message: Message): KeyBuilder {
  const { bytes, table } = message;
  return clientKey(
    key,
    bytes,
    table[VIA_BRANCH_START]!,
    table[VIA_BRANCH_END]!,
    bytes,
    table[CSEQ_METHOD_START]!,
    table[CSEQ_METHOD_END]!,
  );
}
