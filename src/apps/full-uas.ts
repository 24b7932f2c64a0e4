/**
 * `full-uas`: answers every call, for those who test what stands before it. 100, 180 and 200 with an SDP answer; BYE,
 * CANCEL, OPTIONS and re-INVITE as a phone would.
 *
 * No media is sent or received: the answer names the discard port (RFC 863) of the address the caller reached us at.
 */

import { mismatch, mismatchText, NO_ANSWER, writeAnswer, writeOffer } from "../sdp/answer.ts";
import { faultText } from "../sdp/fault.ts";
import { LocalMedia } from "../sdp/local.ts";
import { SdpScan } from "../sdp/scan.ts";
import type { Call, DialogHandlers } from "../server/call.ts";
import type { Handlers } from "../server/options.ts";

export interface FullUasSettings {
  /** Milliseconds between 180 and the final response. Default 0. */
  ringTime?: number;
  /** The final response: 200, or 300 to 699 to refuse every call. Default 200. */
  finalStatus?: number;
}

/** An answer is as long as its offer and a few lines more. */
const ROOM = 128 * 1024;

/** What was described to the peer, kept with the dialog: the origin of our descriptions (RFC 3264 s8). */
interface Session {
  id: number;
  version: number;
}

/** The handlers of the mode. */
export function fullUas({ ringTime = 0, finalStatus = 200 }: FullUasSettings = {}): Handlers {
  const scan = new SdpScan();
  const room = new Uint8Array(ROOM);
  const locals = new Map<string, LocalMedia>();
  // Session ids count up from the time of the start, as RFC 8866 s5.2 has it; one a call.
  let nextId = Math.floor(Date.now() / 1000) * 1000;

  /** The description of this end for a caller; written into `room`. @returns it, or null: the call was refused */
  function describe(call: Call, session: Session): Uint8Array | null {
    const local = localFor(call, locals);
    local.sessionId = session.id;
    local.version = session.version;
    const { bytes, bodyStart, bodyEnd } = call.message;
    let end: number;
    if (bodyStart === bodyEnd) end = writeOffer(room, 0, local);
    else {
      scan.scan(bytes, bodyStart, bodyEnd);
      end = writeAnswer(scan, room, 0, local);
    }
    if (end >= 0) return room.subarray(0, end);
    if (end === NO_ANSWER.NO_COMMON_CODEC) {
      const code = mismatch(scan);
      call.reject(488, { headers: { Warning: `${code} ${call.localHost} "${mismatchText(code)}"` } });
    } else if (end === NO_ANSWER.MALFORMED) call.reject(400, { reason: `Bad SDP: ${faultText(scan.fault)}` });
    else call.reject(413);
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
  };

  return {
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

function localFor(call: Call, locals: Map<string, LocalMedia>): LocalMedia {
  const host = call.localHost;
  let local = locals.get(host);
  if (local === undefined) {
    local = new LocalMedia({ address: host });
    locals.set(host, local);
  }
  return local;
}
