/** `[udp]`: UDP sockets. */

import { z } from "zod";
import { bytes, count, headings, milliseconds, number } from "../field.ts";

export const udp = z
  .strictObject({
    "receive-buffer": number({
      ...bytes,
      from: 4096,
      to: 1_073_741_824,
      default: 8_388_608,
      about: "The receive buffer asked for each UDP socket; the kernel may grant less",
    }),
    "send-queue": number({
      ...count,
      from: 0,
      to: 1_000_000,
      default: 8192,
      about: "The most datagrams kept for each socket while the kernel's send buffer is full; more are dropped",
    }),
    "flood-budget": number({
      ...milliseconds,
      from: 1,
      to: 1000,
      default: 5,
      about: "How long a stream of datagrams may keep timers and other sockets waiting",
    }),
  })
  .register(headings, { heading: "UDP" });
