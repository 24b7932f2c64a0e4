/** A server that calls, on a clock that stands, and a phone that is called; closed together when the block ends. */
import type { CallOptions, Dialog, OutgoingCall, ServeOptions } from "../../src/index.ts";
import { Callee } from "./callee.ts";
import { FakeClock } from "./fake-clock.ts";
import { OFFER, type SipMessage } from "./sip-messages.ts";
import { testServer } from "./test-server.ts";
import { until } from "./until.ts";

/** A call that stands. */
export interface Standing {
  readonly dialog: Dialog;
  /** As the callee saw it. */
  readonly invite: SipMessage;
}

export async function calling(options: ServeOptions = {}) {
  const clock = new FakeClock();
  const running = await testServer({ clock, ...options });
  const callee = await Callee.open(running.address);
  const { server, log } = running;
  /** Places a call to the phone with {@link OFFER}. */
  const call = (more: CallOptions = {}): OutgoingCall => server.call(callee.uri, { sdp: OFFER, ...more });
  return {
    clock,
    callee,
    server,
    log,
    address: running.address,
    call,
    /** The same, answered and acknowledged. */
    async established(more: CallOptions = {}): Promise<Standing> {
      const placed = call(more);
      const invite = await callee.next("INVITE");
      await callee.answer(invite);
      return { dialog: await placed.answered, invite };
    },
    /** Waits until every transaction has come to its end and nothing is left of any call. */
    async nothingLeft(): Promise<void> {
      for (let i = 0; i < 3; i++) await clock.pass(40_000);
      await until("the end of all", () => {
        const { dialogs, transactions, timers } = server.stats();
        return dialogs + transactions + timers === 0;
      });
    },
    [Symbol.dispose]() {
      callee[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}
