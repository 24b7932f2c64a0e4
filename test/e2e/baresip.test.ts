/** Calls from baresip, a phone that is none of ours. Its WebSocket came with later versions than Debian's. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dialog, fullUas, type ServeOptions } from "../../src/index.ts";
import { Baresip, baresipPath } from "../support/baresip.ts";
import { CA_FILE, CERTIFICATES } from "../support/certificates.ts";
import { peerVerdict } from "../support/sipp.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

const verdict = peerVerdict(baresipPath(), process.env.CI);
const TRANSPORTS = ["udp", "tcp", "tls"] as const;

let phone: Baresip | null = null;
afterEach(async () => {
  await phone?.[Symbol.asyncDispose]();
  phone = null;
});

function listen(transport: string, options: ServeOptions = {}): Promise<TestServer> {
  const tls = { ...CERTIFICATES.server, ca: [CA_FILE], ...options.tls };
  return testServer({ ...fullUas(), listen: `${transport}://127.0.0.1:0`, ...options, tls });
}

async function dial(transport: string, to: TestServer, ...config: string[]): Promise<Baresip> {
  phone = await Baresip.start(...config);
  phone.dial(`sip:bob@127.0.0.1:${to.address.port};transport=${transport}`);
  return phone;
}

/** Waits until the server has no dialog left, and every call that it knew of was as it should be. */
async function expectAllOver({ server, log }: TestServer): Promise<void> {
  await until("the end of all dialogs", () => server.stats().dialogs === 0);
  expect(server.stats()).toMatchObject({ malformed: 0, unframed: 0, rejected: 0, byesUndelivered: 0, timeouts: 0 });
  expect(log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
}

test("where tests run unattended, baresip is there", () => {
  expect(verdict, "CI is set and there is no baresip on the PATH: install it (apt-get install baresip-core)").not.toBe(
    "fail",
  );
});

describe.skipIf(verdict !== "run").each(TRANSPORTS)("baresip over %s", (transport) => {
  test("calls, talks, offers anew and hangs up", async () => {
    using running = await listen(transport);
    const caller = await dial(transport, running);
    await caller.event("ESTABLISHED");
    expect(running.server.stats()).toMatchObject({ callsAnswered: 1, dialogs: 1 });
    caller.hold();
    await until("the answer to the second offer", () => running.server.stats().serverTransactions >= 2);
    caller.hangup();
    await caller.event("CLOSED");
    await expectAllOver(running);
    const trace = await caller.stop();
    expect(trace).toMatch(/^a=sendonly$[\s\S]*^SIP\/2\.0 200 OK$[\s\S]*^a=recvonly$/m);
    expect(trace).toMatch(new RegExp(`^Via: SIP/2\\.0/${transport.toUpperCase()} `, "m"));
    expect(trace).not.toMatch(/^REGISTER /m);
  });

  test("cancels a call that rings", async () => {
    using running = await listen(transport, fullUas({ ringTime: 20_000 }));
    const caller = await dial(transport, running);
    await caller.event("RINGING");
    caller.hangup();
    await expectAllOver(running);
    expect(await caller.stop()).toMatch(/^CANCEL sip:[\s\S]*^SIP\/2\.0 487 /m);
    expect(running.server.stats()).toMatchObject({ callsStarted: 1, callsAnswered: 0 });
  });

  test("is hung up on by the server, over the connection that it made", async () => {
    const answered = Promise.withResolvers<Dialog>();
    using running = await listen(transport, {
      invite: (call) => {
        call
          .answer("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n")
          .then(answered.resolve, answered.reject);
      },
    });
    const caller = await dial(transport, running);
    await caller.event("ESTABLISHED");
    (await answered.promise).bye();
    await caller.event("CLOSED");
    await until("the answer to BYE", () => running.server.stats().messagesReceived === 3);
    await expectAllOver(running);
    expect(running.server.stats()).toMatchObject({
      connectionsAccepted: transport === "udp" ? 0 : 1,
      connectionsOpened: 0,
    });
  });
});

describe.skipIf(verdict !== "run")("baresip and certificates", () => {
  test("calls a server that it verifies, and that verifies it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "viaduct-tls-"));
    try {
      const { certificate, privateKey } = CERTIFICATES.client;
      const both = join(folder, "client.pem");
      await writeFile(both, (await readFile(certificate, "utf8")) + (await readFile(privateKey, "utf8")));
      using running = await listen("tls", { tls: { clientCertificates: "required" } });
      const config = ["sip_verify_server yes", `sip_cafile ${CA_FILE}`, `sip_certificate ${both}`];
      const caller = await dial("tls", running, ...config);
      await caller.event("ESTABLISHED");
      caller.hangup();
      await expectAllOver(running);
      expect(running.server.stats()).toMatchObject({ handshakeFailures: 0 });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("comes to nothing without a certificate where one is required", async () => {
    using running = await listen("tls", { tls: { clientCertificates: "required" } });
    const caller = await dial("tls", running);
    await until("the refusal", () => running.server.stats().handshakeFailures > 0);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 0, connectionsAccepted: 1 });
    expect(caller.events.map(({ type }) => type)).not.toContain("CALL_ESTABLISHED");
  });
});
