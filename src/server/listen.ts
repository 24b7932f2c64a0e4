/** Listen addresses as they are written, and the error when one cannot be had. */
import { hostPort, SIP_PORT } from "../transport/address.ts";

/** A listen address taken apart. */
export interface ListenAddress {
  transport: "udp";
  /** Without brackets. */
  host: string;
  port: number;
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

/** Takes `udp://HOST[:PORT]` apart, IPv6 in brackets. @throws ListenError with code `EINVAL` */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^udp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/i.exec(text);
  const port = match?.[3] === undefined ? SIP_PORT : Number(match[3]);
  if (match === null || port > 65535) throw new ListenError(text, "EINVAL", `${text} is not udp://HOST:PORT`);
  return { transport: "udp", host: (match[1] ?? match[2])!, port };
}

/** What peers are told for a listener: `HOST` or `HOST:PORT` as given, with the listener's port where none is. */
export function advertisedFor(advertise: string, port: number): string {
  const bare = advertise.includes(":") && !advertise.startsWith("[") && advertise.split(":").length > 2;
  if (bare) return hostPort(advertise, port);
  return /(^|[^:\]]|\]):\d+$/.test(advertise) ? advertise : `${advertise}:${port}`;
}
