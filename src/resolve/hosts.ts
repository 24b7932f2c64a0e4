/**
 * The system's hosts file, which `node:dns` does not read when it asks nameservers.
 *
 * A name that stands in it is not looked for in DNS at all, neither for addresses nor for services: who writes a name
 * there says where it is. `localhost` and the names under it are this machine even where the file does not say so, and
 * never reach a nameserver (RFC 6761 s6.3).
 */
import { readFileSync, statSync } from "node:fs";
import type { Clock } from "../time/clock.ts";
import { plainName } from "./domain-name.ts";
import { familyOf, numericAddress } from "./target.ts";

/** The numeric addresses of a name, each list in the order of the file. */
export interface HostAddresses {
  readonly a: readonly string[];
  readonly aaaa: readonly string[];
}

/** Who is asked before DNS. */
export interface Hosts {
  /** @param name in lower case, without a dot at the end */
  find(name: string): HostAddresses | undefined;
}

/** Milliseconds between two looks at whether the file has changed. */
const LOOK_EVERY = 5000;
/** A larger file is not read: reading happens between messages. */
const MAX_SIZE = 1024 * 1024;

const LOOPBACK: HostAddresses = { a: ["127.0.0.1"], aaaa: ["::1"] };

export class HostsFile implements Hosts {
  readonly #clock: Clock;
  readonly #path: string;
  #names = new Map<string, HostAddresses>();
  #version = "";
  #lookAt = Number.NEGATIVE_INFINITY;

  /** @param path default `/etc/hosts`; a file that is missing or cannot be read has no names */
  constructor(clock: Clock, path = "/etc/hosts") {
    this.#clock = clock;
    this.#path = path;
  }

  find(name: string): HostAddresses | undefined {
    const now = this.#clock.now();
    if (now >= this.#lookAt) {
      this.#lookAt = now + LOOK_EVERY;
      this.#refresh();
    }
    return this.#names.get(name) ?? (name === "localhost" || name.endsWith(".localhost") ? LOOPBACK : undefined);
  }

  #refresh(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.#version) return;
      this.#names = size > MAX_SIZE ? new Map() : parseHosts(readFileSync(this.#path, "latin1"));
      this.#version = version;
    } catch {
      this.#names = new Map();
      this.#version = "";
    }
  }
}

/** Reads the text of a hosts file: an address and its names a line, `#` before a comment. Other lines are passed over. */
export function parseHosts(text: string): Map<string, HostAddresses> {
  const names = new Map<string, { a: string[]; aaaa: string[] }>();
  for (const line of text.split("\n")) {
    const [address = "", ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/);
    const numeric = numericAddress(address.toLowerCase());
    if (numeric === null) continue;
    for (const alias of aliases) {
      const name = plainName(alias);
      const entry = names.get(name) ?? { a: [], aaaa: [] };
      names.set(name, entry);
      const list: string[] = familyOf(numeric) === 6 ? entry.aaaa : entry.a;
      if (!list.includes(numeric)) list.push(numeric);
    }
  }
  return names;
}
