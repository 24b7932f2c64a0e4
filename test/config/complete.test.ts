import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { settingsFolder } from "./settings-folder.ts";

const { folder, settingsOf, errorOf, remove } = settingsFolder();
afterAll(remove);

describe("files named in settings", () => {
  test("a relative one in the file is led from the file's folder, an absolute one stays", async () => {
    const toml = "[tls]\ncertificate = 'tls/c.pem'\nprivate-key = '/etc/k.pem'\nca = ['../a.pem', '/etc/b.pem']";
    const { tls } = await settingsOf([], toml);
    expect(tls.certificate).toBe(join(folder, "tls/c.pem"));
    expect(tls["private-key"]).toBe("/etc/k.pem");
    expect(tls.ca).toEqual([join(folder, "../a.pem"), "/etc/b.pem"]);
    expect((await settingsOf([], "[tls]\nca = 'one.pem'")).tls.ca).toEqual([join(folder, "one.pem")]);
  });

  test("one in a flag stays as it is, from the working directory", async () => {
    const toml = "[tls]\ncertificate = 'c.pem'\nprivate-key = 'k.pem'";
    const { tls } = await settingsOf(["--private-key", "other/k.pem", "--ca", "a.pem", "--ca", "b.pem"], toml);
    expect(tls.certificate).toBe(join(folder, "c.pem"));
    expect(tls["private-key"]).toBe("other/k.pem");
    expect(tls.ca).toEqual(["a.pem", "b.pem"]);
  });
});

test("yes and no are read from flags as from the file, and a flag overrides", async () => {
  expect((await settingsOf(["--verify-servers", "false"])).tls["verify-servers"]).toBe(false);
  expect((await settingsOf(["--verify-servers=true"], "[tls]\nverify-servers = false")).tls["verify-servers"]).toBe(
    true,
  );
  expect((await settingsOf([], "[tls]\nverify-servers = false")).tls["verify-servers"]).toBe(false);
});

describe("settings that ask for each other", () => {
  const PAIR = ["--certificate", "c.pem", "--private-key", "k.pem"];
  const CURE = "set certificate and private-key in [tls], or --certificate and --private-key";

  test("with a certificate and no address to listen on, TLS is listened for too", async () => {
    expect((await settingsOf(PAIR)).listen).toEqual(["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060", "tls://0.0.0.0:5061"]);
    expect((await settingsOf([...PAIR, "--listen", "tcp://127.0.0.1"])).listen).toEqual(["tcp://127.0.0.1:5060"]);
  });

  test("a listener over TLS without a certificate is named", async () => {
    for (const scheme of ["tls", "wss"]) {
      const message = await errorOf(["--listen", "udp://127.0.0.1", "--listen", `${scheme}://127.0.0.1:7000`]);
      expect(message).toBe(`--listen: ${scheme}://127.0.0.1:7000 needs a certificate: ${CURE}`);
    }
    const inFile = await errorOf([], "listen = 'tls://[::]?advertise=192.0.2.1'");
    expect(inFile).toBe(`FILE: listen: tls://[::]:5061?advertise=192.0.2.1 needs a certificate: ${CURE}`);
    const listen = ["--listen", "tls://127.0.0.1", "--listen", "wss://127.0.0.1", "--listen", "ws://127.0.0.1"];
    expect((await settingsOf([...PAIR, ...listen])).listen).toHaveLength(3);
  });

  test("a certificate and its key go together", async () => {
    expect(await errorOf(["--certificate", "c.pem"])).toBe(
      "--certificate: needs the private key that belongs to it: set private-key in [tls], or --private-key",
    );
    expect(await errorOf([], "[tls]\nprivate-key = 'k.pem'")).toBe(
      "FILE: tls.private-key: needs the certificate that it belongs to: set certificate in [tls], or --certificate",
    );
    expect(await errorOf(["--listen", "tls://127.0.0.1", "--private-key", "k.pem"])).toStartWith(
      "--private-key: needs",
    );
    const shared = await settingsOf(["--certificate", "c.pem"], "[tls]\nprivate-key = '/k.pem'");
    expect(shared.tls).toMatchObject({ certificate: "c.pem", "private-key": "/k.pem" });
  });

  test("an advertised port is not that of listeners with different ports", async () => {
    expect(await errorOf(["--advertise", "192.0.2.1:5060", ...PAIR])).toBe(
      "--advertise: 192.0.2.1:5060 names a port, but udp://0.0.0.0:5060 and tls://0.0.0.0:5061 have different ones: " +
        "give a HOST alone, or each listener its own as in tls://0.0.0.0:5061?advertise=HOST:PORT",
    );
    const toml = "advertise = 'example.com:1'\nlisten = ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0']";
    expect(await errorOf([], toml)).toStartWith("FILE: advertise: example.com:1 names a port, but udp://127.0.0.1:0 ");
  });

  test.each([
    [["--advertise", "192.0.2.1", ...PAIR]],
    [["--advertise", "192.0.2.1:5080"]],
    [["--advertise", "192.0.2.1:5080", "--listen", "udp://127.0.0.1:0"]],
    [
      [
        "--advertise",
        "192.0.2.1:5080",
        "--listen",
        "udp://127.0.0.1",
        "--listen",
        "ws://127.0.0.1?advertise=192.0.2.1",
      ],
    ],
  ])("%j is fine", async (args) => {
    const advertise = args[1];
    expect((await settingsOf(args)).advertise).toBe(advertise!);
  });
});
