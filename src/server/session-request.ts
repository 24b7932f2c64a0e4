/** A request in a dialog that may carry an offer, PRACK or UPDATE: what answers it is an answer to that, too. */
import { type Exchange, ownDescription } from "../dialog/offer-answer.ts";
import { IncomingRequest, type ReplyOptions } from "./incoming-request.ts";

export class SessionRequest extends IncomingRequest {
  /** Called once, when the request is over: it was answered, or never will be. */
  onOver: () => void = () => {};
  #isOver = false;

  override reply(status: number, options: ReplyOptions = {}): boolean {
    // RFC 3311 s5.2: a 2xx to UPDATE refreshes the target, as its request does.
    if (this.method === "UPDATE" && status >= 200 && status < 300) return this.replyInDialog(status, options);
    return this.#said(status, options, super.reply(status, options));
  }

  override replyInDialog(status: number, options: ReplyOptions = {}): boolean {
    return this.#said(status, options, super.replyInDialog(status, options));
  }

  /** No answer will come; told by the core. */
  onUnanswered(): void {
    this.#end(500, null);
  }

  #said(status: number, options: ReplyOptions, isSent: boolean): boolean {
    if (isSent && status >= 200) this.#end(status, ownDescription(options));
    return isSent;
  }

  #end(status: number, description: Uint8Array | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const exchange = this.method as Exchange;
    const dialog = this.dialog!;
    const { session } = dialog;
    if (status >= 300) session.end(exchange, "failed");
    else {
      session.say(exchange, "local", description);
      if (exchange === "UPDATE") dialog.refreshTarget(this.message);
    }
    this.onOver();
  }
}
