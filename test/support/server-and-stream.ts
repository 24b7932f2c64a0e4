/** A server for tests and a client on a connection to it, closed together when the test's block ends. */
import type { ServeOptions } from "../../src/index.ts";
import { StreamClient, type StreamClientOptions } from "./stream-client.ts";
import { testServer } from "./test-server.ts";

/** @param options listens on TCP at 127.0.0.1 unless told otherwise; the client connects to its first address */
export async function serverAndStream(options: ServeOptions, how: StreamClientOptions = {}) {
  const running = await testServer({ listen: "tcp://127.0.0.1:0", ...options });
  const client = await StreamClient.open(running.address, how);
  return {
    client,
    server: running.server,
    address: running.address,
    log: running.log,
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}
