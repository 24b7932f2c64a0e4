/** Certificates that are renewed while the server runs. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { fullUas, type ServeOptions } from "../../src/index.ts";
import { TlsFileError } from "../../src/transport/tls/files.ts";
import { CA_FILE, CERTIFICATES, type CertificateFiles, UNTRUSTED_CA_FILE } from "../support/certificates.ts";
import { OFFER } from "../support/sip-messages.ts";
import { StreamClient, type StreamTransport } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { pem, TlsListener } from "../support/tls-listener.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const { server, renewed, expired, client, untrusted } = CERTIFICATES;
/** The ends of the serial numbers of the two. */
const SERVER = "1003";
const RENEWED = "1004";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A server whose certificate lies in a folder of the test's. */
async function listen(transport: "tls" | "wss", options: ServeOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-reload-"));
  folders.push(folder);
  const certificate = join(folder, "cert.pem");
  const privateKey = join(folder, "key.pem");
  const ca = join(folder, "ca.pem");
  const put = (files: CertificateFiles) => {
    writeFileSync(certificate, readFileSync(files.certificate));
    writeFileSync(privateKey, readFileSync(files.privateKey));
  };
  const putCa = (file: string) => writeFileSync(ca, readFileSync(file));
  put(server);
  putCa(CA_FILE);
  const running = await testServer({
    ...fullUas(),
    listen: `${transport}://127.0.0.1:0`,
    ...options,
    tls: { certificate, privateKey, ca: [ca], ...options.tls },
  });
  return {
    server: running.server,
    address: running.address,
    certificate,
    privateKey,
    put,
    putCa,
    connect: (tls: Bun.TLSOptions = {}) => StreamClient.open(running.address, { transport, tls }),
    [Symbol.dispose]: () => running[Symbol.dispose](),
  };
}

/** The serial number of the certificate that a new connection is shown. */
function serialAt({ address, port }: { address: string; port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: address, port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

/** Connects at once, not in a later turn. @returns `done` once the TLS handshake is, else what went wrong */
function handshakeWith({ address, port }: { address: string; port: number }): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  Bun.connect({
    hostname: address,
    port,
    tls: { rejectUnauthorized: false },
    socket: {
      handshake(socket, success, error) {
        resolve(success ? "done" : String(error));
        socket.end();
      },
      close: () => resolve("closed"),
      error: (_socket, error) => resolve(error.message),
      data() {},
    },
  }).catch((error: Error) => resolve(error.message));
  return promise;
}

describe.each(["tls", "wss"] as const)("%s", (transport: StreamTransport & ("tls" | "wss")) => {
  test("new connections are shown the renewed certificate at the same address, and calls go on", async () => {
    using running = await listen(transport);
    expect(await serialAt(running.address)).toEndWith(SERVER);
    using caller = await running.connect();
    const call = await caller.invite({ body: OFFER });
    call.ack();
    running.put(renewed);
    expect(await serialAt(running.address)).toEndWith(SERVER);
    running.server.reloadCertificates();
    expect(await serialAt(running.address)).toEndWith(RENEWED);
    expect(running.server.addresses[0]).toMatchObject(running.address);
    // Long after: what was listened with before has had the time to go.
    for (let n = 0; n < 5; n++) {
      expect((await call.ask("OPTIONS")).status).toBe(200);
      await Bun.sleep(20);
    }
    expect((await call.ask("BYE")).status).toBe(200);
    expect(caller.isClosed).toBe(false);
    using another = await running.connect();
    expect((await another.ask("OPTIONS")).status).toBe(200);
  });

  test("files that are at fault change nothing", async () => {
    using running = await listen(transport);
    using caller = await running.connect();
    const faults: [string, () => void, Partial<TlsFileError>][] = [
      ["expired", () => running.put(expired), { setting: "certificate", file: running.certificate }],
      [
        "a key of another",
        () => {
          running.put(renewed);
          writeFileSync(running.privateKey, readFileSync(server.privateKey));
        },
        { setting: "private-key", file: running.privateKey },
      ],
      [
        "half written",
        () => {
          running.put(renewed);
          const text = readFileSync(renewed.certificate, "utf8");
          writeFileSync(running.certificate, text.slice(0, text.length / 2));
        },
        { setting: "certificate", file: running.certificate },
      ],
      [
        "gone",
        () => {
          running.put(renewed);
          rmSync(running.privateKey);
        },
        { setting: "private-key", file: running.privateKey },
      ],
    ];
    for (const [, spoil, fault] of faults) {
      spoil();
      let thrown: unknown = null;
      try {
        running.server.reloadCertificates();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(TlsFileError);
      expect(thrown).toMatchObject(fault);
      expect((thrown as TlsFileError).message).toContain(fault.file!);
      expect(await serialAt(running.address)).toEndWith(SERVER);
      expect((await caller.ask("OPTIONS")).status).toBe(200);
    }
    running.put(renewed);
    running.server.reloadCertificates();
    expect(await serialAt(running.address)).toEndWith(RENEWED);
  });

  // Bun.serve, which wss stands on, gives up connections whose TLS handshake is not over when it stops listening, and
  // cannot take another certificate without that: such a client has to connect again.
  const testUnlessLost = transport === "tls" ? test : test.failing;

  testUnlessLost(
    "connections that were waiting to be accepted when the files were read again are not refused",
    async () => {
      using running = await listen(transport);
      running.put(renewed);
      const waiting = Array.from({ length: 20 }, () => handshakeWith(running.address));
      // The kernel takes them now; the server cannot, before the reload.
      Bun.sleepSync(20);
      running.server.reloadCertificates();
      expect(new Set(await Promise.all(waiting))).toEqual(new Set(["done"]));
    },
  );

  testUnlessLost("nor are those in the middle of their handshake", async () => {
    using running = await listen(transport);
    running.put(renewed);
    const waiting = Array.from({ length: 20 }, () => handshakeWith(running.address));
    await until("the connections", () => running.server.stats().connectionsAccepted > 0 || transport === "wss");
    running.server.reloadCertificates();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["done"]));
  });

  test("under load nobody is refused, and no call is lost", async () => {
    using running = await listen(transport);
    using steady = await running.connect();
    const call = await steady.invite({ body: OFFER });
    call.ack();
    let isOver = false;
    const failures: unknown[] = [];
    let calls = 0;
    // See above: over wss a connection may have to be made again, but a call that was begun is never lost.
    const connected = async (): Promise<StreamClient> => {
      for (let tries = 1; ; tries++) {
        try {
          return await running.connect();
        } catch (error) {
          if (transport === "tls" || tries === 5) throw error;
        }
      }
    };
    const caller = async () => {
      while (!isOver) {
        try {
          using peer = await connected();
          const one = await peer.invite({ body: OFFER });
          one.ack();
          expect((await one.ask("BYE")).status).toBe(200);
          calls++;
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const callers = Array.from({ length: 4 }, caller);
    for (let n = 0; n < 20; n++) {
      running.put(n % 2 === 0 ? renewed : server);
      running.server.reloadCertificates();
      const before = calls;
      await until("a call", () => calls > before + 2);
      expect((await call.ask("OPTIONS")).status).toBe(200);
    }
    isOver = true;
    await Promise.all(callers);
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(40);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(await serialAt(running.address)).toEndWith(SERVER);
  });

  test("authorities are read again too", async () => {
    using running = await listen(transport, { tls: { clientCertificates: "required" } });
    using good = await running.connect(pem(client));
    expect((await good.ask("OPTIONS")).status).toBe(200);
    running.putCa(UNTRUSTED_CA_FILE);
    running.server.reloadCertificates();
    using other = await running.connect(pem(untrusted));
    expect((await other.ask("OPTIONS")).status).toBe(200);
    await expect(
      running.connect(pem(client)).then(async (refused) => {
        using _refused = refused;
        await refused.ask("OPTIONS");
      }),
    ).rejects.toThrow();
    expect((await good.ask("OPTIONS")).status).toBe(200);
  });
});

test("connections that the server opens show the renewed certificate too", async () => {
  using running = await listen("tls");
  using peer = new TlsListener(server);
  const ask = () => running.server.request("OPTIONS", `sip:127.0.0.1:${peer.port};transport=tls`);
  await ask();
  running.put(renewed);
  running.server.reloadCertificates();
  // The one that is open stays.
  await ask();
  expect([peer.accepted, peer.serials]).toEqual([1, [SERVER]]);
  peer.reset();
  await until("the loss", () => running.server.stats().connections === 0);
  await ask();
  expect(peer.serials).toEqual([SERVER, RENEWED]);
});

test("a server without a certificate has nothing to read, and says nothing", async () => {
  using running = await testServer({ ...fullUas(), listen: "tcp://127.0.0.1:0" });
  running.server.reloadCertificates();
  using caller = await StreamClient.open(running.address);
  expect((await caller.ask("OPTIONS")).status).toBe(200);
});
