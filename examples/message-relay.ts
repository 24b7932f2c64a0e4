#!/usr/bin/env bun
/**
 * Relays instant messages (RFC 3428): what comes for a name in the table goes on to the address beside it, and the sender
 * gets the answer that came from there.
 *
 *     bun examples/message-relay.ts LISTEN NAME=URI ...
 *     bun examples/message-relay.ts udp://0.0.0.0:5060 bob=sip:bob@192.0.2.7
 */
import { type IncomingRequest, RequestFailed, type Server, serve } from "viaduct";

export interface RelayOptions {
  listen?: string;
  /** Where a message for a user goes, by the user part of the Request-URI. */
  users: ReadonlyMap<string, string>;
}

export async function messageRelay({ listen = "udp://0.0.0.0:5060", users }: RelayOptions): Promise<Server> {
  const server: Server = await serve({ listen, accept: ["*"], message: relay });
  return server;

  async function relay(request: IncomingRequest): Promise<void> {
    const target = users.get(request.uri?.user ?? "");
    if (target === undefined) {
      request.reply(404);
      return;
    }
    try {
      const { status, reason } = await server.request("MESSAGE", target, {
        from: request.from.uriText,
        body: request.body,
        contentType: request.header("Content-Type") ?? "text/plain",
      });
      request.reply(status, { reason });
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      request.reply(error.status, { reason: error.message });
    }
  }
}

if (import.meta.main) {
  const [listen, ...pairs] = process.argv.slice(2);
  // At the first = alone: a URI may have more.
  const users = new Map(pairs.map((pair) => pair.split(/=(.*)/s, 2) as [string, string]));
  const server = await messageRelay({ listen, users });
  console.log(`relaying for ${[...users.keys()].join(", ")} on`, server.addresses);
}
