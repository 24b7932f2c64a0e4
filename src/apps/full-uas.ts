/**
 * `full-uas`: answers every call, for those who test what stands before it. 100, 180 and 200 with an SDP answer; BYE,
 * CANCEL, OPTIONS and re-INVITE as a phone would.
 *
 * No media is sent or received: the answer names the discard port (RFC 863) of the address the caller reached us at.
 */

import type { TimerPolicy } from "../dialog/session-timer.ts";
import { DialogPackage } from "../events/dialog-info.ts";
import { events } from "../events/events.ts";
import { messageSummary } from "../events/message-summary.ts";
import { presence } from "../events/presence.ts";
import { mismatch, mismatchText, NO_ANSWER, writeAnswer, writeOffer } from "../sdp/answer.ts";
import { faultText } from "../sdp/fault.ts";
import { LocalMedia } from "../sdp/local.ts";
import { SdpScan } from "../sdp/scan.ts";
import type { Call, DialogHandlers } from "../server/call.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Handlers, ServeOptions } from "../server/options.ts";
import type { Plugin } from "../server/plugin.ts";
import { canBeCalled } from "../transfer/policy.ts";
import { transfers } from "../transfer/transfers.ts";

export interface FullUasSettings {
  /** Milliseconds between 180 and the final response. Default 0. */
  ringTime?: number;
  /** The final response: 200, or 300 to 699 to refuse every call. Default 200. */
  finalStatus?: number;
  /** Whether MESSAGE and INFO are answered 200 (RFC 3428, RFC 6086); 405 else. Default true. */
  messages?: boolean;
  /** Whether provisional responses are reliable for callers that require it (RFC 3262); such calls get 420 else. Default true. */
  prack?: boolean;
  /** Session timers (RFC 4028); false for none. Default 1,800 s, at least 90. */
  sessionTimers?: Partial<TimerPolicy> | false;
  /** Whether SUBSCRIBE and PUBLISH are taken, for calls, presence and mailboxes (RFC 6665, RFC 3903). Default true. */
  subscriptions?: boolean;
  /** Whether calls can be transferred, by REFER in them and by Replaces (RFC 3515, RFC 3891). Default true. */
  refer?: boolean;
}

/** What the mode gives to `serve()`. */
export type FullUas = Handlers & Pick<ServeOptions, "plugins" | "sessionTimers">;

/** An answer is as long as its offer and a few lines more. */
const ROOM = 128 * 1024;

/** What was described to the peer, kept with the dialog: the origin of our descriptions (RFC 3264 s8). */
interface Session {
  id: number;
  version: number;
}

/** The handlers of the mode, with the parts of the server that they want. */
export function fullUas(settings: FullUasSettings = {}): FullUas {
  const { ringTime = 0, finalStatus = 200, messages = true, prack = true } = settings;
  const scan = new SdpScan();
  const room = new Uint8Array(ROOM);
  const locals = new Map<string, LocalMedia>();
  // Session ids count up from the time of the start, as RFC 8866 s5.2 has it; one a call.
  let nextId = Math.floor(Date.now() / 1000) * 1000;

  /** The description of this end for a caller; written into `room`. @returns it, or null: the call was refused */
  function describe(request: IncomingRequest, session: Session): Uint8Array | null {
    const local = localFor(request, locals);
    local.sessionId = session.id;
    local.version = session.version;
    const { bytes, bodyStart, bodyEnd } = request.message;
    let end: number;
    if (bodyStart === bodyEnd) end = writeOffer(room, 0, local);
    else {
      scan.scan(bytes, bodyStart, bodyEnd);
      end = writeAnswer(scan, room, 0, local);
    }
    if (end >= 0) return room.subarray(0, end);
    if (end === NO_ANSWER.NO_COMMON_CODEC) {
      const code = mismatch(scan);
      request.reply(488, { headers: { Warning: `${code} ${request.localHost} "${mismatchText(code)}"` } });
    } else if (end === NO_ANSWER.MALFORMED) request.reply(400, { reason: `Bad SDP: ${faultText(scan.fault)}` });
    else request.reply(413);
    return null;
  }

  function finish(call: Call, session: Session): void {
    if (call.isOver) return;
    const body = describe(call, session);
    if (body === null) return;
    void call.answer(body, inDialog);
    call.dialog!.data = session;
  }

  const inDialog: DialogHandlers = {
    invite(call) {
      const { id, version } = call.dialog!.data as Session;
      finish(call, { id, version: version + 1 });
    },
    update(request, dialog) {
      if (request.body.length === 0) return request.reply(200);
      const { id, version } = dialog.data as Session;
      const session = { id, version: version + 1 };
      const body = describe(request, session);
      if (body !== null && request.reply(200, { body })) dialog.data = session;
    },
  };

  return {
    plugins: pluginsOf(settings),
    sessionTimers: settings.sessionTimers,
    reliableProvisional: prack ? "required-only" : "off",
    ...(messages ? { message: taken, info: taken } : {}),
    invite(call) {
      // The answer would be SDP: a caller that does not take it is told so (RFC 3261 s21.4.7).
      if (!call.accepts("application", "sdp")) {
        call.reject(406, { headers: { Warning: `399 ${call.localHost} "Only application/sdp is spoken here"` } });
        return;
      }
      call.trying();
      call.ring();
      const session = { id: nextId++, version: 0 };
      // The promise is handed back, so that a fault after the ringing is answered like one before it.
      return ringTime > 0 ? Bun.sleep(ringTime).then(final) : final();

      function final(): void {
        if (finalStatus === 200) finish(call, session);
        else call.reject(finalStatus);
      }
    },
  };
}

function pluginsOf({ subscriptions = true, refer = true }: FullUasSettings): Plugin[] {
  const plugins: Plugin[] = [];
  if (subscriptions) plugins.push(events({ packages: [new DialogPackage(), presence(), messageSummary()] }));
  // A REFER outside a dialog would let anybody have this server call.
  if (refer)
    plugins.push(
      transfers({ allow: (request, reference) => reference.dialog !== null && canBeCalled(request, reference) }),
    );
  return plugins;
}

function taken(request: IncomingRequest): void {
  // RFC 6086 s4.2.2: no package was offered.
  if (request.method === "INFO" && request.header("Info-Package") !== undefined) {
    request.reply(469, { headers: { "Recv-Info": "" } });
  } else request.reply(200);
}

function localFor(request: IncomingRequest, locals: Map<string, LocalMedia>): LocalMedia {
  const host = request.localHost;
  let local = locals.get(host);
  if (local === undefined) {
    local = new LocalMedia({ address: host });
    locals.set(host, local);
  }
  return local;
}
