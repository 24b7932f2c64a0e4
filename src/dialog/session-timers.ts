/**
 * The timers of sessions that stand (RFC 4028 s10): refreshes at half time where that is this end's part, and hangs up a
 * session that nobody has refreshed.
 *
 *     2xx that agrees on a timer      half time       lead before the end      end of the session
 *     |------ this end refreshes -----|-- tries ------|
 *     |------ the peer refreshes ---------------------| BYE
 *
 * Whoever writes or reads a 2xx to an INVITE or UPDATE tells this object, whatever the request was for: each of them is
 * a refresh.
 */
import { ascii } from "../message/bytes.ts";
import { hasToken } from "../message/has-token.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import { retryAfterOf } from "../message/retry-after.ts";
import type { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { Alarms } from "../time/alarms.ts";
import { type Dialog, DialogState } from "./dialog.ts";
import {
  agreedTimer,
  answerTimer,
  firstOffer,
  leadOf,
  raisedOffer,
  readTimer,
  refreshOffer,
  screenTimer,
  type TimerAnswer,
  type TimerOffer,
  type TimerPolicy,
  type TimerRefusal,
  type TimerState,
} from "./session-timer.ts";

/** Counts kept since the start. */
export class SessionTimerCounters {
  /** Requests sent to refresh a session, tries after a refusal included. */
  refreshes = 0;
  /** Sessions hung up as nobody had refreshed them. */
  lapsed = 0;
}

export interface SessionTimersOptions {
  readonly policy: TimerPolicy;
  readonly alarms: Alarms;
  /** The time by the wheel, in milliseconds. */
  readonly now: () => number;
  /** What this end described last in a dialog, octet for octet: a re-INVITE says it again (s7.4). Null where nothing is known. */
  readonly description: (dialog: Dialog) => Uint8Array | null;
  /** The session has not been refreshed: hangs up. */
  readonly lapse: (dialog: Dialog) => void;
}

/** How often one refresh is tried; a glare that is waited out counts as one try. */
const TRIES = 4;
const METHOD_NOT_ALLOWED = 405;
const NOT_IMPLEMENTED = 501;
const UPDATE = ascii("update");

class Timed implements TimerState {
  readonly dialog: Dialog;
  /** In seconds; 0 while there is no timer. */
  interval = 0;
  isRefresher = false;
  /** Whether the other side has agreed to the timer; else it is this side's alone. */
  isAgreed = false;
  /** The largest Min-SE that was named in the dialog; 0 for none. */
  minSE = 0;
  /** Whether the peer has said that it takes UPDATE. */
  takesUpdate = false;
  /** When it is hung up if nobody refreshes it, in milliseconds. */
  lapsesAt = 0;
  /** Counts agreements: what comes of a request sent before the last one says nothing any more. */
  turn = 0;
  tries = 0;
  alarm = -1;

  constructor(dialog: Dialog) {
    this.dialog = dialog;
  }
}

export class SessionTimers {
  readonly counters = new SessionTimerCounters();
  readonly #options: SessionTimersOptions;
  readonly #sessions = new Map<Dialog, Timed>();

  constructor(options: SessionTimersOptions) {
    this.#options = options;
  }

  /** Sessions that expire. */
  get size(): number {
    let count = 0;
    for (const { interval } of this.#sessions.values()) if (interval > 0) count++;
    return count;
  }

  /** The timer of a dialog's session; null when it does not expire. */
  stateOf(dialog: Dialog): TimerState | null {
    const session = this.#sessions.get(dialog);
    return session === undefined || session.interval === 0 ? null : session;
  }

  // ---- requests that come

  /** Looks at an INVITE or UPDATE before anybody else does. @returns why it is refused, or null */
  screen(message: Message): TimerRefusal | null {
    return screenTimer(message, this.#options.policy);
  }

  /** What the 2xx to an INVITE or UPDATE says; null for nothing. An early dialog's session has not begun. */
  answerFor(dialog: Dialog, message: Message): TimerAnswer | null {
    if (message.method === Method.UPDATE && dialog.state !== DialogState.Confirmed) return null;
    return answerTimer(message, this.#options.policy, this.stateOf(dialog));
  }

  /** That 2xx has been sent. @param message the request */
  answered(dialog: Dialog, message: Message, answer: TimerAnswer | null): void {
    const fields = readTimer(message);
    const minSE = typeof fields === "string" ? 0 : fields.minSE;
    if (answer === null && minSE === 0 && this.#sessions.size === 0) return;
    const session = this.#sessionOf(dialog, answer !== null || minSE > 0);
    if (session === null) return;
    session.minSE = Math.max(session.minSE, minSE);
    noteUpdate(session, message);
    if (answer === null) this.#stop(session);
    else this.#begin(session, answer.interval, answer.refresher === "uas", true);
  }

  // ---- requests of ours

  /** What an INVITE or UPDATE of ours says. @param dialog null for the INVITE that makes one */
  offerFor(dialog: Dialog | null): TimerOffer {
    if (dialog === null) return firstOffer(this.#options.policy);
    return refreshOffer(this.stateOf(dialog), this.#sessions.get(dialog)?.minSE);
  }

  /** What it says after a 422; null when it is not worth another try. */
  raised(dialog: Dialog | null, offer: TimerOffer, refusal: Message): TimerOffer | null {
    const next = raisedOffer(offer, refusal);
    const session = dialog === null ? undefined : this.#sessions.get(dialog);
    if (next !== null && session !== undefined) session.minSE = next.minSE;
    return next;
  }

  /** A 2xx to it has come, for the first time. @param success kept or not: it is only read */
  accepted(dialog: Dialog, success: Message, offer: TimerOffer): void {
    if (dialog.state !== DialogState.Confirmed) return;
    const agreement = agreedTimer(success, offer);
    const session = this.#sessionOf(dialog, agreement !== null);
    if (session === null) return;
    noteUpdate(session, success);
    if (agreement === null) this.#stop(session);
    else this.#begin(session, agreement.interval, agreement.refresher === "uac", agreement.isAgreed);
  }

  // ---- the end

  /** A dialog is over. */
  ended(dialog: Dialog): void {
    if (this.#sessions.size === 0) return;
    const session = this.#sessions.get(dialog);
    if (session === undefined) return;
    this.#disarm(session);
    this.#sessions.delete(dialog);
  }

  // ----

  #sessionOf(dialog: Dialog, isWanted: boolean): Timed | null {
    const known = this.#sessions.get(dialog);
    if (known !== undefined || !isWanted || dialog.isTerminated) return known ?? null;
    const session = new Timed(dialog);
    this.#sessions.set(dialog, session);
    return session;
  }

  #begin(session: Timed, interval: number, isRefresher: boolean, isAgreed: boolean): void {
    session.interval = interval;
    session.isRefresher = isRefresher;
    session.isAgreed = isAgreed;
    session.tries = TRIES;
    session.turn++;
    const now = this.#options.now();
    session.lapsesAt = now + (interval - leadOf(interval)) * 1000;
    if (isRefresher) this.#at(session, now + interval * 500, () => this.#refresh(session));
    else this.#awaitEnd(session);
  }

  #stop(session: Timed): void {
    this.#disarm(session);
    session.interval = 0;
    session.turn++;
  }

  #awaitEnd(session: Timed): void {
    this.#at(session, session.lapsesAt, () => this.#lapse(session));
  }

  #lapse(session: Timed): void {
    this.counters.lapsed++;
    this.#options.lapse(session.dialog);
  }

  async #refresh(session: Timed): Promise<void> {
    this.#awaitEnd(session);
    const { dialog, turn } = session;
    session.tries--;
    this.counters.refreshes++;
    const response = await this.#send(session, dialog).catch(() => null);
    // Refreshed, by this request or another, or over.
    if (session.turn !== turn || this.#sessions.get(dialog) !== session || dialog.isTerminated) return;
    if (response === null) this.#tryLater(session, null);
    else this.#refused(session, response);
  }

  /** UPDATE without an offer where the peer takes it, and where there is nothing to offer again (s7.4). */
  async #send(session: Timed, dialog: Dialog): Promise<IncomingResponse> {
    const description = session.takesUpdate ? null : this.#options.description(dialog);
    return description === null ? dialog.update() : dialog.invite(description);
  }

  #refused(session: Timed, { status, message }: IncomingResponse): void {
    if (!session.isAgreed) {
      // The timer is ours alone, to see whether the peer is still there: it is.
      this.#begin(session, session.interval, true, false);
    } else if (session.takesUpdate && (status === METHOD_NOT_ALLOWED || status === NOT_IMPLEMENTED)) {
      session.takesUpdate = false;
      void this.#refresh(session);
    } else this.#tryLater(session, retryAfterOf(message) ?? null);
  }

  /** Tries again while there is time: the session's end stays where it is (s10). @param wanted milliseconds; null for any */
  #tryLater(session: Timed, wanted: number | null): void {
    const now = this.#options.now();
    const left = session.lapsesAt - now;
    const delay = wanted ?? left / 2;
    if (session.tries > 0 && delay < left) this.#at(session, now + delay, () => this.#refresh(session));
  }

  /** Does one thing with a session at a time; any other is forgotten. */
  #at(session: Timed, due: number, what: () => void): void {
    this.#disarm(session);
    session.alarm = this.#options.alarms.set(due - this.#options.now(), () => {
      session.alarm = -1;
      // What lies further ahead than the wheel reaches comes here early.
      if (this.#options.now() < due) this.#at(session, due, what);
      else what();
    });
  }

  #disarm(session: Timed): void {
    if (session.alarm >= 0) this.#options.alarms.clear(session.alarm);
    session.alarm = -1;
  }
}

/** A request or 2xx of the peer's tells whether it takes UPDATE; one without Allow says nothing. */
function noteUpdate(session: Timed, message: Message): void {
  if (message.isRequest && message.method === Method.UPDATE) session.takesUpdate = true;
  else if (message.first(Header.Allow) !== 0) session.takesUpdate = hasToken(message, Header.Allow, UPDATE);
}
