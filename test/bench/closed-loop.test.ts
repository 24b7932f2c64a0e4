import { afterEach, describe, expect, test } from "bun:test";
import { type ClosedLoop, type LoopOptions, openLoop } from "../../bench/load/closed-loop.ts";
import { TRANSPORTS, type TransportName } from "../../src/transport/kinds.ts";
import { type Behaviour, type StandIn, standIn } from "./stand-in.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function started(
  transport: TransportName,
  options: Partial<LoopOptions> = {},
  behaviour?: Behaviour,
): Promise<{ loop: ClosedLoop; server: StandIn }> {
  const server = await standIn(transport, behaviour);
  open.push(server);
  const { port } = server;
  const loop = await openLoop({ transport, host: "127.0.0.1", port, concurrency: 6, connections: 3, ...options });
  open.push(loop);
  return { loop, server };
}

function count(seen: string[], method: string): number {
  return seen.filter((one) => one === method).length;
}

describe("the closed loop of calls", () => {
  for (const transport of TRANSPORTS) {
    test(`over ${transport}: as many calls as asked for, each INVITE, ACK and BYE`, async () => {
      const { loop, server } = await started(transport);
      const result = await loop.run({ calls: 40 });
      expect(result).toMatchObject({
        completed: 40,
        failed: 0,
        retransmissions: 0,
        strays: 0,
        sent: 120,
        received: 160,
      });
      for (const method of ["INVITE", "ACK", "BYE"]) expect(count(server.seen, method)).toBe(40);
      expect(server.requests[0]).toContain(`\r\nVia: SIP/2.0/${transport.toUpperCase()} `);
      if (transport !== "udp") expect(server.accepted()).toBe(3);
      const ids = server.requests.map((text) => /\r\nCall-ID: (\S+)/.exec(text)![1]);
      expect(new Set(ids).size).toBe(40);
      expect(result.callTime.max).toBeGreaterThanOrEqual(result.answer.max);
    });
  }

  for (const transport of ["tcp", "tls", "ws", "wss"] as const) {
    test(`over ${transport} with a connection for each call`, async () => {
      const { loop, server } = await started(transport, { connectionPerCall: true });
      expect(await loop.run({ calls: 20 })).toMatchObject({ completed: 20, failed: 0, strays: 0 });
      expect(server.accepted()).toBe(20);
    });
  }

  test("WebSocket messages in binary frames", async () => {
    const { loop } = await started("ws", { binaryFrames: true });
    expect(await loop.run({ calls: 10 })).toMatchObject({ completed: 10, failed: 0 });
  });

  test("answers that arrive in pieces are put together", async () => {
    const cut = (octets: Buffer): Buffer[] => [octets.subarray(0, 70), octets.subarray(70, 71), octets.subarray(71)];
    const { loop } = await started("tcp", {}, { cut });
    expect(await loop.run({ calls: 20 })).toMatchObject({ completed: 20, failed: 0, strays: 0 });
  });

  test("a refusal fails its call and is acknowledged", async () => {
    const { loop, server } = await started("tcp", { connectionPerCall: true }, { final: 486 });
    expect(await loop.run({ calls: 5 })).toMatchObject({ completed: 0, failed: 5, failures: { "486 INVITE": 5 } });
    await Bun.sleep(50);
    expect(count(server.seen, "ACK")).toBe(5);
  });

  test("a lost connection fails its calls, and the run ends when none is left", async () => {
    const { loop } = await started("tcp", { concurrency: 2, connections: 1 }, { closeAfter: 3 });
    const result = await loop.run({ calls: 1000 });
    expect(result.completed).toBeLessThanOrEqual(2);
    expect(result.failures).toEqual({ "connection closed": result.failed });
    expect(result.failed).toBeGreaterThan(0);
  });

  test("a server that refuses connections fails the calls that have one each", async () => {
    const { loop, server } = await started("tcp", { connectionPerCall: true });
    server.close();
    expect(await loop.run({ calls: 5 })).toMatchObject({ completed: 0, failures: { ECONNREFUSED: 5 } });
  });

  test("a server that is not there: the loop does not open", async () => {
    const server = await standIn("tcp");
    const { port } = server;
    server.close();
    const loop = openLoop({ transport: "tcp", host: "127.0.0.1", port, concurrency: 1, connections: 1 });
    await expect(loop).rejects.toThrow();
  });
});
