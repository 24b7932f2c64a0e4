/**
 * Header fields that name a dialog: Replaces (RFC 3891 s6.1) and Target-Dialog (RFC 4538 s7). Both are a Call-ID with
 * the two tags as parameters.
 */
import { ascii, CLASS, COMMA, latin1, SEMI, skipWhite, WHITE } from "./bytes.ts";
import { Header } from "./header.ts";
import type { Message } from "./message.ts";
import { nextParam, ParamStep, paramCursor } from "./params.ts";

/** A dialog as the one who is asked sees it. Octets stand as one character each. */
export interface DialogName {
  readonly callId: string;
  /** The tag of the one who is asked: `to-tag` of Replaces, `local-tag` of Target-Dialog. */
  readonly localTag: string;
  /** The tag of the other end: `from-tag` and `remote-tag`. */
  readonly remoteTag: string;
}

/** The value of a Replaces. */
export interface Replaces extends DialogName {
  /** Whether the dialog is to be replaced only as long as it is early. */
  readonly earlyOnly: boolean;
}

/**
 * The Replaces of a request.
 * @returns null when it has none, `"malformed"` for one that cannot be read and for several (s3)
 */
export function replacesOf(message: Message): Replaces | "malformed" | null {
  const record = message.first(Header.Replaces);
  if (record === 0) return null;
  if (message.next(record) !== 0) return "malformed";
  return readReplaces(message.bytes, message.valueStart(record), message.valueEnd(record)) ?? "malformed";
}

/** A Replaces value on its own, as it stands in a Refer-To URI with its escapes undone; null when it is malformed. */
export function parseReplaces(value: string): Replaces | null {
  const bytes = ascii(value);
  return readReplaces(bytes, 0, bytes.length);
}

/** The value of a Replaces. */
export function writeReplaces({ callId, localTag, remoteTag, earlyOnly }: Replaces): string {
  return `${callId};to-tag=${localTag};from-tag=${remoteTag}${earlyOnly ? ";early-only" : ""}`;
}

/** The Target-Dialog of a request; null when it has none, several or a malformed one: it is ignored then (RFC 4538 s4). */
export function targetDialogOf(message: Message): DialogName | null {
  const values = message.headers("Target-Dialog");
  if (values.length !== 1) return null;
  const bytes = ascii(values[0]!);
  const parts = readParts(bytes, 0, bytes.length);
  if (parts === null) return null;
  const { callId, params } = parts;
  const localTag = params.get("local-tag");
  const remoteTag = params.get("remote-tag");
  return localTag && remoteTag ? { callId, localTag, remoteTag } : null;
}

function readReplaces(bytes: Uint8Array, start: number, end: number): Replaces | null {
  const parts = readParts(bytes, start, end);
  if (parts === null) return null;
  const { callId, params } = parts;
  const localTag = params.get("to-tag");
  const remoteTag = params.get("from-tag");
  if (!localTag || !remoteTag) return null;
  return { callId, localTag, remoteTag, earlyOnly: params.has("early-only") };
}

/** A Call-ID and its parameters; null when they are malformed, one stands twice, or another value follows. */
function readParts(bytes: Uint8Array, start: number, end: number) {
  const first = skipWhite(bytes, start, end);
  let at = first;
  while (at < end && bytes[at] !== SEMI && bytes[at] !== COMMA && !(CLASS[bytes[at]!]! & WHITE)) at++;
  if (at === first) return null;
  const callId = latin1(bytes, first, at);
  const params = new Map<string, string>();
  const cursor = paramCursor();
  cursor.at = at;
  for (;;) {
    const step = nextParam(bytes, end, cursor);
    if (step === ParamStep.Malformed) return null;
    if (step === ParamStep.End) break;
    const name = latin1(bytes, cursor.nameStart, cursor.nameEnd).toLowerCase();
    if (params.has(name)) return null;
    params.set(name, cursor.valueStart < 0 ? "" : latin1(bytes, cursor.valueStart, cursor.valueEnd));
  }
  return cursor.at === end ? { callId, params } : null;
}
