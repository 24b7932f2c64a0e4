/** `[shutdown]`: how the server stops. */

import { z } from "zod";
import { headings, number, seconds } from "../field.ts";

export const shutdown = z
  .strictObject({
    grace: number({
      ...seconds,
      from: 0,
      to: 3600,
      default: 5,
      about: "How long running transactions may take to end after SIGINT or SIGTERM",
    }),
    "retry-after": number({
      ...seconds,
      from: 0,
      to: 86_400,
      default: 10,
      about: "The Retry-After of the 503 that new calls get while the server stops",
    }),
  })
  .register(headings, { heading: "Stopping" });
