#!/usr/bin/env bun
/**
 * A message service: phones log in and register, and a MESSAGE for a user (RFC 3428) goes to the phone that registered last,
 * behind whatever NAT it sits. Registrations outlast a restart, in an SQLite file.
 *
 *     bun examples/registrar.ts LISTEN DOMAIN FILE NAME=PASSWORD ...
 *     bun examples/registrar.ts udp://0.0.0.0:5060 example.com phones.sqlite alice=secret bob=other
 */
import {
  digest,
  guard,
  type IncomingRequest,
  RequestFailed,
  registrar,
  type Server,
  serve,
  sqliteStore,
  type UserRecord,
} from "viaduct";

export interface ServiceOptions {
  listen?: string;
  domain: string;
  users: UserRecord;
  /** Where registrations are kept; in memory when left out. */
  file?: string;
}

export async function messageService(options: ServiceOptions): Promise<Server> {
  const { listen = "udp://0.0.0.0:5060", domain, users, file } = options;
  const auth = digest({ realm: domain, users });
  const phones = registrar({
    domains: [domain],
    auth,
    store: file === undefined ? undefined : sqliteStore({ file }),
  });
  // The guard asks whoever sends a MESSAGE; the registrar asks whoever registers.
  const server: Server = await serve({ listen, accept: ["*"], plugins: [guard(auth), phones], message: relay });
  return server;

  async function relay(request: IncomingRequest): Promise<void> {
    const [binding] = request.uri === null ? [] : phones.lookup(request.uri);
    if (binding === undefined) {
      request.reply(480);
      return;
    }
    try {
      const { status, reason } = await server.request("MESSAGE", binding.contact, {
        binding,
        // Who it is was proved, whatever From says.
        from: `sip:${request.user!.name}@${domain}`,
        to: request.to.uriText,
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
  const [listen, domain = "example.com", file, ...pairs] = process.argv.slice(2);
  // At the first = alone: a password may have more.
  const users = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2) as [string, string]));
  const server = await messageService({ listen, domain, users, file });
  console.log(`registrar of ${domain} on`, server.addresses);
}
