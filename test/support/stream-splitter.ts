/**
 * Cuts what a stream brought into SIP messages: the tests' own way, written apart from the server's. Line ends between
 * messages are counted, not kept.
 */
import { textOf } from "./sip-text.ts";

export class StreamSplitter {
  /** Double and single CRLFs between messages: each CRLF counts once, so a pong is one. */
  lineEnds = 0;
  #rest = new Uint8Array(0);

  /** @returns the messages that are complete now. @throws Error for a head without Content-Length */
  push(octets: Uint8Array): Uint8Array[] {
    const joined = new Uint8Array(this.#rest.length + octets.length);
    joined.set(this.#rest);
    joined.set(octets, this.#rest.length);
    const text = textOf(joined);
    const messages: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      while (text.startsWith("\r\n", at)) {
        at += 2;
        this.lineEnds++;
      }
      const headEnd = text.indexOf("\r\n\r\n", at);
      if (headEnd < 0) break;
      const length = /^(?:Content-Length|l)[ \t]*:[ \t]*(\d+)[ \t]*$/im.exec(
        text.slice(at, headEnd).replace(/\r/g, ""),
      );
      if (length === null) throw new Error(`No Content-Length: ${JSON.stringify(text.slice(at, headEnd))}`);
      const end = headEnd + 4 + Number(length[1]);
      if (end > text.length) break;
      messages.push(joined.slice(at, end));
      at = end;
    }
    this.#rest = joined.slice(at);
    return messages;
  }

  /** What has come of a message that is not complete. */
  get rest(): string {
    return textOf(this.#rest);
  }
}
