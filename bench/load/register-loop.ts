/**
 * A closed loop of registrations: `concurrency` are in flight, and as one ends the next starts in its slot.
 *
 * A registration is a REGISTER and its 200, or with a digest whose nonce is not known yet a REGISTER, its 401, the
 * REGISTER with Authorization and its 200. Over UDP a request goes again by timer E (RFC 3261 s17.1.2.2) and fails after
 * 64*T1, so that a server that loses datagrams shows it. A user keeps its Call-ID, and its CSeq counts up (s10.2).
 */
import { build } from "hdr-histogram-js";
import { copyChallenge } from "./challenge.ts";
import type { Lane } from "./lane.ts";
import { LoopRun } from "./loop-run.ts";
import { type Response, readResponse } from "./messages.ts";
import { openLane } from "./open-lane.ts";
import { type Algorithm, DigestWriter } from "./register-digest.ts";
import { CHALLENGE_ROOM, REGISTER_KIND, RegisterSlot } from "./register-request.ts";
import type { RegisterAsk, RegisterResult } from "./register-result.ts";
import { orderOf, Turns } from "./register-turns.ts";
import { MOST_USERS } from "./register-users.ts";
import { percentiles } from "./run-result.ts";

/** RFC 3261 T1 and T2 in milliseconds. */
const T1 = 500;
const T2 = 4000;
/** A saturated Bun socket runs no timers, so the receive path looks at the clock once in this many messages. */
const MESSAGES_A_CHECK = 256;
/** Registrations started at once while the loop fills, so that the first burst fits the server's receive buffer. */
const RAMP = 16;
const LAST_NUMBER = 99_999_999;

const IDLE = 0;
/** Without Authorization. */
const ASKED = 1;
/** With what was known of an earlier challenge. */
const REFRESHED = 2;
/** With the answer to the challenge of this registration. */
const ANSWERED = 3;

export interface RegisterLoopOptions {
  readonly transport: "udp" | "tcp";
  /** Host of the server: an IPv4 address. */
  readonly host: string;
  readonly port: number;
  /** Registrations in flight, 1 to 9,999, and no more than there are AORs. */
  readonly concurrency: number;
  /** Sockets or connections that they are spread over. */
  readonly connections: number;
  /** AORs that are registered again and again; fresh ones are numbered behind them. */
  readonly aors: number;
  /** The number of the first of them. Default 0. */
  readonly firstUser?: number;
  /** Refreshes go through the AORs in an order that leaps about; default one after the other. */
  readonly isShuffled?: boolean;
  /** The client's T1 in milliseconds. Default 500. */
  readonly t1?: number;
  /** Of the digest the server asks for; none when left out. */
  readonly algorithm?: Algorithm | undefined;
}

/** Opens the lanes. Rejects when one of them cannot be opened. */
export async function openRegisterLoop(options: RegisterLoopOptions): Promise<RegisterLoop> {
  const loop = new RegisterLoop(options);
  await loop.open();
  return loop;
}

export class RegisterLoop {
  readonly #options: RegisterLoopOptions;
  readonly #lanes: Lane[] = [];
  readonly #slots: RegisterSlot[] = [];
  readonly #firstUser: number;
  readonly #t1: number;
  /** The longest a request waits for its final response. */
  readonly #giveUp: number;
  /** Of each lane. */
  readonly #turns: Turns[];
  readonly #digest: DigestWriter | undefined;
  readonly #response: Response = { status: 0, kind: 0, slot: 0, call: 0 };
  readonly #answer = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });

  // Of each slot.
  readonly #state: Uint8Array;
  readonly #number: Uint32Array;
  /** Counted from the first one. */
  readonly #user: Uint32Array;
  readonly #message: (Uint8Array | undefined)[];
  readonly #started: Float64Array;
  readonly #requestSent: Float64Array;
  readonly #resendAt: Float64Array;
  readonly #interval: Float64Array;

  // Of each AOR, and behind them of the fresh one in each slot.
  readonly #cseq: Uint32Array;
  readonly #nonceCount: Uint32Array;
  readonly #challengeLength: Uint8Array;
  readonly #challenges: Uint8Array;

  // The run.
  #ask: RegisterAsk = { load: "fill" };
  #course = new LoopRun(0, undefined);
  #finish: ((result: RegisterResult) => void) | undefined;
  #timer: Timer | undefined;
  #sinceCheck = 0;
  #lastNumber = 0;
  #challenged = 0;

  constructor(options: RegisterLoopOptions) {
    const { concurrency: n, aors, algorithm, isShuffled = false, firstUser = 0, t1 = T1 } = options;
    if (!(n >= 1 && n <= 9999)) throw new RangeError(`concurrency ${n} is not in 1..9999`);
    const most = MOST_USERS - firstUser;
    if (!(aors >= n && aors < most)) throw new RangeError(`${aors} AORs: not in ${n}..${most - 1}`);
    this.#options = options;
    this.#state = new Uint8Array(n);
    this.#number = new Uint32Array(n);
    this.#user = new Uint32Array(n);
    this.#message = new Array(n).fill(undefined);
    this.#started = new Float64Array(n);
    this.#requestSent = new Float64Array(n);
    this.#resendAt = new Float64Array(n);
    this.#interval = new Float64Array(n);
    this.#cseq = new Uint32Array(aors + n);
    this.#nonceCount = new Uint32Array(aors + n);
    this.#challengeLength = new Uint8Array(aors + n);
    this.#challenges = new Uint8Array(algorithm ? (aors + n) * CHALLENGE_ROOM : 0);
    this.#digest = algorithm && new DigestWriter(algorithm, aors);
    this.#firstUser = firstUser;
    this.#t1 = t1;
    this.#giveUp = 64 * t1;
    const lanes = Math.min(options.connections, n);
    const order = orderOf(aors, isShuffled);
    this.#turns = Array.from({ length: lanes }, (_, lane) => new Turns(order, lane, lanes));
  }

  async open(): Promise<void> {
    const { concurrency, transport } = this.#options;
    const run = (process.pid * 1000 + (Date.now() % 1000)).toString(36);
    for (let i = 0; i < this.#turns.length; i++) {
      const lane = openLane(this.#options, {
        received: (message) => this.#receive(message),
        lost: (why) => this.#lost(lane, why),
      });
      this.#lanes.push(lane);
      await lane.ready;
    }
    for (let slot = 0; slot < concurrency; slot++) {
      const { local } = this.#laneOf(slot);
      this.#slots.push(new RegisterSlot(slot, { local, transport, run }, this.#digest));
    }
  }

  #laneOf(slot: number): Lane {
    return this.#lanes[slot % this.#lanes.length]!;
  }

  /** A connection that ends by itself fails what is in flight on it, and no more is started. */
  #lost(lane: Lane, why: string): void {
    if (this.#course.isStarting) this.#course.stopStarting(performance.now());
    for (let slot = 0; slot < this.#slots.length; slot++) {
      if (this.#laneOf(slot) === lane && this.#state[slot] !== IDLE) this.#end(slot, why);
    }
  }

  /** Runs the loop once; resolves when the last registration in flight has ended. One run at a time. */
  run(ask: RegisterAsk): Promise<RegisterResult> {
    if (this.#finish) throw new Error("a run is under way");
    const now = performance.now();
    this.#ask = ask;
    for (const turns of this.#turns) turns.begin(ask.load);
    this.#course = new LoopRun(now, ask.seconds);
    this.#course.isStarting = true;
    this.#challenged = 0;
    this.#answer.reset();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#timer = setInterval(() => this.#tick(performance.now()), 2);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const lane of this.#lanes) lane.close();
  }

  #receive(bytes: Uint8Array): void {
    this.#course.received++;
    if (++this.#sinceCheck >= MESSAGES_A_CHECK) this.#tick(performance.now());
    const response = this.#response;
    const isOurs = readResponse(bytes, response) && response.kind === REGISTER_KIND;
    const { slot, status } = response;
    if (!isOurs || slot >= this.#slots.length || this.#number[slot] !== response.call || this.#state[slot] === IDLE) {
      this.#course.strays++;
    } else if (status === 200) this.#end(slot);
    else if (status === 401 && this.#state[slot] !== ANSWERED) this.#challenge(slot, bytes);
    else if (status >= 200) this.#end(slot, `${status} REGISTER`);
  }

  /** Where the state of the slot's AOR is kept. */
  #keptAt(slot: number): number {
    const { aors } = this.#options;
    const user = this.#user[slot]!;
    return user < aors ? user : aors + slot;
  }

  #challenge(slot: number, bytes: Uint8Array): void {
    const at = this.#keptAt(slot);
    const start = at * CHALLENGE_ROOM;
    const length = this.#digest === undefined ? 0 : copyChallenge(bytes, this.#challenges, start, CHALLENGE_ROOM);
    if (length === 0) {
      this.#end(slot, "401 without a challenge to answer");
      return;
    }
    this.#challenged++;
    this.#challengeLength[at] = length;
    this.#nonceCount[at] = 0;
    this.#request(slot, ANSWERED, performance.now());
  }

  #turnsOf(slot: number): Turns {
    return this.#turns[slot % this.#turns.length]!;
  }

  #begin(slot: number): void {
    const { load } = this.#ask;
    const isFresh = load === "fresh";
    const user = this.#turnsOf(slot).next(isFresh);
    if (this.#firstUser + user >= MOST_USERS) throw new RangeError(`no more than ${MOST_USERS} users`);
    this.#user[slot] = user;
    this.#course.inFlight++;
    const at = this.#keptAt(slot);
    if (isFresh) this.#cseq[at] = 0;
    const now = performance.now();
    this.#started[slot] = now;
    this.#request(slot, load === "refresh" && this.#challengeLength[at]! > 0 ? REFRESHED : ASKED, now);
  }

  #request(slot: number, state: number, now: number): void {
    const at = this.#keptAt(slot);
    const user = this.#firstUser + this.#user[slot]!;
    const messages = this.#slots[slot]!;
    this.#lastNumber = this.#lastNumber === LAST_NUMBER ? 1 : this.#lastNumber + 1;
    const number = this.#lastNumber;
    const cseq = ++this.#cseq[at]!;
    let message: Uint8Array;
    if (state === ASKED) message = messages.plain(number, user, cseq);
    else {
      const start = at * CHALLENGE_ROOM;
      const count = ++this.#nonceCount[at]!;
      const end = start + this.#challengeLength[at]!;
      message = messages.authorized(number, user, cseq, count, this.#challenges, start, end);
    }
    this.#number[slot] = number;
    this.#state[slot] = state;
    this.#message[slot] = message;
    this.#requestSent[slot] = now;
    this.#interval[slot] = this.#options.transport === "udp" ? this.#t1 : this.#giveUp;
    this.#resendAt[slot] = now + this.#interval[slot]!;
    this.#send(slot, message);
  }

  #end(slot: number, failure?: string): void {
    this.#state[slot] = IDLE;
    this.#course.ended(failure);
    if (failure === undefined) {
      this.#answer.recordValue(Math.max(1, Math.round((performance.now() - this.#started[slot]!) * 1000)));
    }
    if (this.#course.isStarting && !this.#turnsOf(slot).isOver) this.#begin(slot);
    else if (this.#course.inFlight === 0) this.#maybeFinish();
  }

  #send(slot: number, bytes: Uint8Array): void {
    this.#course.sent++;
    this.#laneOf(slot).send(bytes);
  }

  /** Fills the loop, sends again what is overdue, and sees when the run is over. */
  #tick(now: number): void {
    this.#sinceCheck = 0;
    if (this.#course.isStarting && (this.#course.isTimeUp(now) || this.#isAllStarted)) this.#course.stopStarting(now);
    const slots = this.#slots.length;
    for (let n = 0; n < RAMP && this.#course.isStarting && this.#course.filled < slots; n++) {
      const slot = this.#course.filled++;
      if (!this.#turnsOf(slot).isOver) this.#begin(slot);
    }
    for (let slot = 0; slot < slots; slot++) {
      if (this.#state[slot] !== IDLE && now >= this.#resendAt[slot]!) this.#overdue(slot, now);
    }
    // A saturated UDP socket runs no end of the turn either.
    for (const lane of this.#lanes) lane.flush();
    this.#maybeFinish();
  }

  /** Timers E and F. */
  #overdue(slot: number, now: number): void {
    if (now - this.#requestSent[slot]! >= this.#giveUp) {
      this.#end(slot, "timeout");
      return;
    }
    this.#interval[slot] = Math.min(this.#interval[slot]! * 2, T2);
    this.#resendAt[slot] = now + this.#interval[slot]!;
    this.#course.retransmissions++;
    this.#send(slot, this.#message[slot]!.slice());
  }

  get #isAllStarted(): boolean {
    return this.#turns.every(({ isOver }) => isOver);
  }

  #maybeFinish(): void {
    if (this.#course.inFlight > 0 || !this.#finish) return;
    const now = performance.now();
    if (this.#course.isStarting && this.#isAllStarted) this.#course.stopStarting(now);
    if (this.#course.isStarting) return;
    clearInterval(this.#timer);
    for (const lane of this.#lanes) lane.flush();
    const finish = this.#finish;
    this.#finish = undefined;
    const counts = this.#course.counts(now);
    finish({
      ...counts,
      perSecond: this.#course.perSecond(counts, this.#ask.load === "fill"),
      challenged: this.#challenged,
      answer: percentiles(this.#answer),
    });
  }
}
