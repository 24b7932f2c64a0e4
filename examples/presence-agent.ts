#!/usr/bin/env bun
/**
 * A presence agent (RFC 3856) for one user, who answers calls: watchers are told that the user is reachable, and on the
 * phone while a call lasts. What other devices of the user PUBLISH is told beside it.
 *
 *     bun examples/presence-agent.ts LISTEN AOR
 *     bun examples/presence-agent.ts udp://0.0.0.0:5060 sip:bob@example.com
 */
import { type Call, type Events, events, pidf, presence, SdpSession, type Server, serve } from "viaduct";

export interface AgentOptions {
  listen?: string;
  /** Whose presence it is. */
  user: string;
  /** The least milliseconds between two changes that watchers are told of. Default 5,000 (RFC 3856 s6.10). */
  minInterval?: number;
}

export async function presenceAgent(options: AgentOptions): Promise<Server> {
  const { listen = "udp://0.0.0.0:5060", user, minInterval } = options;
  const notifier: Events = events({ packages: [presence({ minInterval })] });
  const calls = new Set<Call>();
  const server = await serve({ listen, plugins: [notifier], invite });
  tell();
  return server;

  function tell(): void {
    const note = calls.size === 0 ? undefined : "on the phone";
    notifier.publish("presence", user, pidf(user, [{ id: "agent", status: "open", contact: user, note }]));
  }

  async function invite(call: Call): Promise<void> {
    const session = new SdpSession({ address: call.localHost });
    const dialog = await call.answer(call.body.length > 0 ? session.answer(call.body) : session.offer());
    calls.add(call);
    tell();
    await dialog.ended;
    calls.delete(call);
    tell();
  }
}

if (import.meta.main) {
  const [listen, user = "sip:bob@example.com"] = process.argv.slice(2);
  const server = await presenceAgent({ listen, user });
  console.log(`the presence of ${user} is told on`, server.addresses);
}
