/** The server that the smaller measurements beside the calls are made of, and the core their generator runs on. */
import type { TransportName } from "../../src/transport/kinds.ts";
import type { Pin } from "./process.ts";
import { type Subject, startSubject } from "./subject.ts";

export interface ServerTarget {
  readonly transport: TransportName;
  /** Server on core 0, generator on core 1. */
  readonly pinned: boolean;
  /** Told of the server as it starts, so that an interrupt can end it. */
  readonly onSubject?: (subject: Subject) => void;
}

/** What a measurement asks of the server beyond its transport. */
interface Extra {
  /** Listened on as well, at the same port. */
  readonly others?: readonly TransportName[];
  /** Connections taken from one address. Default: the server's own. */
  readonly connectionsPerAddress?: number | undefined;
}

/** Starts our server at `port`. */
export async function startTarget(
  { transport, pinned, onSubject }: ServerTarget,
  port: number,
  { others = [], connectionsPerAddress }: Extra = {},
): Promise<{ subject: Subject; pin: Pin | undefined }> {
  const pin = (core: number): Pin | undefined => (pinned ? { core } : undefined);
  const subject = await startSubject("viaduct", {
    port,
    transports: [transport, ...others],
    connectionsPerAddress,
    pin: pin(0),
  });
  onSubject?.(subject);
  return { subject, pin: pin(1) };
}
