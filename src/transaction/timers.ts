/** The timer values of RFC 3261 s17, Table 4, and RFC 6026. All in milliseconds. */

/** What an operator may set. */
export interface TimerSettings {
  /** Round-trip estimate: the first retransmission. Default 500. */
  t1: number;
  /** Longest interval between retransmissions of non-INVITE requests and INVITE responses. Default 4,000. */
  t2: number;
  /** How long a message may live in the network. Default 5,000. */
  t4: number;
}

export const DEFAULT_TIMERS: Readonly<TimerSettings> = { t1: 500, t2: 4000, t4: 5000 };

/** The settings and what follows from them. */
export interface Timers extends TimerSettings {
  /** 64*T1: timers B, F, H, J, L, M, and how long a 2xx waits for its ACK. */
  readonly transaction: number;
  /** Timer D on an unreliable transport: at least 32 s (s17.1.1.2). */
  readonly d: number;
  /**
   * When a non-INVITE request that has no answer yet gets its 100: once the client's timer E has reached T2, so that the
   * 100 does not come early (RFC 4320 s4.1).
   */
  readonly lateTrying: number;
}

/** @throws RangeError when a time is not above zero */
export function timersFrom(settings: Partial<TimerSettings> = {}): Timers {
  const { t1 = DEFAULT_TIMERS.t1, t2 = DEFAULT_TIMERS.t2, t4 = DEFAULT_TIMERS.t4 } = settings;
  for (const [name, value] of Object.entries({ t1, t2, t4 })) {
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new RangeError(`${name} is no time: ${value}`);
  }
  let lateTrying = 0;
  for (let interval = t1; interval < t2; interval = Math.min(interval * 2, t2)) lateTrying += interval;
  return { t1, t2, t4, transaction: 64 * t1, d: Math.max(32_000, 64 * t1), lateTrying: Math.max(lateTrying, t1) };
}
