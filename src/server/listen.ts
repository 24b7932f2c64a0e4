/** Listen addresses as they are written, and the error when one cannot be had. */
import { hostPort } from "../transport/address.ts";
import { defaultPort, type TransportName, transportName } from "../transport/kinds.ts";

/** A listen address taken apart. */
export interface ListenAddress {
  /** As it was given. */
  text: string;
  transport: TransportName;
  /** Without brackets. */
  host: string;
  port: number;
  /** What peers are told instead, `HOST` or `HOST:PORT`. */
  advertise: string | undefined;
}

/** A listen address that cannot be used: not one, or refused by the system. */
export class ListenError extends Error {
  /** The address as it was given. */
  readonly listen: string;
  /** The system's code, `EADDRINUSE` and others, or `EINVAL` when the text is no listen address. */
  readonly code: string;

  constructor(listen: string, code: string, message: string) {
    super(message);
    this.name = "ListenError";
    this.listen = listen;
    this.code = code;
  }
}

const SHAPE =
  /^([a-z]+):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/?[\]]+))(?::(\d{1,5}))?(?:\?advertise=((?:\[[0-9A-Fa-f:.]+\]|[^\s:/?[\]]+)(?::\d{1,5})?))?$/i;

/**
 * Takes `udp|tcp|tls|ws|wss://HOST[:PORT][?advertise=HOST[:PORT]]` apart, IPv6 in brackets.
 * @throws ListenError with code `EINVAL`
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = SHAPE.exec(text);
  const transport = transportName(match?.[1] ?? "");
  const port = Number(match?.[4] ?? (transport === undefined ? 0 : defaultPort(transport)));
  if (match === null || transport === undefined || port > 65535) {
    throw new ListenError(text, "EINVAL", `${text} is not udp|tcp|tls|ws|wss://HOST:PORT`);
  }
  return { text, transport, host: (match[2] ?? match[3])!, port, advertise: match[5] };
}

/** What peers are told for a listener: `HOST` or `HOST:PORT` as given, with the listener's port where none is. */
export function advertisedFor(advertise: string, port: number): string {
  const bare = advertise.includes(":") && !advertise.startsWith("[") && advertise.split(":").length > 2;
  if (bare) return hostPort(advertise, port);
  return /(^|[^:\]]|\]):\d+$/.test(advertise) ? advertise : `${advertise}:${port}`;
}
