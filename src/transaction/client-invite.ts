/**
 * The INVITE client transaction: RFC 3261 s17.1.1 as changed by RFC 6026 s7.2.
 *
 *     state       event     action                                  next
 *     (start)               send, start A (unreliable) and B        Calling
 *     Calling     timer A   send again, double A                    Calling
 *     Calling     timer B   tell the user                           Terminated
 *     Proceeding  CANCEL    start B                                 Proceeding
 *     Proceeding  timer B   tell the user                           Terminated
 *     Calling     1xx       hand it to the user                     Proceeding
 *     C., P.      2xx       hand it to the user, start M            Accepted
 *     C., P.      300-699   send ACK, hand it to the user, start D  Completed
 *     Completed   300-699   send the ACK again                      Completed
 *     Completed   timer D                                           Terminated
 *     Accepted    2xx       hand it to the user                     Accepted
 *     Accepted    timer M                                           Terminated
 */
import type { Message } from "../message/message.ts";
import { writeAckForFailure } from "../message/request.ts";
import type { TransactionContext } from "./context.ts";
import { State } from "./pool.ts";

export class ClientInvite {
  readonly #context: TransactionContext;
  readonly #timerA: number;
  readonly #timerB: number;
  /** Timers D and M. */
  readonly #timerEnd: number;

  constructor(context: TransactionContext) {
    this.#context = context;
    this.#timerA = context.wheel.register((slot) => this.#onA(slot));
    this.#timerB = context.wheel.register((slot) => this.#onB(slot));
    this.#timerEnd = context.wheel.register((slot) => this.#onEnd(slot));
  }

  /** Sends the request that the arena holds from `start`. */
  begin(slot: number, start: number): void {
    const context = this.#context;
    if (!context.isReliable(slot)) context.startRetransmit(slot, context.timers.t1, this.#timerA);
    context.startEnd(slot, context.timers.transaction, this.#timerB);
    // Last: a connection that is found lost ends the transaction.
    context.transmitAndKeep(slot, start);
  }

  /** The user has cancelled: timer B runs again. */
  giveUp(slot: number): void {
    const context = this.#context;
    if (context.pool.state(slot) === State.Proceeding) {
      context.startEnd(slot, context.timers.transaction, this.#timerB);
    }
  }

  response(slot: number, message: Message, isThere: boolean): void {
    const context = this.#context;
    const { pool, timers, user } = context;
    const { status } = message;
    switch (pool.state(slot)) {
      case State.Calling:
      case State.Proceeding:
        pool.setStatus(slot, status);
        context.stopRetransmit(slot);
        if (status < 200) {
          // Timer B ends with Calling: how long a call may ring is the user's to say (s17.1.1.2), until it cancels.
          if (pool.state(slot) === State.Calling) context.stopEnd(slot);
          pool.setState(slot, State.Proceeding);
        } else if (status < 300) {
          pool.setState(slot, State.Accepted);
          context.dropKept(slot);
          context.startEnd(slot, timers.transaction, this.#timerEnd);
        } else {
          pool.setState(slot, State.Completed);
          this.#acknowledge(slot, message);
          const reliable = context.isReliable(slot);
          context.startEnd(slot, reliable ? 0 : timers.d, this.#timerEnd);
        }
        user.response(slot, message, isThere);
        break;
      case State.Completed:
        context.counters.retransmissionsReceived++;
        if (status >= 300) context.retransmit(slot);
        break;
      case State.Accepted:
        if (status >= 200 && status < 300) user.response(slot, message, isThere);
        break;
    }
  }

  /** RFC 3261 s17.1.1.3. The ACK takes the request's place as what is sent again. */
  #acknowledge(slot: number, response: Message): void {
    const context = this.#context;
    const { pool, store } = context;
    const block = pool.block(slot);
    const offset = store.offset(block);
    const request = store.segment(block).slice(offset, offset + pool.blockLength(slot));
    const start = writeAckForFailure(pool.channel(slot).arena, request, response);
    context.transmitAndKeep(slot, start);
  }

  #onA(slot: number): void {
    const context = this.#context;
    context.pool.setRetransmitTimer(slot, 0);
    context.retransmit(slot);
    context.startRetransmit(slot, context.pool.interval(slot) * 2, this.#timerA);
  }

  #onB(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.timeOut(slot);
  }

  #onEnd(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.terminate(slot);
  }
}
