#!/usr/bin/env bun
/**
 * The logic of an answering machine: lets a call ring, answers it, and hangs up when the caller has said enough.
 *
 *     bun examples/answering-machine.ts [LISTEN] [RING-MS] [LONGEST-MS]
 *
 * No media is received; put the port of your recorder where `SdpSession` is made.
 */
import { type Call, SdpRefused, SdpSession, type Server, serve } from "viaduct";

export interface MachineOptions {
  listen?: string;
  /** How long a call rings before it is answered, in milliseconds. */
  ring?: number;
  /** How long a message may be, in milliseconds. */
  longest?: number;
  /** Told of each message that was left. */
  onMessage?: (message: { from: string; seconds: number }) => void;
}

export function answeringMachine(options: MachineOptions = {}): Promise<Server> {
  const { listen = "udp://0.0.0.0:5060", ring = 3000, longest = 60_000, onMessage = console.log } = options;

  async function invite(call: Call): Promise<void> {
    call.ring();
    await Bun.sleep(ring);
    if (call.signal.aborted) return;
    const sdp = answerTo(call);
    if (sdp === null) return;
    const begun = performance.now();
    const dialog = await call.answer(sdp);
    // The first of the two: the caller hangs up, or has talked long enough.
    const limit = setTimeout(() => dialog.bye(), longest);
    await dialog.ended;
    clearTimeout(limit);
    onMessage({ from: call.from.uriText, seconds: (performance.now() - begun) / 1000 });
  }

  return serve({ listen, invite });
}

function answerTo(call: Call): Uint8Array | null {
  const session = new SdpSession({ address: call.localHost });
  try {
    return call.body.length > 0 ? session.answer(call.body) : session.offer();
  } catch (error) {
    if (!(error instanceof SdpRefused)) throw error;
    call.reject(error.status, { reason: error.message });
    return null;
  }
}

if (import.meta.main) {
  const [listen, ring, longest] = process.argv.slice(2);
  const server = await answeringMachine({
    listen,
    ring: ring === undefined ? undefined : Number(ring),
    longest: longest === undefined ? undefined : Number(longest),
  });
  console.log("waiting for calls on", server.addresses);
}
