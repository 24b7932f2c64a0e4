/** One plain object of all that the rooms below count. */
import type { TimerWheel } from "../time/wheel.ts";
import type { Transports } from "../transport/transports.ts";
import type { UdpSocket } from "../transport/udp.ts";
import type { UasCore } from "./core.ts";

/** Counters since the start, but for the gauges marked so. */
export type ServerStats = {
  messagesReceived: number;
  messagesSent: number;
  callsStarted: number;
  callsAnswered: number;
  /** Calls of ours that were answered. */
  callsPlaced: number;
  /** Gauge. */
  dialogs: number;
  /** Gauge: transactions that are not terminated, the completed ones that absorb retransmissions included. */
  transactions: number;
  serverTransactions: number;
  clientTransactions: number;
  /** Gauge. */
  timers: number;
  retransmissionsSent: number;
  retransmissionsReceived: number;
  /** Requests refused by the server itself. */
  rejected: number;
  /** Messages with a fault. */
  malformed: number;
  /** Messages with a fault that could not be answered. */
  malformedDropped: number;
  overloaded: number;
  merged: number;
  timeouts: number;
  /** Requests of ours that were sent again with credentials. */
  challengesAnswered: number;
  /** 401 and 407 that were the result although there were credentials: refused ones, weaker algorithms. */
  challengesUnanswered: number;
  /** Client transactions whose connection was lost or could not be made. */
  transportFailures: number;
  byesUndelivered: number;
  unacknowledged: number;
  strayAcks: number;
  strayResponses: number;
  handlerErrors: number;
  keepAlives: number;
  bareLineFeeds: number;
  sendDeferred: number;
  sendDropped: number;
  socketErrors: number;
  truncated: number;
  floodPauses: number;
  /** Gauge. */
  connections: number;
  connectionsAccepted: number;
  connectionsOpened: number;
  connectionsClosed: number;
  /** Accepted connections closed at once: a ceiling was reached. */
  connectionsRefused: number;
  connectFailures: number;
  handshakeFailures: number;
  /** Connections closed since what came could not be told apart into messages. */
  unframed: number;
  idleTimeouts: number;
  messageTimeouts: number;
  /** Connections closed since their peer did not read. */
  writeOverflows: number;
  /** Responses whose connection was gone and could not be opened again. */
  undeliverable: number;
  upgradesRefused: number;
  dnsQueries: number;
  dnsFailures: number;
  /** Gauge: octets in segments for kept messages and keys. */
  storeOctets: number;
  /** Gauge: the longest time between two ticks of the timers since the start or `resetStats()`, in milliseconds. */
  longestTickGapMs: number;
};

export function statsOf(core: UasCore, wheel: TimerWheel, transports: Transports): ServerStats {
  const { layer, dialogs, counters } = core;
  const { udp: sockets, connections } = transports;
  const streams = connections.counters;
  const sum = (field: keyof UdpSocket["counters"]) =>
    sockets.reduce((total, socket) => total + socket.counters[field], 0);
  return {
    messagesReceived: sum("received") - sum("keepAlives") + streams.received,
    messagesSent: sum("sent") + streams.sent,
    callsStarted: counters.callsStarted,
    callsAnswered: counters.callsAnswered,
    callsPlaced: counters.callsPlaced,
    dialogs: dialogs.size,
    transactions: layer.pool.live,
    serverTransactions: layer.counters.serverTransactions,
    clientTransactions: layer.counters.clientTransactions,
    timers: wheel.size,
    retransmissionsSent: layer.counters.retransmissionsSent + dialogs.success.counters.retransmissions,
    retransmissionsReceived: layer.counters.retransmissionsReceived,
    rejected: counters.rejected,
    malformed: counters.malformed,
    malformedDropped: counters.dropped,
    overloaded: layer.counters.overloaded,
    merged: layer.counters.merged,
    timeouts: layer.counters.timeouts,
    transportFailures: layer.counters.transportFailures,
    challengesAnswered: core.sender.authenticator.counters.answered,
    challengesUnanswered: core.sender.authenticator.counters.unanswered,
    byesUndelivered: counters.byesUndelivered,
    unacknowledged: dialogs.success.counters.unacknowledged,
    strayAcks: counters.strayAcks,
    strayResponses: layer.counters.strayResponses,
    handlerErrors: counters.handlerErrors,
    keepAlives: sum("keepAlives") + streams.keepAlives,
    bareLineFeeds: counters.bareLineFeeds,
    sendDeferred: sum("sendsDeferred"),
    sendDropped: sum("sendsDropped"),
    socketErrors: sum("errors"),
    truncated: sum("truncated"),
    floodPauses: sum("floodPauses"),
    connections: connections.size,
    connectionsAccepted: streams.accepted,
    connectionsOpened: streams.opened,
    connectionsClosed: streams.closed,
    connectionsRefused: streams.refused,
    connectFailures: streams.connectFailures,
    handshakeFailures: streams.handshakeFailures,
    unframed: streams.unframed,
    idleTimeouts: streams.idleTimeouts,
    messageTimeouts: streams.messageTimeouts,
    writeOverflows: streams.writeOverflows,
    undeliverable: streams.undeliverable,
    upgradesRefused: streams.upgradesRefused,
    dnsQueries: core.sender.locator.counters.queries,
    dnsFailures: core.sender.locator.counters.failures,
    storeOctets: layer.store.capacity,
    longestTickGapMs: wheel.longestGap,
  };
}
