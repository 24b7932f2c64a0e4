/**
 * A closed loop of calls: `concurrency` calls are in flight, and as one ends the next starts in its slot.
 *
 * A call is INVITE -> (100, 180) -> 200 -> ACK and BYE at once -> 200. Over UDP requests go again by RFC 3261 timers A
 * and E; over all transports they fail after 64*T1 (timers B and F), as a real client's would: a server that loses
 * datagrams shows it in retransmissions and in time, not in a stuck benchmark.
 *
 * Calls go over lanes that stay open, or each over a connection of its own. A lane that is lost fails its calls and is
 * not opened again.
 */
import { build } from "hdr-histogram-js";
import type { TransportName } from "../../src/transport/kinds.ts";
import { type Lane, type LaneUser, reasonOf } from "./lane.ts";
import { LoopRun } from "./loop-run.ts";
import { ackFor, CallSlot, findToTag, KIND, type Response, readResponse, toTag } from "./messages.ts";
import { openLane } from "./open-lane.ts";
import { percentiles, type RunOptions, type RunResult } from "./run-result.ts";

/** RFC 3261 T1 and T2 in milliseconds, and the longest a transaction waits for its final response. */
const T1 = 500;
const T2 = 4000;
const GIVE_UP = 64 * T1;
/** A saturated Bun socket runs no timers, so the receive path looks at the clock once in this many messages. */
const MESSAGES_A_CHECK = 256;
/** Calls started at once while the loop fills, so that the first burst fits the server's receive buffer. */
const RAMP = 16;
/** Where a call on a connection of its own says it can be reached: discard, since nothing should come there. */
const NOWHERE = 9;

const IDLE = 0;
const CALLING = 1;
const PROCEEDING = 2;
const ENDING = 3;

export interface LoopOptions {
  readonly transport: TransportName;
  /** Host of the server: an IPv4 address. */
  readonly host: string;
  readonly port: number;
  /** Calls in flight, 1 to 9,999. */
  readonly concurrency: number;
  /** Sockets or connections that the calls are spread over. */
  readonly connections: number;
  /** Open a connection for each call instead, and close it behind the call. Default false; not for UDP. */
  readonly connectionPerCall?: boolean;
  /** WebSocket messages in binary frames; default in text frames. */
  readonly binaryFrames?: boolean;
}

/** Opens the lanes. Rejects when one of them cannot be opened. */
export async function openLoop(options: LoopOptions): Promise<ClosedLoop> {
  const loop = new ClosedLoop(options);
  await loop.open();
  return loop;
}

export class ClosedLoop {
  readonly #options: LoopOptions;
  readonly #isReliable: boolean;
  readonly #lanes: Lane[] = [];
  /** The lane of each slot; `undefined` when it was lost, or between two calls with a connection each. */
  readonly #laneOf: (Lane | undefined)[] = [];
  readonly #slots: CallSlot[] = [];
  readonly #state: Uint8Array;
  readonly #call: Uint32Array;
  readonly #started: Float64Array;
  readonly #requestSent: Float64Array;
  readonly #resendAt: Float64Array;
  readonly #interval: Float64Array;
  readonly #response: Response = { status: 0, kind: 0, slot: 0, call: 0 };
  readonly #answer = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  readonly #callTime = build({ highestTrackableValue: 120_000_000, numberOfSignificantValueDigits: 3 });
  #timer: Timer | undefined;
  #sinceCheck = 0;
  #lastCall = 0;

  // The run.
  #run: RunOptions = {};
  #course = new LoopRun(0, undefined);
  #finish: ((result: RunResult) => void) | undefined;
  #startsLeft = 0;
  #repeatedOk = 0;
  #nextReport = 0;

  constructor(options: LoopOptions) {
    const n = options.concurrency;
    if (!(n >= 1 && n <= 9999)) throw new RangeError(`concurrency ${n} is not in 1..9999`);
    this.#options = options;
    this.#isReliable = options.transport !== "udp";
    this.#state = new Uint8Array(n);
    this.#call = new Uint32Array(n);
    this.#started = new Float64Array(n);
    this.#requestSent = new Float64Array(n);
    this.#resendAt = new Float64Array(n);
    this.#interval = new Float64Array(n);
  }

  async open(): Promise<void> {
    const { host, port, transport, connections, connectionPerCall, concurrency } = this.#options;
    const count = connectionPerCall ? 0 : Math.min(connections, concurrency);
    for (let i = 0; i < count; i++) {
      const lane: Lane = openLane(
        this.#options,
        this.#user((why) => this.#lost(lane, why)),
      );
      this.#lanes.push(lane);
      await lane.ready;
    }
    const run = (process.pid * 1000 + (Date.now() % 1000)).toString(36);
    for (let slot = 0; slot < concurrency; slot++) {
      const lane = this.#lanes[slot % count];
      this.#laneOf.push(lane);
      const local = lane?.local ?? `${host}:${NOWHERE}`;
      this.#slots.push(new CallSlot(slot, { server: `${host}:${port}`, local, transport, run }));
    }
  }

  #user(lost: (why: string) => void): LaneUser {
    return { received: (message) => this.#receive(message), lost };
  }

  /** Opens the connection of one call. What fails of it fails the call, unless that is over. */
  #connect(slot: number): void {
    const call = this.#call[slot]!;
    const fail = (why: string): void => {
      if (this.#call[slot] === call && this.#state[slot] !== IDLE) this.#end(slot, why);
    };
    const lane = openLane(this.#options, this.#user(fail));
    this.#laneOf[slot] = lane;
    lane.ready.catch((error) => fail(reasonOf(error)));
  }

  #lost(lane: Lane, why: string): void {
    const slots = [...this.#laneOf.keys()].filter((slot) => this.#laneOf[slot] === lane);
    for (const slot of slots) this.#laneOf[slot] = undefined;
    for (const slot of slots) if (this.#state[slot] !== IDLE) this.#end(slot, why);
    const isNoneLeft = this.#laneOf.every((left) => left === undefined);
    if (this.#course.isStarting && isNoneLeft) this.#course.stopStarting(performance.now());
    this.#maybeFinish();
  }

  /** Runs the loop once; resolves when the last call in flight has ended. One run at a time. */
  run(options: RunOptions): Promise<RunResult> {
    if (this.#finish) throw new Error("a run is under way");
    const now = performance.now();
    this.#run = options;
    this.#course = new LoopRun(now, options.seconds);
    this.#course.isStarting = true;
    this.#startsLeft = options.calls ?? Number.POSITIVE_INFINITY;
    this.#repeatedOk = 0;
    this.#nextReport = options.every ?? Number.POSITIVE_INFINITY;
    this.#answer.reset();
    this.#callTime.reset();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#timer = setInterval(() => this.#tick(performance.now()), 2);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const lane of this.#lanes) lane.close();
    for (const lane of this.#laneOf) lane?.close();
  }

  #receive(bytes: Uint8Array): void {
    this.#course.received++;
    if (++this.#sinceCheck >= MESSAGES_A_CHECK) this.#tick(performance.now());
    const response = this.#response;
    if (!readResponse(bytes, response) || response.slot >= this.#slots.length) {
      this.#course.strays++;
      return;
    }
    const { slot, status, kind } = response;
    const current = this.#call[slot] === response.call;
    if (kind === KIND.invite) {
      if (current && this.#state[slot]! < ENDING && this.#state[slot] !== IDLE) this.#toInvite(slot, status, bytes);
      else if (status >= 200) this.#acknowledgeAgain(slot, status, bytes);
    } else if (kind === KIND.bye && current && this.#state[slot] === ENDING) {
      if (status >= 200) this.#end(slot, status === 200 ? undefined : `${status} BYE`);
    } else this.#course.strays++;
  }

  #toInvite(slot: number, status: number, bytes: Uint8Array): void {
    if (status < 200) {
      this.#state[slot] = PROCEEDING;
      return;
    }
    if (status >= 300 || !findToTag(bytes)) {
      this.#send(slot, ackFor(bytes, status >= 300, `${this.#options.host}:${this.#options.port}`));
      this.#end(slot, status >= 300 ? `${status} INVITE` : "200 without To tag");
      return;
    }
    const now = performance.now();
    this.#answer.recordValue(Math.max(1, Math.round((now - this.#started[slot]!) * 1000)));
    const messages = this.#slots[slot]!;
    messages.setTag(bytes, toTag.start, toTag.end);
    this.#state[slot] = ENDING;
    this.#requestSent[slot] = now;
    this.#startTimer(slot, now);
    this.#send(slot, messages.ack);
    this.#send(slot, messages.bye);
  }

  /** A final response to INVITE that came again (RFC 3261 s13.2.2.4, s17.1.1.2): its ACK was lost. */
  #acknowledgeAgain(slot: number, status: number, bytes: Uint8Array): void {
    if (status < 300) this.#repeatedOk++;
    else this.#course.strays++;
    this.#send(slot, ackFor(bytes, status >= 300, `${this.#options.host}:${this.#options.port}`));
  }

  #begin(slot: number): void {
    const { connectionPerCall } = this.#options;
    if (!connectionPerCall && this.#laneOf[slot] === undefined) return;
    this.#startsLeft--;
    this.#course.inFlight++;
    this.#lastCall = this.#lastCall === 99_999_999 ? 1 : this.#lastCall + 1;
    const now = performance.now();
    const messages = this.#slots[slot]!;
    messages.next(this.#lastCall);
    this.#call[slot] = this.#lastCall;
    this.#state[slot] = CALLING;
    this.#started[slot] = this.#requestSent[slot] = now;
    this.#startTimer(slot, now);
    if (connectionPerCall) this.#connect(slot);
    this.#send(slot, messages.invite);
  }

  /** Timers A and E start with T1; over a reliable transport there is only the end of waiting. */
  #startTimer(slot: number, now: number): void {
    const interval = this.#isReliable ? GIVE_UP : T1;
    this.#interval[slot] = interval;
    this.#resendAt[slot] = now + interval;
  }

  #end(slot: number, failure?: string): void {
    this.#state[slot] = IDLE;
    this.#course.ended(failure);
    if (failure === undefined) {
      this.#callTime.recordValue(Math.max(1, Math.round((performance.now() - this.#started[slot]!) * 1000)));
    }
    if (this.#options.connectionPerCall) {
      this.#laneOf[slot]?.close();
      this.#laneOf[slot] = undefined;
    }
    if (this.#course.completed + this.#course.failed >= this.#nextReport) {
      this.#run.onEvery?.(this.#nextReport);
      this.#nextReport += this.#run.every!;
    }
    if (this.#course.isStarting && this.#startsLeft > 0) this.#begin(slot);
    else if (this.#course.inFlight === 0) this.#maybeFinish();
  }

  #send(slot: number, bytes: Uint8Array): void {
    this.#course.sent++;
    this.#laneOf[slot]?.send(bytes);
  }

  /** Fills the loop, sends again what is overdue, and sees when the run is over. */
  #tick(now: number): void {
    this.#sinceCheck = 0;
    const course = this.#course;
    if (course.isStarting && (course.isTimeUp(now) || this.#startsLeft <= 0)) course.stopStarting(now);
    const slots = this.#slots.length;
    for (let n = 0; n < RAMP && course.isStarting && course.filled < slots && this.#startsLeft > 0; n++) {
      this.#begin(course.filled++);
    }
    for (let slot = 0; slot < slots; slot++) {
      if (this.#state[slot] !== IDLE && now >= this.#resendAt[slot]!) this.#overdue(slot, now);
    }
    // A saturated UDP socket runs no end of the turn either.
    for (const lane of this.#lanes) lane.flush();
    this.#maybeFinish();
  }

  /** Timers A, B, E and F (RFC 3261 s17.1.1.2, s17.1.2.2). After a 1xx an INVITE is not sent again. */
  #overdue(slot: number, now: number): void {
    const state = this.#state[slot]!;
    if (this.#isReliable || now - this.#requestSent[slot]! >= GIVE_UP) {
      this.#end(slot, state === ENDING ? "timeout BYE" : "timeout INVITE");
      return;
    }
    const interval = Math.min(this.#interval[slot]! * 2, state === ENDING ? T2 : GIVE_UP);
    this.#interval[slot] = interval;
    this.#resendAt[slot] = now + interval;
    if (state === PROCEEDING) return;
    const messages = this.#slots[slot]!;
    this.#course.retransmissions++;
    this.#send(slot, (state === ENDING ? messages.bye : messages.invite).slice());
  }

  #maybeFinish(): void {
    if (this.#course.inFlight > 0 || !this.#finish) return;
    const now = performance.now();
    if (this.#course.isStarting && this.#startsLeft <= 0) this.#course.stopStarting(now);
    if (this.#course.isStarting) return;
    clearInterval(this.#timer);
    for (const lane of this.#lanes) lane.flush();
    const finish = this.#finish;
    this.#finish = undefined;
    const course = this.#course;
    const counts = course.counts(now);
    finish({
      ...counts,
      callsPerSecond: course.perSecond(counts, this.#run.calls !== undefined && course.isByCount),
      repeatedOk: this.#repeatedOk,
      answer: percentiles(this.#answer),
      callTime: percentiles(this.#callTime),
    });
  }
}
