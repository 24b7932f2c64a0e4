/**
 * A closed loop of calls over UDP: `concurrency` calls are in flight, and as one ends the next starts in its slot.
 *
 * A call is INVITE -> (100, 180) -> 200 -> ACK and BYE at once -> 200. Requests go again by RFC 3261 timers A and E and
 * fail after 64*T1 (timers B and F), as a real client's would: a server that loses datagrams shows it in
 * retransmissions and in time, not in a stuck benchmark.
 */
import { build, type Histogram } from "hdr-histogram-js";
import { nativeSockets } from "../../src/transport/native.ts";
import { ackFor, CallSlot, findToTag, KIND, type Response, readResponse, toTag } from "./messages.ts";

/** RFC 3261 T1 and T2 in milliseconds, and the longest a transaction waits for its final response. */
const T1 = 500;
const T2 = 4000;
const GIVE_UP = 64 * T1;
/** Datagrams gathered before a send: large enough to share a system call, small enough to keep the server fed. */
const BATCH = 16;
/** A saturated Bun socket runs no timers, so the receive path looks at the clock once in this many datagrams. */
const DATAGRAMS_A_CHECK = 256;
/** Calls started at once while the loop fills, so that the first burst fits the server's receive buffer. */
const RAMP = 16;
const RECEIVE_BUFFER = 4 * 1024 * 1024;

const IDLE = 0;
const CALLING = 1;
const PROCEEDING = 2;
const ENDING = 3;

export interface LoopOptions {
  /** Host of the server: an IPv4 address. */
  readonly host: string;
  readonly port: number;
  /** Calls in flight, 1 to 9,999. */
  readonly concurrency: number;
  /** Sockets the calls are spread over. */
  readonly sockets: number;
}

/** One run ends when its calls are done or its seconds are over, and then waits for the calls in flight. */
export interface RunOptions {
  /** Stop starting calls after this many. Default: no limit. */
  readonly calls?: number;
  /** Stop starting calls after this long. Default: no limit. */
  readonly seconds?: number;
  /** Called from the loop each time this many more calls have ended. */
  readonly every?: number;
  readonly onEvery?: (ended: number) => void;
}

/** What a run measured. Times of responses are in microseconds, from the INVITE being queued for sending. */
export interface RunResult {
  /** Calls that ended with 200 to BYE. */
  readonly completed: number;
  readonly failed: number;
  /** Why calls failed: a status, or `timeout INVITE`, `timeout BYE`. */
  readonly failures: Record<string, number>;
  /** Calls completed each second until the loop stopped starting new ones. */
  readonly callsPerSecond: number;
  /** Seconds until the loop stopped starting calls, and until the last one ended. */
  readonly seconds: number;
  readonly totalSeconds: number;
  readonly sent: number;
  readonly received: number;
  /** Requests sent again because no answer came in time. */
  readonly retransmissions: number;
  /** 200s to INVITE that came again: the server had not seen the ACK. */
  readonly repeatedOk: number;
  /** Datagrams that were no response, or to a call long over. */
  readonly strays: number;
  /** INVITE to 200. */
  readonly answer: Percentiles;
  /** CPU of the generator itself in microseconds. */
  readonly cpu: { user: number; system: number };
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export function percentiles(histogram: Histogram): Percentiles {
  const at = (p: number): number => histogram.getValueAtPercentile(p);
  return { p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9), max: histogram.maxValue };
}

/** One socket and what it is about to send. */
interface Lane {
  socket: Bun.udp.ConnectedSocket<"uint8array">;
  out: Uint8Array[];
}

/** Opens the sockets. Throws what `Bun.udpSocket` throws. */
export async function openLoop(options: LoopOptions): Promise<ClosedLoop> {
  const loop = new ClosedLoop(options);
  await loop.open();
  return loop;
}

export class ClosedLoop {
  readonly #options: LoopOptions;
  readonly #lanes: Lane[] = [];
  readonly #slots: CallSlot[] = [];
  readonly #state: Uint8Array;
  readonly #call: Uint32Array;
  readonly #started: Float64Array;
  readonly #requestSent: Float64Array;
  readonly #resendAt: Float64Array;
  readonly #interval: Float64Array;
  readonly #response: Response = { status: 0, kind: 0, slot: 0, call: 0 };
  readonly #answer = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  #timer: Timer | undefined;
  #sinceCheck = 0;
  #flushPlanned = false;
  #lastCall = 0;
  #closed = false;

  // The run.
  #run: RunOptions = {};
  #finish: ((result: RunResult) => void) | undefined;
  #starting = false;
  #filled = 0;
  #startsLeft = 0;
  #startedAt = 0;
  #stopAt = 0;
  #stoppedAt = 0;
  #inFlight = 0;
  #completed = 0;
  #completedAtStop = 0;
  #failed = 0;
  #failures: Record<string, number> = {};
  #sent = 0;
  #received = 0;
  #retransmissions = 0;
  #repeatedOk = 0;
  #strays = 0;
  #nextReport = 0;
  #cpuBefore = process.cpuUsage();

  constructor(options: LoopOptions) {
    const n = options.concurrency;
    if (!(n >= 1 && n <= 9999)) throw new RangeError(`concurrency ${n} is not in 1..9999`);
    this.#options = options;
    this.#state = new Uint8Array(n);
    this.#call = new Uint32Array(n);
    this.#started = new Float64Array(n);
    this.#requestSent = new Float64Array(n);
    this.#resendAt = new Float64Array(n);
    this.#interval = new Float64Array(n);
  }

  async open(): Promise<void> {
    const { host, port, sockets, concurrency } = this.#options;
    for (let i = 0; i < Math.min(sockets, concurrency); i++) {
      const socket = await Bun.udpSocket({
        hostname: host,
        binaryType: "uint8array",
        connect: { hostname: host, port },
        socket: {
          data: (_, bytes) => this.#receive(bytes),
          drain: () => this.#flush(),
          // ICMP errors of a server not there yet or gone: the timers count what it costs.
          error: () => {},
        },
      });
      // The kernel's own size holds fewer messages than a burst of answers: what it drops would look like the server's loss.
      nativeSockets()?.setBuffers((socket as unknown as { fd: number }).fd, RECEIVE_BUFFER);
      this.#lanes.push({ socket, out: [] });
    }
    const run = (process.pid * 1000 + (Date.now() % 1000)).toString(36);
    for (let slot = 0; slot < concurrency; slot++) {
      const local = `${host}:${this.#lane(slot).socket.port}`;
      this.#slots.push(new CallSlot(slot, { server: `${host}:${port}`, local, run }));
    }
  }

  #lane(slot: number): Lane {
    return this.#lanes[slot % this.#lanes.length]!;
  }

  /** Runs the loop once; resolves when the last call in flight has ended. One run at a time. */
  run(options: RunOptions): Promise<RunResult> {
    if (this.#finish) throw new Error("a run is under way");
    const now = performance.now();
    this.#run = options;
    this.#starting = true;
    this.#filled = 0;
    this.#startsLeft = options.calls ?? Number.POSITIVE_INFINITY;
    this.#startedAt = now;
    this.#stopAt = options.seconds === undefined ? Number.POSITIVE_INFINITY : now + options.seconds * 1000;
    this.#completed = this.#failed = this.#sent = this.#received = 0;
    this.#retransmissions = this.#repeatedOk = this.#strays = 0;
    this.#failures = {};
    this.#nextReport = options.every ?? Number.POSITIVE_INFINITY;
    this.#answer.reset();
    this.#cpuBefore = process.cpuUsage();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#timer = setInterval(() => this.#tick(performance.now()), 2);
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const lane of this.#lanes) lane.socket.close();
  }

  #receive(bytes: Uint8Array): void {
    this.#received++;
    if (++this.#sinceCheck >= DATAGRAMS_A_CHECK) this.#tick(performance.now());
    const response = this.#response;
    if (!readResponse(bytes, response) || response.slot >= this.#slots.length) {
      this.#strays++;
      return;
    }
    const { slot, status, kind } = response;
    const current = this.#call[slot] === response.call;
    if (kind === KIND.invite) {
      if (current && this.#state[slot]! < ENDING && this.#state[slot] !== IDLE) this.#toInvite(slot, status, bytes);
      else if (status >= 200) this.#acknowledgeAgain(slot, status, bytes);
    } else if (kind === KIND.bye && current && this.#state[slot] === ENDING) {
      if (status >= 200) this.#end(slot, status === 200 ? undefined : `${status} BYE`);
    } else this.#strays++;
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
    this.#interval[slot] = T1;
    this.#resendAt[slot] = now + T1;
    this.#send(slot, messages.ack);
    this.#send(slot, messages.bye);
  }

  /** A final response to INVITE that came again (RFC 3261 s13.2.2.4, s17.1.1.2): its ACK was lost. */
  #acknowledgeAgain(slot: number, status: number, bytes: Uint8Array): void {
    if (status < 300) this.#repeatedOk++;
    else this.#strays++;
    this.#send(slot, ackFor(bytes, status >= 300, `${this.#options.host}:${this.#options.port}`));
  }

  #begin(slot: number): void {
    this.#startsLeft--;
    this.#inFlight++;
    this.#lastCall = this.#lastCall === 99_999_999 ? 1 : this.#lastCall + 1;
    const now = performance.now();
    const messages = this.#slots[slot]!;
    messages.next(this.#lastCall);
    this.#call[slot] = this.#lastCall;
    this.#state[slot] = CALLING;
    this.#started[slot] = this.#requestSent[slot] = now;
    this.#interval[slot] = T1;
    this.#resendAt[slot] = now + T1;
    this.#send(slot, messages.invite);
  }

  #end(slot: number, failure?: string): void {
    this.#state[slot] = IDLE;
    this.#inFlight--;
    if (failure === undefined) this.#completed++;
    else {
      this.#failed++;
      this.#failures[failure] = (this.#failures[failure] ?? 0) + 1;
    }
    if (this.#completed + this.#failed >= this.#nextReport) {
      this.#run.onEvery?.(this.#nextReport);
      this.#nextReport += this.#run.every!;
    }
    if (this.#starting && this.#startsLeft > 0) this.#begin(slot);
    else if (this.#inFlight === 0) this.#maybeFinish();
  }

  #send(slot: number, bytes: Uint8Array): void {
    const { out } = this.#lane(slot);
    out.push(bytes);
    this.#sent++;
    if (out.length >= BATCH) this.#flushLane(this.#lane(slot));
    else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      setImmediate(() => {
        this.#flushPlanned = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    for (const lane of this.#lanes) if (lane.out.length > 0) this.#flushLane(lane);
  }

  #flushLane(lane: Lane): void {
    if (this.#closed) return;
    let taken = 0;
    try {
      taken = lane.socket.sendMany(lane.out);
    } catch {
      // An ICMP error of an earlier datagram; what was lost with it the timers send again.
      taken = lane.out.length;
    }
    // What the kernel did not take is copied, since its slot may be patched for the next call before it goes.
    lane.out = taken === lane.out.length ? [] : lane.out.slice(taken).map((bytes) => bytes.slice());
  }

  /** Fills the loop, sends again what is overdue, and sees when the run is over. */
  #tick(now: number): void {
    this.#sinceCheck = 0;
    if (this.#starting && (now >= this.#stopAt || this.#startsLeft <= 0)) this.#stopStarting(now);
    const slots = this.#slots.length;
    for (let n = 0; n < RAMP && this.#starting && this.#filled < slots && this.#startsLeft > 0; n++) {
      this.#begin(this.#filled++);
    }
    for (let slot = 0; slot < slots; slot++) {
      if (this.#state[slot] !== IDLE && now >= this.#resendAt[slot]!) this.#overdue(slot, now);
    }
    this.#flush();
    this.#maybeFinish();
  }

  /** Timers A, B, E and F (RFC 3261 s17.1.1.2, s17.1.2.2). After a 1xx an INVITE is not sent again. */
  #overdue(slot: number, now: number): void {
    const state = this.#state[slot]!;
    if (now - this.#requestSent[slot]! >= GIVE_UP) {
      this.#end(slot, state === ENDING ? "timeout BYE" : "timeout INVITE");
      return;
    }
    const interval = Math.min(this.#interval[slot]! * 2, state === ENDING ? T2 : GIVE_UP);
    this.#interval[slot] = interval;
    this.#resendAt[slot] = now + interval;
    if (state === PROCEEDING) return;
    const messages = this.#slots[slot]!;
    this.#retransmissions++;
    this.#send(slot, (state === ENDING ? messages.bye : messages.invite).slice());
  }

  #stopStarting(now: number): void {
    this.#starting = false;
    this.#stoppedAt = now;
    this.#completedAtStop = this.#completed;
  }

  #maybeFinish(): void {
    if (this.#inFlight > 0 || !this.#finish) return;
    const now = performance.now();
    if (this.#starting && this.#startsLeft <= 0) this.#stopStarting(now);
    if (this.#starting) return;
    clearInterval(this.#timer);
    this.#flush();
    const seconds = (this.#stoppedAt - this.#startedAt) / 1000;
    const totalSeconds = (now - this.#startedAt) / 1000;
    // A run of so many calls is timed to its last call; one of so many seconds, to the end of those seconds.
    const byCount = this.#run.calls !== undefined && this.#stoppedAt < this.#stopAt;
    const finish = this.#finish;
    this.#finish = undefined;
    finish({
      completed: this.#completed,
      failed: this.#failed,
      failures: this.#failures,
      callsPerSecond: byCount ? this.#completed / totalSeconds : this.#completedAtStop / seconds,
      seconds,
      totalSeconds,
      sent: this.#sent,
      received: this.#received,
      retransmissions: this.#retransmissions,
      repeatedOk: this.#repeatedOk,
      strays: this.#strays,
      answer: percentiles(this.#answer),
      cpu: process.cpuUsage(this.#cpuBefore),
    });
  }
}
