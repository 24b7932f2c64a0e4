/** Ends a command that cannot go on: one line for the operator where the settings are the cause, a stack for a fault. */

import { writeSync } from "node:fs";
import { ConfigError } from "../config/error.ts";
import { printable } from "../observe/printable.ts";

export const EXIT_FAULT = 1;
const EXIT_SETTINGS = 2;

const UNKNOWN_HOST = "the host name is not known; choose an address of this machine";
/** How to get round each reason not to listen, by the error code of the system. SCHEME stands for the listener's own. */
const LISTEN_CURES: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; choose a free port, or stop the program that holds it",
  EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or SCHEME://0.0.0.0:PORT for all of them",
  EACCES: "not allowed; choose a port of 1024 or above, or run with the right to use this one",
  ENOENT: UNKNOWN_HOST,
  ENOTFOUND: UNKNOWN_HOST,
};

/** At once, for the process may end before anything later; and not by the console, which would colour it. */
function say(message: string): void {
  writeSync(process.stderr.fd, `${printable(`viaduct: ${message}`)}\n`);
}

/**
 * Ends the process, with exit code 2 when the settings are the cause and 1 after a fault. The errors of the server are
 * known by their fields, for its classes may not have been loaded yet.
 */
export function refuse(error: unknown): never {
  const { listen, code, setting, file, message } = error as Record<string, unknown>;
  if (error instanceof ConfigError) say(`${message}`);
  else if (typeof listen === "string" && typeof code === "string") {
    const cure = LISTEN_CURES[code]?.replace("SCHEME", listen.split(":", 1)[0]!);
    say(`listen ${listen}: ${cure ?? message}`);
  } else if (typeof setting === "string" && typeof file === "string") {
    say(`${setting}: ${message}`);
  } else {
    console.error(error);
    process.exit(EXIT_FAULT);
  }
  process.exit(EXIT_SETTINGS);
}
