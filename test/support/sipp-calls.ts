/** SIPp's scenarios against a server in this process. */
import { expect } from "bun:test";
import { hostPort } from "../../src/transport/address.ts";
import { peerVerdict, runSipp, type SippOptions, type SippResult, sippPath } from "./sipp.ts";
import type { TestServer } from "./test-server.ts";

/** Whether the tests that need SIPp run: `describe.skipIf(!hasSipp)`. Where it must be there, another test fails. */
export const hasSipp = peerVerdict(sippPath(), process.env.CI) === "run";

/** Runs a scenario against a server. Three calls at once, unless told otherwise. */
export function callSipp(
  to: TestServer,
  scenario: string,
  options: Omit<Partial<SippOptions>, "scenario" | "to"> = {},
): Promise<SippResult> {
  const { address, port } = to.address;
  return runSipp({ calls: 3, rate: 100, ...options, scenario, to: hostPort(address, port) });
}

/** Every call ended as its scenario has it, and SIPp had to send nothing twice. */
export function expectCalls(result: SippResult, calls = 3): void {
  expect(result).toMatchObject({
    code: 0,
    successful: calls,
    failed: 0,
    retransmissions: 0,
    unexpected: 0,
    errors: [],
  });
}

/** What a server that did its part has counted, whatever the calls were: no dialog is left, no handler failed. */
export const CLEAN = { dialogs: 0, handlerErrors: 0, malformed: 0 } as const;
