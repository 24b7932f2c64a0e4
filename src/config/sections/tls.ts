/** `[tls]`: certificates. */

import { z } from "zod";
import { choice, flag, headings, list, parsePath, path } from "../field.ts";

/** What becomes of clients of `tls` and `wss` listeners without a certificate. */
const CLIENT_CERTIFICATES = ["none", "optional", "required"] as const;

const PEM = "the path of a PEM file";

export const tls = z
  .strictObject({
    certificate: path(
      "The certificate of this server, those of its issuers behind it; tls and wss listeners need it; read again on SIGHUP",
      PEM,
      "none",
    ),
    "private-key": path("The private key of the certificate, without a passphrase; read again on SIGHUP", PEM, "none"),
    ca: list(parsePath, {
      about:
        "The certificates of the authorities that peers are trusted by; more than one file as an array in TOML, or as " +
        "the flag given again",
      right: PEM,
      placeholder: "file",
      otherwise: "those that the system trusts",
      path: true,
    }),
    "client-certificates": choice(
      CLIENT_CERTIFICATES,
      "none",
      "who",
      "Whether clients of tls and wss listeners are asked for a certificate: required closes on those without a good one",
    ),
    "verify-servers": flag(
      "Whether a server that is connected to must prove by its certificate that it is the one meant (RFC 5922)",
      true,
    ),
  })
  .register(headings, { heading: "TLS" });
