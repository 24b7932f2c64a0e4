/**
 * The INVITE server transaction: RFC 3261 s17.2.1 as changed by RFC 6026 s7.1.
 *
 *     state       event                  action                      next
 *     Proceeding  INVITE                 send the last provisional   Proceeding
 *     Proceeding  1xx from the user      send                        Proceeding
 *     Proceeding  2xx from the user      send, start L               Accepted
 *     Proceeding  300-699 from the user  send, start G and H         Completed
 *     Completed   INVITE or timer G      send the final again        Completed
 *     Completed   ACK                    stop G and H, start I       Confirmed
 *     Completed   timer H                tell the user               Terminated
 *     Confirmed   timer I                                            Terminated
 *     Accepted    INVITE                 absorb it                   Accepted
 *     Accepted    ACK                    hand it to the user         Accepted
 *     Accepted    2xx from the user      send                        Accepted
 *     Accepted    timer L                                            Terminated
 */
import type { TransactionContext } from "./context.ts";
import { State } from "./pool.ts";

export class ServerInvite {
  readonly #context: TransactionContext;
  readonly #timerG: number;
  readonly #timerH: number;
  /** Timers I and L: the transaction is over. */
  readonly #timerEnd: number;

  constructor(context: TransactionContext) {
    this.#context = context;
    this.#timerG = context.wheel.register((slot) => this.#onG(slot));
    this.#timerH = context.wheel.register((slot) => this.#onH(slot));
    this.#timerEnd = context.wheel.register((slot) => this.#onEnd(slot));
  }

  /** The INVITE came again. */
  retransmission(slot: number): void {
    const { pool, counters } = this.#context;
    counters.retransmissionsReceived++;
    switch (pool.state(slot)) {
      case State.Proceeding:
      case State.Completed:
        this.#context.retransmit(slot);
        break;
      // Accepted: the 2xx is the user's to send again. Confirmed: the peer has the final response.
    }
  }

  /**
   * The user responds with what the channel's arena holds from `start`.
   * @returns false when the state does not allow it and nothing was sent
   */
  respond(slot: number, status: number, start: number): boolean {
    const context = this.#context;
    const { pool, timers } = context;
    switch (pool.state(slot)) {
      case State.Proceeding:
        pool.setStatus(slot, status);
        if (status < 200) {
          context.transmitAndKeep(slot, start);
        } else if (status < 300) {
          context.transmit(slot, start);
          context.dropKept(slot);
          pool.setState(slot, State.Accepted);
          context.startEnd(slot, timers.transaction, this.#timerEnd);
        } else {
          context.transmitAndKeep(slot, start);
          pool.setState(slot, State.Completed);
          if (!context.isReliable(slot)) context.startRetransmit(slot, timers.t1, this.#timerG);
          context.startEnd(slot, timers.transaction, this.#timerH);
        }
        return true;
      case State.Accepted:
        if (status < 200 || status > 299) return false;
        context.transmit(slot, start);
        return true;
      default:
        return false;
    }
  }

  /** An ACK matched. @returns whether it was absorbed; if not it is the user's */
  ack(slot: number): boolean {
    const context = this.#context;
    const { pool, timers } = context;
    switch (pool.state(slot)) {
      case State.Completed:
        context.stopRetransmit(slot);
        context.dropKept(slot);
        pool.setState(slot, State.Confirmed);
        if (context.isReliable(slot)) context.terminate(slot);
        else context.startEnd(slot, timers.t4, this.#timerEnd);
        return true;
      case State.Accepted:
        return false;
      default:
        return true;
    }
  }

  #onG(slot: number): void {
    const context = this.#context;
    const { pool, timers } = context;
    pool.setRetransmitTimer(slot, 0);
    context.retransmit(slot);
    context.startRetransmit(slot, Math.min(pool.interval(slot) * 2, timers.t2), this.#timerG);
  }

  #onH(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.timeOut(slot);
  }

  #onEnd(slot: number): void {
    this.#context.pool.setEndTimer(slot, 0);
    this.#context.terminate(slot);
  }
}
