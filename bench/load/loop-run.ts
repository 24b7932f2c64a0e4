/** The course of one run of a closed loop: whether more is started, what is in flight, and what was counted. */

/** What every run counts. Times are in seconds. */
export interface RunCounts {
  /** What ended well. */
  readonly completed: number;
  readonly failed: number;
  /** Why the others failed: a status, a timeout, or why their connection was lost. */
  readonly failures: Record<string, number>;
  /** Until the loop stopped starting, and until the last one ended. */
  readonly seconds: number;
  readonly totalSeconds: number;
  readonly sent: number;
  readonly received: number;
  /** Requests sent again because no answer came in time. */
  readonly retransmissions: number;
  /** Messages that were no response, or to a request long over. */
  readonly strays: number;
  /** CPU of the generator itself in microseconds. */
  readonly cpu: { user: number; system: number };
}

export class LoopRun {
  /** Whether the next one starts as one ends. */
  isStarting = false;
  /** Slots that were filled at the beginning. */
  filled = 0;
  inFlight = 0;
  completed = 0;
  failed = 0;
  sent = 0;
  received = 0;
  retransmissions = 0;
  strays = 0;
  readonly #failures: Record<string, number> = {};
  readonly #cpuBefore = process.cpuUsage();
  readonly #startedAt: number;
  readonly #stopAt: number;
  #stoppedAt = 0;
  #completedAtStop = 0;

  /** @param now in milliseconds @param seconds that it starts more for; none for as long as there is something to start */
  constructor(now: number, seconds: number | undefined) {
    this.#startedAt = now;
    this.#stopAt = seconds === undefined ? Number.POSITIVE_INFINITY : now + seconds * 1000;
  }

  /** One has ended. @param failure why, when not well */
  ended(failure: string | undefined): void {
    this.inFlight--;
    if (failure === undefined) this.completed++;
    else {
      this.failed++;
      this.#failures[failure] = (this.#failures[failure] ?? 0) + 1;
    }
  }

  isTimeUp(now: number): boolean {
    return now >= this.#stopAt;
  }

  stopStarting(now: number): void {
    this.isStarting = false;
    this.#stoppedAt = now;
    this.#completedAtStop = this.completed;
  }

  /** Whether it stopped starting before its time was up. */
  get isByCount(): boolean {
    return this.#stoppedAt < this.#stopAt;
  }

  /** What was counted, once all has ended. */
  counts(now: number): RunCounts {
    const { completed, failed, sent, received, retransmissions, strays } = this;
    return {
      completed,
      failed,
      failures: this.#failures,
      seconds: (this.#stoppedAt - this.#startedAt) / 1000,
      totalSeconds: (now - this.#startedAt) / 1000,
      sent,
      received,
      retransmissions,
      strays,
      cpu: process.cpuUsage(this.#cpuBefore),
    };
  }

  /**
   * How many were completed each second. A run of so many is timed to its last one; one of so many seconds, to the end of
   * those seconds.
   */
  perSecond({ seconds, totalSeconds }: RunCounts, isOfSoMany: boolean): number {
    return isOfSoMany ? this.completed / totalSeconds : this.#completedAtStop / seconds;
  }
}
