/** `[uas]`: calls as mode `full-uas` takes them. */

import { z } from "zod";
import { abouts, flag, headings, milliseconds, number, seconds } from "../field.ts";

export const uas = z
  .strictObject({
    "ring-time": number({
      ...milliseconds,
      from: 0,
      to: 600_000,
      default: 0,
      about: "How long an incoming call rings (180) before it is answered; 0 answers at once",
    }),
    "final-status": z
      .int()
      .refine((status) => status === 200 || (status >= 300 && status <= 699))
      .default(200)
      .register(abouts, {
        about: "The final status that an incoming call gets: 200 answers it, any other refuses it",
        right: "200, or a status from 300 to 699",
        placeholder: "status",
      }),
    prack: flag("Whether provisional responses are sent reliably to callers that require it (RFC 3262)", true),
    "session-timers": flag("Whether calls are kept alive by session timers (RFC 4028)", true),
    "session-expires": number({
      ...seconds,
      from: 90,
      to: 86_400,
      default: 1800,
      about: "How long a session lasts without a refresh, where this end is asked",
    }),
    "min-se": number({
      ...seconds,
      from: 90,
      to: 86_400,
      default: 90,
      about: "The shortest session timer that is agreed to; a shorter one is refused with 422",
    }),
    subscriptions: flag("Whether SUBSCRIBE and PUBLISH are taken (RFC 6665, RFC 3903)", true),
    refer: flag("Whether calls can be transferred by REFER and Replaces (RFC 3515, RFC 3891)", true),
    messages: flag("Whether MESSAGE and INFO are answered 200 (RFC 3428, RFC 6086)", true),
  })
  .register(headings, { heading: "Calls in mode full-uas" });
