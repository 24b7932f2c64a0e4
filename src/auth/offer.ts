/** Which algorithms and qualities of protection are offered, to whom, and the challenges that say so. */
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import {
  ALGORITHM_NAMES,
  type Algorithm,
  type AlgorithmName,
  algorithmNumberOf,
  baseOf,
  type Qop,
  strengthOf,
} from "./algorithm.ts";
import { Challenges } from "./challenge.ts";
import type { DigestOptions } from "./digest-options.ts";
import type { AuthLog } from "./lockout.ts";
import { Protection } from "./response.ts";
import type { UserSource } from "./users.ts";

/** The strongest first. */
const DEFAULT_ALGORITHMS: readonly AlgorithmName[] = ["SHA-512-256", "SHA-256", "MD5"];
/** Each gives up when the first challenge, or any, is not MD5. */
const DEFAULT_MD5_AGENTS = ["sipsak", "SIPp", "baresip v0", "baresip v1"];

export class Offer {
  readonly #users: UserSource;
  readonly #configured: readonly AlgorithmName[];
  readonly #parts: { readonly realm: string; readonly qop: readonly Qop[]; readonly userhash: boolean };
  readonly #allowWithoutQop: boolean;
  readonly #md5Agents: readonly Uint8Array[];
  readonly #md5Challenges: Challenges | null;
  readonly #log: AuthLog | undefined;
  /** The list that the source had when the challenges were made. */
  #served: readonly Algorithm[] | undefined;
  /** Whether each algorithm is offered, by its number. */
  readonly #isOffered = new Uint8Array(ALGORITHM_NAMES.length);
  #challenges: Challenges;
  #isMixed = false;

  /** @throws TypeError for names that are none */
  constructor(options: DigestOptions, users: UserSource) {
    const { realm, algorithms = DEFAULT_ALGORITHMS, qop = "auth", md5Agents = DEFAULT_MD5_AGENTS } = options;
    for (const name of algorithms) {
      if (strengthOf(name) < 0) throw new TypeError(`no algorithm ${JSON.stringify(name)}`);
    }
    const qops = [...new Set(typeof qop === "string" ? [qop] : qop)];
    if (qops.length === 0 || !qops.every((name) => name === "auth" || name === "auth-int")) {
      throw new TypeError("qop must be auth, auth-int or both");
    }
    if (algorithms.length === 0) throw new TypeError("algorithms must name one at least");
    this.#users = users;
    this.#configured = algorithms;
    this.#parts = { realm, qop: qops, userhash: (options.userhash ?? false) && users.findHashed !== undefined };
    this.#allowWithoutQop = options.allowWithoutQop ?? false;
    this.#md5Agents = md5Agents.map((text) => ascii(text));
    this.#md5Challenges = algorithms.includes("MD5") ? new Challenges({ ...this.#parts, algorithms: ["MD5"] }) : null;
    this.#log = options.log;
    this.#challenges = this.#make();
  }

  /** Looks whether the users' secrets still serve the same algorithms: a file may have been written anew. */
  refresh(): void {
    if (this.#users.algorithms !== this.#served) this.#challenges = this.#make();
  }

  #make(): Challenges {
    this.#served = this.#users.algorithms;
    const served = this.#served;
    let algorithms = this.#configured;
    if (served !== undefined) {
      algorithms = algorithms.filter((name) => served.includes(baseOf(name)));
      if (algorithms.length === 0) {
        // Better some users than none: each with the algorithms its own secrets serve.
        algorithms = this.#configured;
        this.#log?.warn({ algorithms, served }, "no algorithm is served by the secrets of all users");
      }
    }
    this.#isOffered.fill(0);
    for (const name of algorithms) this.#isOffered[algorithmNumberOf(name)] = 1;
    this.#isMixed = algorithms.includes("MD5") && algorithms.length > 1;
    return new Challenges({ ...this.#parts, algorithms });
  }

  /** Whether an algorithm is offered. @param algorithm its number, or -1 */
  has(algorithm: number): boolean {
    return algorithm >= 0 && this.#isOffered[algorithm] === 1;
  }

  protects(protection: Protection): boolean {
    if (protection === Protection.None) return this.#allowWithoutQop;
    return this.#parts.qop.includes(protection === Protection.Auth ? "auth" : "auth-int");
  }

  /** The challenges for whoever sent a request. */
  challenges(message: Message): Challenges {
    return this.#isMixed && this.#wantsMd5(message) ? this.#md5Challenges! : this.#challenges;
  }

  #wantsMd5(message: Message): boolean {
    const record = message.first(Header.UserAgent);
    if (record === 0) return false;
    const { bytes } = message;
    const start = message.valueStart(record);
    const length = message.valueEnd(record) - start;
    return this.#md5Agents.some(
      (agent) => agent.length <= length && agent.every((octet, i) => bytes[start + i] === octet),
    );
  }
}
