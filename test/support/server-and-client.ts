/** A server for tests and a client that talks to it, closed together when the test's block ends. */
import type { ServeOptions } from "../../src/index.ts";
import { testServer } from "./test-server.ts";
import { WireClient } from "./wire-client.ts";

export async function serverAndClient(options: ServeOptions) {
  const running = await testServer(options);
  const client = await WireClient.open(running.address);
  return {
    client,
    server: running.server,
    log: running.log,
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}
