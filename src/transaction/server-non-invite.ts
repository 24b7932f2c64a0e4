/**
 * The non-INVITE server transaction: RFC 3261 s17.2.2, with RFC 4320.
 *
 *     state       event                  action                      next
 *     Trying      request                absorb it                   Trying
 *     Trying      late                   the user is told to send 100  Trying
 *     Proceeding  request                send the provisional again  Proceeding
 *     Trying, P.  100 from the user      send                        Proceeding
 *     Trying, P.  final from the user    send, start J               Completed
 *     Trying, P.  64*T1 without a final  tell the user               Terminated
 *     Completed   request                send the final again        Completed
 *     Completed   timer J                                            Terminated
 *
 * RFC 4320 s4.1: the only provisional is 100, and not before the client's timer E has reached T2.
 * RFC 4320 s4.2: no 408; by then the client has given up, and silence says the same.
 */
import type { TransactionContext } from "./context.ts";
import { State } from "./pool.ts";

export class ServerNonInvite {
  readonly #context: TransactionContext;
  readonly #timerJ: number;
  readonly #timerLate: number;
  readonly #timerUnanswered: number;
  readonly #sendTrying: (slot: number) => void;
  /** Set while the user is told to send a 100. */
  #isLate = false;

  /** @param sendTrying has the user answer 100 to a request that waits */
  constructor(context: TransactionContext, sendTrying: (slot: number) => void) {
    this.#context = context;
    this.#sendTrying = sendTrying;
    this.#timerJ = context.wheel.register((slot) => this.#onJ(slot));
    this.#timerLate = context.wheel.register((slot) => this.#onLate(slot));
    this.#timerUnanswered = context.wheel.register((slot) => this.#onUnanswered(slot));
  }

  /** The user has taken the request and has not answered yet. */
  waiting(slot: number): void {
    const { timers, pool } = this.#context;
    if (pool.state(slot) === State.Trying) this.#context.startRetransmit(slot, timers.lateTrying, this.#timerLate);
    this.#context.startEnd(slot, timers.transaction, this.#timerUnanswered);
  }

  /** The request came again. */
  retransmission(slot: number): void {
    const { pool, counters } = this.#context;
    counters.retransmissionsReceived++;
    if (pool.state(slot) !== State.Trying) this.#context.retransmit(slot);
  }

  /** @returns false when the state or RFC 4320 does not allow it and nothing was sent */
  respond(slot: number, status: number, start: number): boolean {
    const context = this.#context;
    const { pool, timers } = context;
    const state = pool.state(slot);
    if (state !== State.Trying && state !== State.Proceeding) return false;
    if ((status > 100 && status < 200) || status === 408) return false;
    // RFC 4320 s4.1: over an unreliable transport no 100 before the moment that the timer waits for.
    if (status === 100 && !context.isReliable(slot) && !this.#isLate) return false;
    pool.setStatus(slot, status);
    if (status < 200) {
      pool.setState(slot, State.Proceeding);
      context.transmitAndKeep(slot, start);
      return true;
    }
    context.stopRetransmit(slot);
    if (context.isReliable(slot)) {
      context.transmit(slot, start);
      context.terminate(slot);
    } else {
      context.transmitAndKeep(slot, start);
      pool.setState(slot, State.Completed);
      context.startEnd(slot, timers.transaction, this.#timerJ);
    }
    return true;
  }

  #onLate(slot: number): void {
    this.#context.pool.setRetransmitTimer(slot, 0);
    if (this.#context.pool.state(slot) !== State.Trying) return;
    this.#isLate = true;
    this.#sendTrying(slot);
    this.#isLate = false;
  }

  #onUnanswered(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.timeOut(slot);
  }

  #onJ(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.terminate(slot);
  }
}
