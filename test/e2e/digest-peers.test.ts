/** Phones and testers that are none of ours log in: their credentials, as they write them, judged by ours. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Role } from "../../src/auth/challenge.ts";
import { type Digest, type DigestOptions, digest } from "../../src/auth/digest.ts";
import { Baresip, baresipPath } from "../support/baresip.ts";
import { linesOf, now } from "../support/digest-client.ts";
import { scan } from "../support/scan.ts";
import { type Reaction, SipServer } from "../support/sip-server.ts";
import { peerVerdict, runSipp, sippPath } from "../support/sipp.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

let server: SipServer | null = null;
afterEach(() => {
  server?.[Symbol.dispose]();
  server = null;
});

/** A server over UDP that answers 200 to who logs in as alice. */
async function serve(role: Role, options: Partial<DigestOptions> = {}): Promise<{ auth: Digest; server: SipServer }> {
  const auth = digest({ realm: "example.com", users: { alice: "secret" }, ...options });
  const answered = new Map<string, Reaction>();
  server = await SipServer.start(
    ({ message: { text, method, branch } }) => {
      if (method === "ACK") return "silent";
      let reaction = answered.get(branch!);
      if (reaction === undefined) {
        const verdict = now(auth.check(scan(text), "127.0.0.1", role));
        const lines = verdict.headers === null || verdict.headers === undefined ? [] : linesOf(verdict);
        reaction = { status: verdict.isAllowed ? 200 : verdict.status, headers: lines };
        answered.set(branch!, reaction);
      }
      return reaction;
    },
    { over: ["udp"] },
  );
  return { auth, server };
}

const sipp = peerVerdict(sippPath(), process.env.CI);
describe.skipIf(sipp === "skip")("SIPp", () => {
  const MODES = [
    ["auth", {}],
    ["auth-int where it is offered", { qop: ["auth", "auth-int"] }],
  ] as const;

  test.each(MODES)("registers with %s", async (_, options) => {
    const { auth, server } = await serve("uas", options);
    const more = ["-au", "alice", "-ap", "secret"];
    const result = await runSipp({ scenario: "register_digest.xml", to: server.at, calls: 5, more });
    expect(result).toMatchObject({ code: 0, successful: 5, failed: 0 });
    expect(auth.counters).toMatchObject({ challenged: 5, accepted: 5, rejected: 0, malformed: 0, replayed: 0 });
  });

  test.each(MODES)("calls through a proxy with %s", async (_, options) => {
    const { auth, server } = await serve("proxy", options);
    const more = ["-au", "alice", "-ap", "secret"];
    const result = await runSipp({ scenario: "invite_digest.xml", to: server.at, calls: 5, more });
    expect(result).toMatchObject({ code: 0, successful: 5, failed: 0 });
    expect(auth.counters).toMatchObject({ challenged: 5, accepted: 5, rejected: 0, malformed: 0 });
  });

  test("does not get in with a wrong password", async () => {
    const { auth, server } = await serve("uas");
    const more = ["-au", "alice", "-ap", "guess"];
    const result = await runSipp({ scenario: "register_digest.xml", to: server.at, calls: 2, more });
    expect(result).toMatchObject({ successful: 0, failed: 2 });
    expect(auth.counters).toMatchObject({ accepted: 0, rejected: 2 });
  });
});

const SIPSAK = Bun.which("sipsak");
describe.skipIf(peerVerdict(SIPSAK, process.env.CI) === "skip")("sipsak", () => {
  /** Registers. @returns its exit code */
  async function register(to: SipServer, password: string): Promise<number> {
    const argv = ["-U", "-s", `sip:alice@${to.at}`, "-u", "alice", "-a", password, "-x", "60"];
    const child = Bun.spawn([SIPSAK ?? "sipsak", ...argv, "-C", "sip:alice@127.0.0.1:5060"], {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: 20_000,
    });
    return child.exited;
  }

  test.each(["uas", "proxy"] as const)("registers at a %s", async (role) => {
    const { auth, server } = await serve(role);
    expect(await register(server, "secret")).toBe(0);
    expect(auth.counters).toMatchObject({ challenged: 1, accepted: 1, rejected: 0, malformed: 0 });
  });

  test("does not get in with a wrong password", async () => {
    const { auth, server } = await serve("uas");
    expect(await register(server, "guess")).not.toBe(0);
    expect(auth.counters).toMatchObject({ accepted: 0, rejected: 1 });
  });
});

describe.skipIf(peerVerdict(baresipPath(), process.env.CI) === "skip")("baresip", () => {
  test("registers", async () => {
    const { auth, server } = await serve("uas");
    await using phone = await Baresip.start();
    phone.addAccount(`<sip:alice@${server.at}>;auth_user=alice;auth_pass=secret;regint=600`);
    await until("a registration", () => auth.counters.accepted > 0);
    expect(auth.counters).toMatchObject({ rejected: 0, malformed: 0 });
  });

  test("does not get in with a wrong password", async () => {
    const { auth, server } = await serve("uas");
    await using phone = await Baresip.start();
    phone.addAccount(`<sip:alice@${server.at}>;auth_user=alice;auth_pass=guess;regint=600`);
    await until("a failure", () => auth.counters.rejected > 0);
    expect(auth.counters).toMatchObject({ accepted: 0, malformed: 0 });
  });
});
