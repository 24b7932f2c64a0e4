/** What a user of the library sends: requests outside dialogs, and calls. */
import { ascii, CLASS, TOKEN } from "../message/bytes.ts";
import type { Message } from "../message/message.ts";
import type { Uri } from "../message/uri.ts";
import { scopeOf } from "../outgoing/challenge-scope.ts";
import type { Composer, RequestOptions } from "../outgoing/composer.ts";
import { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { RequestContext } from "../outgoing/request-context.ts";
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
    const { draft, hop, flow } = this.#composer.compose(method, uri, options);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingResponse>();
    const user = {
      response(message: Message) {
        if (message.status >= 200) resolve(new IncomingResponse(message.keep()));
      },
      failed: reject,
    };
    this.#core.sender.send(draft, hop, flow, user, contextOf(options));
    return promise;
  }

  /** See `Server.call`. */
  call(uri: string | Uri, options: CallOptions = {}): OutgoingCall {
    return new OutgoingCall(this.#core, this.#composer, uri, options);
  }
}

/** Of a request with credentials of its own. */
function contextOf({ credentials }: RequestOptions): RequestContext | null {
  const challenges = scopeOf({ credentials });
  return challenges === null ? null : { near: null, challenges, isAlive: true, nextCSeq: (last) => last + 1 };
}

function checkMethod(method: string): void {
  if (OF_CALLS.has(method)) throw new TypeError(`${method} belongs to a call`);
  const isToken = method !== "" && ascii(method).every((c) => CLASS[c]! & TOKEN);
  if (!isToken) throw new TypeError(`Not a method: ${JSON.stringify(method)}`);
}
