/** `[connections]`: connections over TCP, TLS and WebSocket. */

import { z } from "zod";
import { DEFAULT_STREAMS } from "../../transport/settings.ts";
import { bytes, count, DAY, headings, number, seconds } from "../field.ts";

export const connections = z
  .strictObject({
    connections: number({
      ...count,
      from: 1,
      to: 1_000_000,
      default: DEFAULT_STREAMS.connections,
      about: "The most connections at one time, accepted and opened together",
    }),
    "connections-per-address": number({
      ...count,
      from: 1,
      to: 1_000_000,
      default: DEFAULT_STREAMS.connectionsPerAddress,
      about: "The most connections at one time with one address",
    }),
    "idle-timeout": number({
      ...seconds,
      from: 1,
      to: DAY,
      default: DEFAULT_STREAMS.idleTimeout / 1000,
      about: "How long a connection that no call and no registration counts on may carry nothing before it is closed",
    }),
    "message-timeout": number({
      ...seconds,
      from: 1,
      to: 3600,
      default: DEFAULT_STREAMS.messageTimeout / 1000,
      about: "How long an accepted connection may take to its first message, and any message to be complete",
    }),
    "connect-timeout": number({
      ...seconds,
      from: 1,
      to: 300,
      default: DEFAULT_STREAMS.connectTimeout / 1000,
      about: "How long a connection to a peer may take to be open, the TLS handshake included",
    }),
    "write-queue": number({
      ...bytes,
      from: 65_536,
      to: 1_073_741_824,
      default: DEFAULT_STREAMS.writeQueue,
      about: "What is kept for a peer that does not read; a connection with more is closed",
    }),
    "keep-alive": number({
      ...seconds,
      from: 0,
      to: 32_767,
      default: DEFAULT_STREAMS.keepAlive / 1000,
      about: "How long a connection is silent before TCP asks whether the peer is still there; 0 never asks",
    }),
  })
  .register(headings, { heading: "Connections: TCP, TLS and WebSocket" });
