/** `[timers]`: the timers of RFC 3261. */

import { z } from "zod";
import { headings, milliseconds, number } from "../field.ts";

const timer = { ...milliseconds, from: 10, to: 60_000 };

export const timers = z
  .strictObject({
    t1: number({ ...timer, default: 500, about: "Timer T1 of RFC 3261: the estimate of the round-trip time" }),
    t2: number({
      ...timer,
      default: 4000,
      about: "Timer T2 of RFC 3261: the longest interval between retransmissions of a response or a non-INVITE request",
    }),
    t4: number({ ...timer, default: 5000, about: "Timer T4 of RFC 3261: how long a message may stay in the network" }),
  })
  .register(headings, { heading: "Timers" });
