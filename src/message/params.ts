/**
 * Walks parameters: `;name`, `;name=token`, `;name="quoted"`, `;name=[v6]`, with white space wherever RFC 3261 s25.1
 * lets it stand (SEMI and EQUAL). One walker serves Via, From, To, Contact, Route and the rest.
 */
import { CLASS, COMMA, DQUOTE, EQUAL, SEMI, skipQuoted, skipToken, skipWhite, VALUE_END, WHITE } from "./bytes.ts";

/** A cursor over one value's parameters. Reused: read its fields before the next {@link nextParam}. */
export interface ParamCursor {
  /** Where the walk stands: at a `;`, a `,` or the end. */
  at: number;
  nameStart: number;
  nameEnd: number;
  /** -1 when the parameter has no value. Quotes are part of the range. */
  valueStart: number;
  valueEnd: number;
}

/** A cursor to be reused by one caller. */
export function paramCursor(): ParamCursor {
  return { at: 0, nameStart: 0, nameEnd: 0, valueStart: -1, valueEnd: -1 };
}

/** What {@link nextParam} found. */
export const ParamStep = { End: 0, Found: 1, Malformed: 2 } as const;

/**
 * Moves the cursor over the next parameter.
 * @returns `End` at a comma or the end of the range, `Found`, or `Malformed`.
 */
export function nextParam(bytes: Uint8Array, end: number, cursor: ParamCursor): number {
  let at = skipWhite(bytes, cursor.at, end);
  cursor.at = at;
  if (at === end || bytes[at] === COMMA) return ParamStep.End;
  if (bytes[at] !== SEMI) return ParamStep.Malformed;
  at = skipWhite(bytes, at + 1, end);
  cursor.nameStart = at;
  at = skipToken(bytes, at, end);
  if (at === cursor.nameStart) return ParamStep.Malformed;
  cursor.nameEnd = at;
  cursor.valueStart = cursor.valueEnd = -1;
  if (at < end && CLASS[bytes[at]!]! & WHITE) at = skipWhite(bytes, at, end);
  if (at < end && bytes[at] === EQUAL) {
    at = skipWhite(bytes, at + 1, end);
    cursor.valueStart = at;
    if (at < end && bytes[at] === DQUOTE) {
      at = skipQuoted(bytes, at, end);
      if (at < 0) return ParamStep.Malformed;
    } else {
      // Wider than the grammar's token or host, for values such as received=2001:db8::1 (RFC 5118 s4.5).
      while (at < end && !(CLASS[bytes[at]!]! & VALUE_END)) at++;
      if (at === cursor.valueStart) return ParamStep.Malformed;
    }
    cursor.valueEnd = at;
  }
  cursor.at = at;
  return ParamStep.Found;
}
