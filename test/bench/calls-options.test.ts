import { describe, expect, test } from "bun:test";
import { readOptions, sippSpeaks } from "../../bench/load/calls-options.ts";

function fault(...argv: string[]): string {
  try {
    readOptions(argv);
  } catch (error) {
    return (error as Error).message;
  }
  return "none";
}

describe("the command line of bench calls", () => {
  test("UDP by default, on one socket; connections are four", () => {
    expect(readOptions([])).toMatchObject({ what: "calls", transport: "udp", connections: 1, seconds: 10, warmup: 35 });
    expect(readOptions(["--transport", "tls"])).toMatchObject({ connections: 4, servers: ["viaduct"] });
  });

  test("each measurement has the transport it is about", () => {
    expect(readOptions(["--idle", "10_000"])).toMatchObject({
      what: "idle",
      idle: 10_000,
      transport: "tcp",
      settle: 5,
    });
    expect(readOptions(["--handshakes", "3"])).toMatchObject({ what: "handshakes", seconds: 3, transport: "tls" });
    expect(readOptions(["--flood"])).toMatchObject({ what: "flood", seconds: 5, transport: "tcp", warmup: 2 });
    expect(readOptions(["--flood", "--transport", "ws"])).toMatchObject({ transport: "ws" });
  });

  test("a number of calls takes the place of seconds", () => {
    expect(readOptions(["--calls", "500"])).toMatchObject({ calls: 500, seconds: undefined });
    expect(readOptions(["--total-calls", "500"])).toMatchObject({ calls: 500, servers: ["viaduct"] });
  });

  test("what does not go together is refused", () => {
    expect(fault("--idle", "10", "--flood")).toContain("one at a time");
    expect(fault("--idle", "10", "--transport", "udp")).toContain("udp has none");
    expect(fault("--connection-per-call")).toContain("udp has none");
    expect(fault("--transport", "wss", "--peer", "sipp")).toBe("SIPp does not speak wss here");
    expect(fault("--transport", "sctp")).toContain("not one of udp, tcp, tls, ws, wss");
    expect(fault("--warmup=-1")).toContain("not a number above 0");
    expect(fault("--connections", "0")).toContain("not a number above 0");
  });

  test("SIPp speaks UDP and TCP", () => {
    expect((["udp", "tcp", "tls", "ws", "wss"] as const).filter(sippSpeaks)).toEqual(["udp", "tcp"]);
  });

  test("help is asked for", () => {
    expect(readOptions(["--help"])).toBeUndefined();
  });
});
