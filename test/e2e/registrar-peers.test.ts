/** Phones and testers that are none of ours register with the registrar. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import { type Registrar, type RegistrarOptions, registrar } from "../../src/index.ts";
import { Baresip, baresipPath } from "../support/baresip.ts";
import { CA_FILE, CERTIFICATES } from "../support/certificates.ts";
import { peerVerdict } from "../support/sipp.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

let running: TestServer | null = null;
afterEach(() => {
  running?.[Symbol.dispose]();
  running = null;
});

/** A registrar for alice, whose password is `secret`. */
async function start(transport: string, options: RegistrarOptions = {}): Promise<Registrar> {
  const auth = digest({ realm: "example.com", users: { alice: "secret" } });
  const phones = registrar({ auth, maxBindings: 1000, ...options });
  const tls = { ...CERTIFICATES.server, ca: [CA_FILE] };
  running = await testServer({ plugins: [phones], listen: `${transport}://127.0.0.1:0`, tls });
  return phones;
}

function expectClean(): void {
  expect(running!.server.stats()).toMatchObject(CLEAN);
  expect(running!.log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
}

describe.skipIf(!hasSipp)("SIPp", () => {
  test.each([
    ["udp", []],
    ["tcp", ["-t", "t1"]],
  ])("registers, refreshes, asks and removes over %s", async (transport, more) => {
    const phones = await start(transport, { mayRegister: (user) => user.name === "alice" });
    const options = { calls: 20, more: ["-au", "alice", "-ap", "secret", ...more] };
    expectCalls(await callSipp(running!, "register.xml", options), 20);
    expect(phones.stats).toMatchObject({ registered: 20, refreshed: 20, fetched: 20, unregistered: 20, refused: 20 });
    expect(phones.stats).toMatchObject({ bindings: 0, addressesOfRecord: 0, expired: 0 });
    expectClean();
  });
});

const SIPSAK = Bun.which("sipsak");
const sipsak = peerVerdict(SIPSAK, process.env.CI);

test("where tests run unattended, sipsak is there", () => {
  expect(sipsak, "CI is set and there is no sipsak on the PATH: install it (apt-get install sipsak)").not.toBe("fail");
});

describe.skipIf(sipsak !== "run")("sipsak", () => {
  /** @returns its exit code */
  async function run(...argv: string[]): Promise<number> {
    const { port } = running!.address;
    const child = Bun.spawn(
      [SIPSAK!, "-U", "-s", `sip:alice@127.0.0.1:${port}`, "-u", "alice", "-a", "secret", ...argv],
      {
        stdio: ["ignore", "ignore", "ignore"],
        timeout: 20_000,
      },
    );
    return child.exited;
  }

  test("registers, and is told what there is", async () => {
    const phones = await start("udp");
    expect(await run("-C", "sip:alice@192.0.2.7:5070", "-x", "120")).toBe(0);
    expect(phones.lookup("sip:alice@127.0.0.1")).toMatchObject([{ contact: "sip:alice@192.0.2.7:5070", q: 1 }]);
    expect(phones.lookup("sip:alice@127.0.0.1")[0]!.expires).toBeGreaterThan(110);
    // Without a Contact it asks.
    expect(await run("-C", "empty")).toBe(0);
    expect(phones.stats).toMatchObject({ registered: 1, fetched: 1, bindings: 1 });
    expect(await run("-C", "*", "-x", "0")).toBe(0);
    expect(phones.stats).toMatchObject({ unregistered: 1, bindings: 0 });
    expectClean();
  });

  test("is refused another's address", async () => {
    const phones = await start("udp", { mayRegister: () => false });
    expect(await run("-C", "sip:alice@192.0.2.7:5070", "-x", "120")).not.toBe(0);
    expect(phones.stats).toMatchObject({ refused: 1, bindings: 0 });
  });
});

/** Without it baresip has no instance to name. */
const WITH_UUID = "module_tmp uuid.so";

describe.skipIf(peerVerdict(baresipPath(), process.env.CI) !== "run").each(["udp", "tcp", "tls"])(
  "baresip over %s",
  (transport) => {
    const account = (more: string) => {
      const { port } = running!.address;
      return `<sip:alice@127.0.0.1:${port};transport=${transport}>;auth_pass=secret;${more}`;
    };

    test("registers, is looked up, and unregisters", async () => {
      const phones = await start(transport);
      await using phone = await Baresip.start(WITH_UUID);
      phone.addAccount(account("regint=600"));
      const [binding] = await until("the binding", () => {
        const found = phones.lookup("sip:alice@127.0.0.1");
        return found.length > 0 && found;
      });
      expect(binding!.received).toStartWith(`${transport}:127.0.0.1:`);
      expect(binding!.instance).toMatch(/^<urn:uuid:[0-9a-f-]{36}>$/);
      expect([binding!.isBehindNat, binding!.flow?.channel.isOpen]).toEqual([false, true]);
      expect(binding!.expires).toBeGreaterThan(500);
      phone.removeAccount(`sip:alice@127.0.0.1:${running!.address.port}`);
      await until("the end of it", () => phones.stats.unregistered === 1);
      expectClean();
    });

    test("asks for longer when it is told that its time is too brief", async () => {
      const phones = await start(transport, { minExpires: 120 });
      await using phone = await Baresip.start(WITH_UUID);
      phone.addAccount(account("regint=60"));
      await until("the binding", () => phones.stats.registered === 1);
      expect(phones.stats.refused).toBe(1);
      expect(phones.lookup("sip:alice@127.0.0.1")[0]!.expires).toBeGreaterThan(110);
    });

    test("registers a flow (RFC 5626)", async () => {
      const phones = await start(transport);
      await using phone = await Baresip.start(WITH_UUID);
      const { port } = running!.address;
      const proxy = `outbound="sip:127.0.0.1:${port};transport=${transport}";sipnat=outbound`;
      phone.addAccount(account(`regint=600;${proxy}`));
      const [binding] = await until("the binding", () => {
        const found = phones.lookup("sip:alice@127.0.0.1");
        return found.length > 0 && found;
      });
      expect(binding!.regId).toBe(1);
      await phone.stop();
      await until("the end of it", () => phones.stats.bindings === 0);
    });
  },
);
