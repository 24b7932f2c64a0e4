/** The lane for a transport. */
import type { Lane, LaneTarget, LaneUser } from "./lane.ts";
import { StreamLane } from "./stream-lane.ts";
import { UdpLane } from "./udp-lane.ts";
import { WebSocketLane } from "./websocket-lane.ts";

/** Begins to open a lane. */
export function openLane(target: LaneTarget, user: LaneUser): Lane {
  switch (target.transport) {
    case "udp":
      return new UdpLane(target, user);
    case "tcp":
    case "tls":
      return new StreamLane(target, user);
    case "ws":
    case "wss":
      return new WebSocketLane(target, user);
  }
}
