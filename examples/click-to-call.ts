#!/usr/bin/env bun
/**
 * Brings two people into one call from a click on a page: calls the one who clicked, then the other, and refers the first
 * to the second in the place of our own call with them (RFC 3515, RFC 3891). No media goes through here.
 *
 *     bun examples/click-to-call.ts LISTEN FIRST SECOND
 *     bun examples/click-to-call.ts udp://0.0.0.0:5060 sip:alice@192.0.2.7 sip:bob@192.0.2.8
 */
import { CallFailed, ReferFailed, type Server, serve, type Transfers, transfers } from "viaduct";

export interface Click {
  /** Who clicked: called first, so that nobody's phone rings for one who is not there. */
  first: string;
  second: string;
  /** How long each phone may ring, in milliseconds. Default 30,000. */
  ring?: number;
  /** Told of each step. */
  onStep?: (step: string) => void;
}

/** How long the second phone may take to hang up our call once it has its own, in milliseconds. */
const FAREWELL_MS = 5000;

/**
 * @param transfer the server's own
 * @returns the status that the first phone told of its call with the second: below 300 when they talk to each other
 * @throws CallFailed when one of them is not to be had, ReferFailed when the first phone cannot be referred
 */
export async function clickToCall(server: Server, transfer: Transfers, click: Click): Promise<number> {
  const { first, second, ring = 30_000, onStep = () => {} } = click;
  onStep(`calling ${first}`);
  await using one = await server.call(first, { sdp: onHold(), to: first, from: second, timeout: ring }).answered;
  onStep(`calling ${second}`);
  await using two = await server.call(second, { sdp: onHold(), to: second, from: first, timeout: ring }).answered;
  onStep("bringing them together");
  const referral = transfer.refer(one, two.remoteTarget, {
    replaces: two,
    referredBy: second,
    progress: (status, reason) => onStep(`${status} ${reason}`),
  });
  const status = await referral.done;
  if (status < 300) {
    // The second phone hangs up what was replaced; the first one is left to us, as is all that was not.
    const timer = setTimeout(() => two.bye(), FAREWELL_MS);
    await two.ended;
    clearTimeout(timer);
  }
  return status;
}

/** A description with nothing to hear: whoever answers waits for the other (RFC 3264 s8.4). */
function onHold(): string {
  const id = Date.now();
  const lines = ["v=0", `o=- ${id} ${id} IN IP4 127.0.0.1`, "s=-", "c=IN IP4 127.0.0.1", "t=0 0"];
  return [...lines, "m=audio 9 RTP/AVP 0 8", "a=inactive", ""].join("\r\n");
}

if (import.meta.main) {
  const [listen, first, second] = process.argv.slice(2);
  if (listen === undefined || first === undefined || second === undefined) {
    console.error("usage: bun examples/click-to-call.ts LISTEN FIRST SECOND");
    process.exit(2);
  }
  const transfer = transfers();
  await using server = await serve({ listen, plugins: [transfer] });
  try {
    const status = await clickToCall(server, transfer, { first, second, onStep: console.log });
    console.log(status < 300 ? "they talk to each other" : `they do not: ${status}`);
  } catch (error) {
    if (!(error instanceof CallFailed || error instanceof ReferFailed)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
