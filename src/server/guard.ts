/**
 * Has whoever sends a request prove who it is before a handler sees it (RFC 3261 s22). A request in a dialog is taken as it
 * is: its dialog was begun by somebody who did. ACK and CANCEL, which nobody can send again with credentials (s22.1), never
 * come to handlers.
 *
 *     const auth = digest({ realm: "example.com", users: { alice: "secret" } });
 *     const server = await serve({ plugins: [guard(auth)], invite: (call) => call.answer(sdp) });
 */
import type { Role } from "../auth/challenge.ts";
import type { Digest } from "../auth/digest.ts";
import type { Verdict } from "../auth/digest-options.ts";
import { type FoundUser, isPromise } from "../auth/users.ts";
import { Call } from "./call.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { Handlers } from "./options.ts";
import type { Plugin } from "./plugin.ts";

export interface GuardOptions {
  /** Who asks: a `uas` answers 401, a `proxy` 407. Default `uas`. */
  readonly role?: Role;
  /**
   * Methods that anybody may send. Default OPTIONS, by which servers are watched, and REGISTER, for which `registrar()` asks
   * by itself.
   */
  readonly open?: readonly string[];
}

/** What of the handlers is called with a request. */
type HandlerName = {
  [K in keyof Handlers]-?: NonNullable<Handlers[K]> extends (request: never) => unknown ? K : never;
}[keyof Handlers];

/** Each of them: the type lets none be forgotten here, which would stand open. */
const HANDLERS: Readonly<Record<HandlerName, true>> = {
  invite: true,
  options: true,
  register: true,
  message: true,
  info: true,
  update: true,
  subscribe: true,
  notify: true,
  publish: true,
  refer: true,
  prack: true,
  request: true,
};

type AnyHandler = (request: IncomingRequest) => unknown;

/** A plugin that guards every handler, those of other plugins too. It belongs first in the list. */
export function guard(auth: Digest, { role = "uas", open = ["OPTIONS", "REGISTER"] }: GuardOptions = {}): Plugin {
  const isOpen = new Set(open);

  function guarded(handler: AnyHandler): AnyHandler {
    return (request) => {
      if (request.isInDialog || isOpen.has(request.method)) return handler(request);
      const user = authenticate(request, auth, role);
      if (isPromise(user)) return user.then((found) => (found === null ? undefined : handler(request)));
      return user === null ? undefined : handler(request);
    };
  }

  return {
    handlers: {},
    wrap(handlers) {
      const wrapped: Record<string, unknown> = { ...handlers };
      for (const key of Object.keys(HANDLERS) as HandlerName[]) {
        const handler = handlers[key] as AnyHandler | undefined;
        // What is open stays as it is: a REGISTER is taken as it comes.
        if (handler !== undefined && !isOpen.has(key.toUpperCase())) wrapped[key] = guarded(handler);
      }
      return wrapped as Handlers;
    },
  };
}

/**
 * Has the sender of one request prove who it is. A request that does not is answered here, at once or after a while: 401 or
 * 407 with challenges, 400, 403 after too many failures, or 503 when its user is not found in time. One that does has its
 * `user`, and its 2xx Authentication-Info.
 *
 *     async message(request) {
 *       const user = await authenticate(request, auth);
 *       if (user !== null) request.reply(200);
 *     }
 *
 * @returns who it is; null: the request is no more the caller's affair, or was cancelled meanwhile. At once where users are
 *   found at once, else a promise, which is rejected as the source of the users fails
 * @throws CheckFailed when that source fails
 */
export function authenticate(
  request: IncomingRequest,
  auth: Digest,
  role: Role = "uas",
): FoundUser | null | Promise<FoundUser | null> {
  const verdict = request.check(auth, role);
  return isPromise(verdict) ? verdict.then((found) => judged(request, found)) : judged(request, verdict);
}

function judged(request: IncomingRequest, verdict: Verdict): FoundUser | null {
  if (!verdict.isAllowed) {
    request.replyLines(verdict, verdict.delay);
    return null;
  }
  if (request instanceof Call && request.isOver) return null;
  request.login = verdict;
  return verdict.user;
}
