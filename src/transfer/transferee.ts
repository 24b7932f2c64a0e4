/** Follows the REFERs that come in (RFC 3515 s2.4.2, s2.4.3): asks whether, places the call, tells what becomes of it. */
import type { Dialog } from "../dialog/dialog.ts";
import { utf8 } from "../message/bytes.ts";
import { NameAddr } from "../message/name-addr.ts";
import { isWithoutSubscription } from "../message/refer-to.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { CallFailed, CallOptions } from "../server/outgoing-call.ts";
import type { Host } from "../server/plugin.ts";
import { NO_REPORT, type ReferReport, ReferSubscription } from "./notifier.ts";
import type { TransferOptions } from "./options.ts";
import { canBeCalled, FORBIDDEN, type Verdict } from "./policy.ts";
import { type Reference, referenceOf, TAKEN_OVER } from "./reference.ts";
import type { ReferSubscriptions } from "./subscriptions.ts";

/** How long a REFER may wait for its verdict: it has to be answered before its sender gives up (RFC 4320 s4.2). */
const DECISION_MS = 5000;
const DEFAULT_CEILING = 1000;
/** How long a call is given to be answered unless said otherwise, in milliseconds, and what its end may take beyond. */
const CALL_MS = 180_000;
const MARGIN_S = 60;
const DECLINED = 603;

export class Transferee {
  readonly #host: Host;
  readonly #options: TransferOptions;
  readonly #subscriptions: ReferSubscriptions;
  #underWay = 0;

  constructor(host: Host, options: TransferOptions, subscriptions: ReferSubscriptions) {
    this.#host = host;
    this.#options = options;
    this.#subscriptions = subscriptions;
  }

  /** A REFER has come. */
  handle(request: IncomingRequest): void | Promise<void> {
    const { allow = canBeCalled, headers = TAKEN_OVER, ceiling = DEFAULT_CEILING } = this.#options;
    this.#subscriptions.note(request);
    const reference = referenceOf(request, this.#host.dialogs, headers);
    if ("status" in reference) {
      request.reply(reference.status, { reason: reference.reason });
      return;
    }
    // A 2xx makes a dialog here (s2.4.4), and its NOTIFYs have to go somewhere.
    if (!request.isInDialog && (request.contacts === null || request.contacts[0] instanceof NameAddr === false)) {
      request.reply(400, { reason: "Bad Contact" });
      return;
    }
    if (this.#underWay >= ceiling) {
      request.reply(503, { headers: { "Retry-After": "5" } });
      return;
    }
    const verdict = allow(request, reference);
    if (verdict instanceof Promise) return this.#await(request, reference, verdict);
    this.#decide(request, reference, verdict);
  }

  #decide(request: IncomingRequest, reference: Reference, verdict: Verdict): void {
    if (verdict !== true) {
      request.reply(verdict === false ? FORBIDDEN : verdict);
      return;
    }
    const before = reference.dialog;
    const options = this.#callOptions(request, reference);
    const report = this.#accept(request, lifetimeOf(options), false);
    if (report !== null) this.#follow(reference, before, options, report);
  }

  async #await(request: IncomingRequest, reference: Reference, verdict: Promise<Verdict>): Promise<void> {
    const { alarms, log } = this.#host;
    this.#underWay++;
    let alarm = -1;
    try {
      const late = new Promise<"late">((resolve) => {
        alarm = alarms.set(DECISION_MS, () => {
          alarm = -1;
          resolve("late");
        });
      });
      const first = await Promise.race([verdict, late]);
      if (first !== "late") {
        this.#decide(request, reference, first);
        return;
      }
      const before = reference.dialog;
      const report = this.#accept(request, lifetimeOf({}), true);
      if (report === null) return;
      const decided = await verdict.catch((error: unknown) => {
        log.error({ callId: request.callId, err: error }, "a policy for REFER failed");
        return 500;
      });
      if (decided !== true) {
        report.end(decided === false ? DECLINED : decided, undefined, "rejected");
        return;
      }
      try {
        const options = this.#callOptions(request, reference);
        if (report instanceof ReferSubscription) report.activate(lifetimeOf(options));
        this.#follow(reference, before, options, report);
      } catch (error) {
        report.end(500);
        throw error;
      }
    } finally {
      this.#underWay--;
      if (alarm >= 0) alarms.clear(alarm);
    }
  }

  /**
   * Answers 202.
   * @param seconds how long its subscription lasts at most
   * @returns whom to tell; null when nobody waits any more, or there was no room
   */
  #accept(request: IncomingRequest, seconds: number, isPending: boolean): ReferReport | null {
    if (isWithoutSubscription(request.message)) {
      const isSent = request.replyInDialog(202, { headers: { "Refer-Sub": "false" } });
      if (isSent) request.dialog?.refreshTarget(request.message);
      return isSent ? NO_REPORT : null;
    }
    return this.#subscriptions.accept(request, seconds, isPending);
  }

  #callOptions(request: IncomingRequest, reference: Reference): CallOptions {
    const { dialog } = reference;
    const { offer = lastDescription, call } = this.#options;
    const given = call?.(dialog, reference) ?? {};
    return {
      // RFC 3892 s2.2: the target is told who was referred by the name that the referrer knows.
      from: plain(request.to),
      handlers: (dialog?.handlers as CallOptions["handlers"]) ?? undefined,
      ...given,
      sdp: offer(dialog, reference),
      headers: { ...reference.headers, ...given.headers },
    };
  }

  #follow(reference: Reference, before: Dialog | null, options: CallOptions, report: ReferReport): void {
    this.#underWay++;
    this.#contact(reference, before, options, report)
      .catch((error: unknown) => {
        // A URI or header that cannot stand in a request.
        this.#host.log.info({ target: String(reference.uri), err: error }, "a reference could not be followed");
        report.end(400);
      })
      .finally(() => this.#underWay--);
  }

  /** Contacts what is referred to (s2.4.3), and tells what comes of it. */
  async #contact(
    reference: Reference,
    before: Dialog | null,
    options: CallOptions,
    report: ReferReport,
  ): Promise<void> {
    const { client, log } = this.#host;
    const { uri, method } = reference;
    if (method !== "INVITE") {
      const { from, route, headers } = options;
      const outcome = client.request(method, uri, { from, route, headers });
      const { status, reason } = await outcome.catch(ofFailure);
      report.end(status, reason);
      return;
    }
    const call = client.call(uri, {
      ...options,
      progress(response, dialog) {
        report.tell(response.status, response.reason);
        options.progress?.(response, dialog);
      },
    });
    let dialog: Dialog;
    try {
      dialog = await call.answered;
    } catch (error) {
      const { status, reason } = ofFailure(error);
      report.end(status, reason);
      return;
    }
    dialog.data ??= before?.data;
    report.end(dialog.origin.status, dialog.origin.reason);
    try {
      this.#options.transferred?.(dialog, before, reference);
    } catch (error) {
      log.error({ callId: dialog.callId, err: error }, "a handler failed");
    }
  }
}

/** How long the subscription lasts for a call that is placed so, in seconds: longer than the call may take (s3.4). */
function lifetimeOf({ timeout = CALL_MS }: CallOptions): number {
  return Math.ceil(timeout / 1000) + MARGIN_S;
}

/**
 * What this end has described of itself last in a dialog, in both directions: a peer that refers has put it on hold
 * before, and that was between the two of them (RFC 5589 s5).
 */
function lastDescription(dialog: Dialog | null): string | undefined {
  const last = dialog?.session.local ?? null;
  if (last === null) return undefined;
  return utf8(last, 0, last.length).replace(/^a=(sendonly|recvonly|inactive)[ \t]*\r?\n/gim, "");
}

/** An address without its tag, on one line. */
function plain({ displayName, uriText }: NameAddr): string {
  return new NameAddr(displayName.replace(/[\r\n\t ]+/g, " "), uriText, new Map()).toString();
}

/** The status that stands for a call or request that came to nothing: the response's, where one came. */
function ofFailure(error: unknown): { status: number; reason: string | undefined } {
  const { status, response } = error as Partial<CallFailed>;
  if (status === undefined) throw error;
  return { status, reason: response?.reason };
}
