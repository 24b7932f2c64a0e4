/** `[limits]`: ceilings on messages, and on what is kept at one time. */

import { z } from "zod";
import { bytes, count, headings, number, optionalNumber } from "../field.ts";

const MEMORY = "derived from the memory of the machine, at least 1000000";

export const limits = z
  .strictObject({
    "message-size": number({
      ...bytes,
      from: 512,
      to: 65_536,
      default: 65_536,
      about: "The longest message that is accepted",
    }),
    headers: number({
      ...count,
      from: 1,
      to: 65_536,
      default: 256,
      about: "The most header fields that a message may have",
    }),
    "header-length": number({
      ...bytes,
      from: 64,
      to: 65_536,
      default: 8192,
      about: "The longest header field that is accepted",
    }),
    "uri-length": number({ ...bytes, from: 32, to: 65_536, default: 2048, about: "The longest URI that is accepted" }),
    vias: number({ ...count, from: 1, to: 255, default: 70, about: "The most Via values that a request may carry" }),
    transactions: optionalNumber({
      ...count,
      from: 1,
      to: 100_000_000,
      otherwise: MEMORY,
      about: "The most transactions kept at one time; a request beyond them is refused with 503",
    }),
    dialogs: optionalNumber({
      ...count,
      from: 1,
      to: 100_000_000,
      otherwise: MEMORY,
      about: "The most dialogs kept at one time; a call beyond them is refused with 503",
    }),
  })
  .register(headings, { heading: "Limits" });
