/** Text from the network or from files, made safe to print on one line. */

/** Controls, and the characters that a terminal or a log reader may take for a line's end or for a change of direction. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** `text` with each unsafe character as `\xNN` or `\u{NNNN}`, so that it can neither break a line nor move a cursor. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}
