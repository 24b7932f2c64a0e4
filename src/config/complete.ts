/** What settings ask of each other: what follows from others, as listeners do from a certificate, and what cannot be. */

import { isSecure } from "../transport/kinds.ts";
import { hasPort, type Listener, readListen } from "./address.ts";
import { completeAuth } from "./complete-auth.ts";
import { completeRegistrar, completeStore } from "./complete-registrar.ts";
import { ConfigError } from "./error.ts";
import type { NameOf } from "./layer.ts";
import type { Parsed, Settings } from "./schema.ts";

const PLAIN = ["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"] as const;
const SECURE = "tls://0.0.0.0:5061";

/**
 * The settings with what follows from others, checked as a whole.
 * @throws ConfigError when one setting is missing beside another, or two cannot go together.
 */
export function complete(parsed: Parsed, nameOf: NameOf): Settings {
  const { certificate } = parsed.tls;
  const listen = parsed.listen ?? (certificate === undefined ? [...PLAIN] : [...PLAIN, SECURE]);
  checkCertificate(parsed, listen, nameOf);
  checkAdvertise(parsed.advertise, listen, nameOf);
  checkSessionTimer(parsed, nameOf);
  const auth = completeAuth(parsed, nameOf);
  return {
    ...parsed,
    listen,
    auth,
    registrar: completeRegistrar(parsed, nameOf),
    store: completeStore(parsed, nameOf),
  };
}

function checkCertificate(parsed: Parsed, listen: readonly string[], nameOf: NameOf): void {
  const { certificate, "private-key": key } = parsed.tls;
  if (certificate !== undefined && key === undefined) {
    const cure = "set private-key in [tls], or --private-key";
    throw new ConfigError(`${nameOf("tls.certificate")}: needs the private key that belongs to it: ${cure}`);
  }
  if (certificate === undefined && key !== undefined) {
    const cure = "set certificate in [tls], or --certificate";
    throw new ConfigError(`${nameOf("tls.private-key")}: needs the certificate that it belongs to: ${cure}`);
  }
  const secure = listen.find((text) => isSecure(listener(text).transport));
  if (secure === undefined || certificate !== undefined) return;
  const cure = "set certificate and private-key in [tls], or --certificate and --private-key";
  throw new ConfigError(`${nameOf("listen")}: ${secure} needs a certificate: ${cure}`);
}

/** One port cannot be that of several listeners, unless they share it themselves, as UDP and TCP do. */
function checkAdvertise(advertise: string | undefined, listen: readonly string[], nameOf: NameOf): void {
  if (advertise === undefined || !hasPort(advertise)) return;
  const told = listen.map((text) => ({ text, ...listener(text) })).filter((each) => each.advertise === undefined);
  const first = told[0];
  // Each port 0 is another port once it is bound.
  const other = told.find((each, index) => index > 0 && (each.port !== first!.port || each.port === 0));
  if (first === undefined || other === undefined) return;
  throw new ConfigError(
    `${nameOf("advertise")}: ${advertise} names a port, but ${first.text} and ${other.text} have different ones: ` +
      `give a HOST alone, or each listener its own as in ${other.text}?advertise=HOST:PORT`,
  );
}

function checkSessionTimer({ uas }: Parsed, nameOf: NameOf): void {
  const { "session-expires": expires, "min-se": least } = uas;
  if (expires >= least) return;
  throw new ConfigError(`${nameOf("uas.session-expires")}: ${expires} is shorter than min-se, ${least}`);
}

/** A listening address that the schema has let through. */
function listener(text: string): Listener {
  return readListen(text)!;
}
