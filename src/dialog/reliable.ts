/**
 * The reliable provisional responses to one INVITE, on the side that sends them (RFC 3262 s3).
 *
 * One at a time: the next one waits for the PRACK of the one before. Each is sent again at T1, doubling without a limit,
 * until its PRACK comes; after 64*T1 the INVITE is to be refused. This is not the transaction's work: it sends the last
 * provisional response again only when the INVITE comes again.
 */
import type { Alarms } from "../time/alarms.ts";
import type { Timers } from "../transaction/timers.ts";
import type { RAck } from "./rack.ts";

/** A response that is sent or waits to be. */
export interface ReliableResponse {
  /** Whether it carries a session description: a 2xx must not overtake it then (s5). */
  readonly hasDescription: boolean;
}

/** Who writes them, and is told. */
export interface ReliableUser<T extends ReliableResponse> {
  /** Sends a response for the first time. */
  send(response: T, rseq: number): void;
  /** Sends the one sent last again, octet for octet. */
  again(): void;
  /** All have been acknowledged. */
  drained(): void;
  /** No PRACK came in 64*T1. */
  lapsed(): void;
}

/** What whoever takes the PRACK knows of them. */
export interface AwaitsPrack {
  /** Whether nothing waits for a PRACK. */
  readonly isIdle: boolean;
  /**
   * A PRACK came. When it matches, call {@link release} once it is answered.
   * @returns whether it matches the response that waits for one; s3 wants 481 for any other
   */
  acknowledge(rack: RAck): boolean;
  /** The PRACK is answered: the next response goes out. */
  release(): void;
}

export class ReliableProvisionals<T extends ReliableResponse> implements AwaitsPrack {
  readonly #alarms: Alarms;
  readonly #timers: Timers;
  readonly #cseq: number;
  readonly #user: ReliableUser<T>;
  #rseq: number;
  /** The one that waits for its PRACK. */
  #sent: T | null = null;
  #waiting: T[] = [];
  #alarm = -1;
  #interval = 0;
  #elapsed = 0;
  /** Whether a PRACK is being answered: what it lets go waits for that. */
  #isAnswering = false;
  #isStopped = false;

  /**
   * @param cseq the INVITE's
   * @param first the first RSeq, 1 to 2^31 - 1
   */
  constructor(alarms: Alarms, timers: Timers, cseq: number, first: number, user: ReliableUser<T>) {
    this.#alarms = alarms;
    this.#timers = timers;
    this.#cseq = cseq;
    this.#rseq = first - 1;
    this.#user = user;
  }

  /** Sends a response once those before it have been acknowledged. */
  add(response: T): void {
    if (this.#isStopped) return;
    if (this.#sent === null && !this.#isAnswering) this.#send(response);
    else this.#waiting.push(response);
  }

  get isIdle(): boolean {
    return this.#sent === null && this.#waiting.length === 0 && !this.#isAnswering;
  }

  /** Whether one that carries a session description was sent or is to be, and not acknowledged yet. */
  get holdsAnswer(): boolean {
    return this.#sent?.hasDescription || this.#isAnswering || this.#waiting.some((one) => one.hasDescription);
  }

  /** Whether the first description is still to be sent. */
  get hasDescriptionWaiting(): boolean {
    return this.#waiting.some((one) => one.hasDescription);
  }

  acknowledge({ rseq, cseq, method }: RAck): boolean {
    if (this.#sent === null || rseq !== this.#rseq || cseq !== this.#cseq || method !== "INVITE") return false;
    this.#sent = null;
    this.#silence();
    this.#isAnswering = true;
    return true;
  }

  release(): void {
    if (!this.#isAnswering) return;
    this.#isAnswering = false;
    if (this.#isStopped) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#send(next);
    else this.#user.drained();
  }

  /**
   * The final response is being sent, or never will be: no more is sent of these. The PRACK of the one sent last is still
   * taken (s3).
   * @returns whether it is to come
   */
  stop(): boolean {
    this.#isStopped = true;
    this.#waiting = [];
    this.#silence();
    return this.#sent !== null;
  }

  #send(response: T): void {
    this.#sent = response;
    this.#rseq++;
    this.#elapsed = 0;
    this.#interval = this.#timers.t1;
    this.#alarm = this.#alarms.set(this.#interval, () => this.#onAlarm());
    this.#user.send(response, this.#rseq);
  }

  #onAlarm(): void {
    this.#alarm = -1;
    const { transaction } = this.#timers;
    this.#elapsed += this.#interval;
    if (this.#elapsed >= transaction) {
      this.#user.lapsed();
      return;
    }
    this.#interval = Math.min(this.#interval * 2, transaction - this.#elapsed);
    this.#alarm = this.#alarms.set(this.#interval, () => this.#onAlarm());
    this.#user.again();
  }

  #silence(): void {
    if (this.#alarm >= 0) this.#alarms.clear(this.#alarm);
    this.#alarm = -1;
  }
}
