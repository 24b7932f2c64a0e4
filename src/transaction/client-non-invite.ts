/**
 * The non-INVITE client transaction: RFC 3261 s17.1.2.
 *
 *     state       event           action                             next
 *     (start)                     send, start E (unreliable) and F   Trying
 *     Trying      timer E         send again, double E up to T2      Trying
 *     Proceeding  timer E         send again, E at T2                Proceeding
 *     Trying, P.  timer F         tell the user                      Terminated
 *     Trying, P.  1xx             hand it to the user                Proceeding
 *     Trying, P.  200-699         hand it to the user, start K       Completed
 *     Completed   200-699         absorb it                          Completed
 *     Completed   timer K                                            Terminated
 */
import type { Message } from "../message/message.ts";
import type { TransactionContext } from "./context.ts";
import { State } from "./pool.ts";

export class ClientNonInvite {
  readonly #context: TransactionContext;
  readonly #timerE: number;
  readonly #timerF: number;
  readonly #timerK: number;

  constructor(context: TransactionContext) {
    this.#context = context;
    this.#timerE = context.wheel.register((slot) => this.#onE(slot));
    this.#timerF = context.wheel.register((slot) => this.#onF(slot));
    this.#timerK = context.wheel.register((slot) => this.#onK(slot));
  }

  /** Sends the request that the arena holds from `start`. */
  begin(slot: number, start: number): void {
    const context = this.#context;
    if (!context.isReliable(slot)) context.startRetransmit(slot, context.timers.t1, this.#timerE);
    context.startEnd(slot, context.timers.transaction, this.#timerF);
    // Last: a connection that is found lost ends the transaction.
    context.transmitAndKeep(slot, start);
  }

  response(slot: number, message: Message, isThere: boolean): void {
    const context = this.#context;
    const { pool, timers, user } = context;
    const state = pool.state(slot);
    if (state !== State.Trying && state !== State.Proceeding) {
      context.counters.retransmissionsReceived++;
      return;
    }
    pool.setStatus(slot, message.status);
    if (message.status < 200) {
      pool.setState(slot, State.Proceeding);
      user.response(slot, message, isThere);
      return;
    }
    context.stopRetransmit(slot);
    context.dropKept(slot);
    pool.setState(slot, State.Completed);
    context.startEnd(slot, context.isReliable(slot) ? 0 : timers.t4, this.#timerK);
    user.response(slot, message, isThere);
  }

  #onE(slot: number): void {
    const context = this.#context;
    const { pool, timers } = context;
    pool.setRetransmitTimer(slot, 0);
    context.retransmit(slot);
    const interval = pool.state(slot) === State.Proceeding ? timers.t2 : Math.min(pool.interval(slot) * 2, timers.t2);
    context.startRetransmit(slot, interval, this.#timerE);
  }

  #onF(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.timeOut(slot);
  }

  #onK(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.terminate(slot);
  }
}
