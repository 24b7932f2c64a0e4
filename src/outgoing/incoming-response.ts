/** A response to a request of ours, as its sender sees it. */
import type { Message } from "../message/message.ts";
import { type BodyPart, partsOf } from "../message/multipart.ts";

/** Its octets are decoded when they are asked for. */
export class IncomingResponse {
  /** The message itself, for what has no getter here. */
  readonly message: Message;

  constructor(message: Message) {
    this.message = message;
  }

  /** 200 to 699. */
  get status(): number {
    return this.message.status;
  }

  get reason(): string {
    return this.message.reason;
  }

  /** The value of the first header field of this name, in any case, long or compact. */
  header(name: string): string | undefined {
    return this.message.header(name);
  }

  /** The values of all header fields of this name, one a line. */
  headers(name: string): string[] {
    return this.message.headers(name);
  }

  /** The body's octets; empty when there is none. */
  get body(): Uint8Array {
    return this.message.body;
  }

  /** The parts of a multipart body, or the body as its only part (RFC 5621); null when it is a malformed multipart. */
  get parts(): BodyPart[] | null {
    return partsOf(this.message);
  }
}
