/**
 * A REGISTER's credentials judged, its H(A1) known: with a nonce in use, with a new one whose signature is looked at, of a
 * user that is not there; and the challenge of a request without any. The scan of the message is not in it. The budget is
 * what a check may add to a REGISTER. Run: `bun run bench digest`.
 */
import { type Algorithm, ha1Of, ha2Of, responseOf } from "../src/auth/algorithm.ts";
import { Digest } from "../src/auth/digest.ts";
import { hashPassword } from "../src/auth/hash-password.ts";
import type { UserSecrets } from "../src/auth/users.ts";
import { ascii, latin1 } from "../src/message/bytes.ts";
import { readFields } from "../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../src/message/limits.ts";
import type { Message } from "../src/message/message.ts";
import { Scanner } from "../src/message/scanner.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { clock, selfTimed } from "./micro/sample.ts";

const BUDGET_NS = 3000;
/** Phones that register in turn, each with words of its own: one alone would be learned by heart by the processor. */
const PHONES = 64;
const USERS = 10_000;
const REALM = "example.com";
const ALGORITHMS = ["MD5", "SHA-256", "SHA-512-256"] as const;

const scanner = new Scanner();

function scanned(text: string): Message {
  const message = scanner.scanDatagram(ascii(text));
  if (!readFields(message, DEFAULT_LIMITS) || message.fault !== 0) throw new Error(message.faultText);
  return message.keep();
}

/** One phone: what it sends, and the nonce that it goes on with. */
class Phone {
  readonly address: string;
  readonly #user: string;
  readonly #number: number;
  #nonce = "";
  #count = 0;

  constructor(number: number) {
    this.#number = number;
    this.#user = nameOf(number * 151);
    this.address = `203.0.113.${number}`;
  }

  register(authorization: string): Message {
    const user = this.#user;
    const tag = (0x5a3c71 * (this.#number + 3)).toString(36);
    return scanned(
      [
        `REGISTER sip:${REALM} SIP/2.0`,
        `Via: SIP/2.0/UDP ${this.address}:5060;branch=z9hG4bK${tag}${this.#count};rport`,
        "Max-Forwards: 70",
        `From: <sip:${user}@${REALM}>;tag=${tag}`,
        `To: <sip:${user}@${REALM}>`,
        `Call-ID: ${tag}-${user}@${this.address}`,
        `CSeq: ${this.#count + 1} REGISTER`,
        `Contact: <sip:${user}@${this.address}:5060>;expires=3600`,
        "User-Agent: Example Desk Phone/7.9.12",
        ...(authorization === "" ? [] : [`Authorization: ${authorization}`]),
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    );
  }

  /** The next REGISTER with credentials. @param password what it takes for its own */
  login(algorithm: Algorithm, password = secretOf(this.#user), user = this.#user): Message {
    const nc = (++this.#count).toString(16).padStart(8, "0");
    const cnonce = (0x9e3779b1 * (this.#count + this.#number)).toString(16);
    const ha1 = ha1Of(algorithm, user, REALM, password);
    const uri = `sip:${REALM}`;
    const nonce = this.#nonce;
    const response = responseOf(algorithm, ha1, { nonce, nc, cnonce, qop: "auth" }, ha2Of(algorithm, "REGISTER", uri));
    return this.register(
      `Digest username="${user}", realm="${REALM}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
        `algorithm=${algorithm}, cnonce="${cnonce}", qop=auth, nc=${nc}`,
    );
  }

  /** Begins with a nonce of its own. */
  renew(auth: Digest): void {
    const verdict = auth.check(this.register(""), this.address, "uas");
    if (verdict instanceof Promise || verdict.isAllowed) throw new Error("no challenge");
    const lines = latin1(verdict.headers!, 0, verdict.headers!.length);
    this.#nonce = /nonce="([^"]+)"/.exec(lines)![1]!;
    this.#count = 0;
  }
}

function nameOf(number: number): string {
  return `phone${10_000 + number}`;
}

function secretOf(user: string): string {
  return `secret of ${user}`;
}

export default async function digest({ effort, figure }: Bench): Promise<void> {
  const users: Record<string, UserSecrets> = {};
  for (let i = 0; i < USERS; i++) {
    users[nameOf(i)] = { ha1: hashPassword(nameOf(i), REALM, secretOf(nameOf(i))) };
  }
  const phones = Array.from({ length: PHONES }, (_, i) => new Phone(i));

  /** Times the checks of one message of each phone; `prepared` makes them, which is not timed. */
  async function measure(name: string, wanted: boolean, prepared: (auth: Digest) => Message[], budget?: number) {
    const auth = new Digest({ realm: REALM, users, failures: { refuseUserAfter: 0, refuseAddressAfter: 0 } });
    for (const phone of phones) phone.renew(auth);
    let allowed = 0;
    let checks = 0;
    const times = await selfTimed(
      PHONES,
      () => {
        const messages = prepared(auth);
        const began = clock();
        for (let i = 0; i < PHONES; i++) {
          const verdict = auth.check(messages[i]!, phones[i]!.address, "uas");
          if ((verdict as { isAllowed: boolean }).isAllowed) allowed++;
        }
        const taken = clock() - began;
        checks += PHONES;
        return taken;
      },
      effort,
    );
    if (allowed !== (wanted ? checks : 0)) throw new Error(`${name}: ${allowed} of ${checks} allowed`);
    figure({ name, unit: "ns", ...times, budget });
  }

  for (const algorithm of ALGORITHMS) {
    const budget = algorithm === "SHA-512-256" ? undefined : BUDGET_NS;
    const login = () => phones.map((phone) => phone.login(algorithm));
    await measure(`${algorithm}, a nonce in use`, true, login, budget);
  }
  const first = (auth: Digest) => {
    for (const phone of phones) phone.renew(auth);
    return phones.map((phone) => phone.login("SHA-256"));
  };
  await measure("SHA-256, a new nonce", true, first, BUDGET_NS);
  await measure("SHA-256, a wrong password", false, () => phones.map((phone) => phone.login("SHA-256", "guess")));
  const nobody = () => phones.map((phone) => phone.login("SHA-256", "guess", "nobody"));
  await measure("SHA-256, a user that is not there", false, nobody);
  await measure("a challenge with all three", false, () => phones.map((phone) => phone.register("")));
}

if (import.meta.main) await runOne("digest", digest);
