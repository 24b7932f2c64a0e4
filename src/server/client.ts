/** What a user of the library sends: requests outside dialogs, and calls. */
import { ascii, CLASS, TOKEN } from "../message/bytes.ts";
import type { Uri } from "../message/uri.ts";
import type { Composer, RequestOptions } from "../outgoing/composer.ts";
import { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { UasCore } from "./core.ts";
import { type CallOptions, OutgoingCall } from "./outgoing-call.ts";

/** Methods that are no request by themselves: they make a call, or belong to one. */
const OF_CALLS = new Set(["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"]);

export class Client {
  readonly #core: UasCore;
  readonly #composer: Composer;

  constructor(core: UasCore, composer: Composer) {
    this.#core = core;
    this.#composer = composer;
  }

  /** See `Server.request`. */
  request(method: string, uri: string | Uri, options: RequestOptions = {}): Promise<IncomingResponse> {
    checkMethod(method);
    const { draft, hop } = this.#composer.compose(method, uri, options);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingResponse>();
    this.#core.sender.send(draft, hop, null, {
      response(message) {
        if (message.status >= 200) resolve(new IncomingResponse(message.keep()));
      },
      failed: reject,
    });
    return promise;
  }

  /** See `Server.call`. */
  call(uri: string | Uri, options: CallOptions = {}): OutgoingCall {
    return new OutgoingCall(this.#core, this.#composer, uri, options);
  }
}

function checkMethod(method: string): void {
  if (OF_CALLS.has(method)) throw new TypeError(`${method} belongs to a call`);
  const isToken = method !== "" && ascii(method).every((c) => CLASS[c]! & TOKEN);
  if (!isToken) throw new TypeError(`Not a method: ${JSON.stringify(method)}`);
}
