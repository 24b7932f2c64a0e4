/** RSeq and RAck, and the option tag 100rel (RFC 3262 s7, s8.1). */
import { ascii } from "../message/bytes.ts";
import { hasToken } from "../message/has-token.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";

/** Which response a PRACK acknowledges. */
export interface RAck {
  rseq: number;
  cseq: number;
  /** Case counts. */
  method: string;
}

const MAX = 0xffffffff;
const RACK = /^(\d+)[ \t\r\n]+(\d+)[ \t\r\n]+([A-Za-z0-9\-.!%*_+`'~]+)$/;

/** The RAck of a PRACK; null when it has none, or several, or one that cannot be read. */
export function rackOf(message: Message): RAck | null {
  const parts = RACK.exec(onlyValue(message, Header.RAck));
  if (parts === null) return null;
  const rseq = Number(parts[1]);
  const cseq = Number(parts[2]);
  return rseq > MAX || cseq > MAX ? null : { rseq, cseq, method: parts[3]! };
}

/** The RSeq of a response; 0, which is none, when it has none, or several, or one that cannot be read. */
export function rseqOf(message: Message): number {
  const value = onlyValue(message, Header.RSeq);
  const rseq = /^\d+$/.test(value) ? Number(value) : 0;
  return rseq > MAX ? 0 : rseq;
}

function onlyValue(message: Message, id: Header): string {
  const record = message.first(id);
  return record === 0 || message.next(record) !== 0 ? "" : message.valueText(record);
}

const TAG = ascii("100rel");

/** Whether one of these fields, Require or Supported, names 100rel. */
export function has100rel(message: Message, id: Header): boolean {
  return message.first(id) !== 0 && hasToken(message, id, TAG);
}
