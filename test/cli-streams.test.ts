/** The command with TCP, TLS and WebSocket listeners: what it says of them, and certificates that are read again. */
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { CERTIFICATES, type CertificateFiles } from "./support/certificates.ts";
import { killChildren, refusalOf, remaining, startCli } from "./support/cli-child.ts";

const folder = mkdtempSync(join(tmpdir(), "viaduct-cli-"));
afterAll(() => {
  killChildren();
  rmSync(folder, { recursive: true });
});

const PEM = { certificate: join(folder, "server.pem"), privateKey: join(folder, "server.key") };
const PAIR = ["--certificate", PEM.certificate, "--private-key", PEM.privateKey];

/** Puts a certificate and its key where the server looks for its own. */
function install(files: CertificateFiles): void {
  copyFileSync(files.certificate, PEM.certificate);
  copyFileSync(files.privateKey, PEM.privateKey);
}

/** Sends OPTIONS on an open connection. @returns the start line of what comes back */
function ask(socket: Socket, transport: "TCP" | "TLS"): Promise<string> {
  const id = crypto.randomUUID();
  const lines = [
    "OPTIONS sip:127.0.0.1 SIP/2.0",
    `Via: SIP/2.0/${transport} 127.0.0.1:9;branch=z9hG4bK${id}`,
    "Max-Forwards: 70",
    `From: <sip:peer@127.0.0.1>;tag=${id}`,
    "To: <sip:127.0.0.1>",
    `Call-ID: ${id}`,
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
  ];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.once("data", (bytes: Buffer) => resolve(bytes.toString("latin1").split("\r\n", 1)[0]!));
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed")));
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return promise;
}

async function openTls(port: number): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }, resolve);
  socket.once("error", reject);
  await promise;
  return socket;
}

function serialOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().serialNumber.replace(/^0+/, "");
}

describe("listeners", () => {
  test("of every transport are told in their order, and SIP is answered", async () => {
    install(CERTIFICATES.server);
    const schemes = ["udp", "tcp", "tls", "ws", "wss"];
    const { child, listen, ports } = await startCli(
      ...schemes.flatMap((scheme) => ["--listen", `${scheme}://127.0.0.1:0`]),
      ...PAIR,
    );
    expect(listen.map((address) => address.replace(/[1-9]\d*$/, "PORT"))).toEqual(
      schemes.map((scheme) => `${scheme}://127.0.0.1:PORT`),
    );
    const tcp = connectTcp(ports[1]!, "127.0.0.1");
    expect(await ask(tcp, "TCP")).toBe("SIP/2.0 200 OK");
    const tls = await openTls(ports[2]!);
    expect(await ask(tls, "TLS")).toBe("SIP/2.0 200 OK");
    tcp.destroy();
    tls.destroy();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("that cannot be are refused with the cure for their own scheme", async () => {
    expect(await refusalOf("--listen", "tcp://192.0.2.1")).toBe(
      "listen tcp://192.0.2.1:5060: this machine has no such address; choose one of its own, " +
        "or tcp://0.0.0.0:PORT for all of them",
    );
    const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const message = await refusalOf("--listen", `ws://127.0.0.1:${holder.port}`);
    holder.stop(true);
    expect(message).toStartWith(`listen ws://127.0.0.1:${holder.port}: the port is in use; `);
  });

  test("over TLS without a certificate are refused", async () => {
    expect(await refusalOf("--listen", "wss://127.0.0.1")).toBe(
      "--listen: wss://127.0.0.1:443 needs a certificate: " +
        "set certificate and private-key in [tls], or --certificate and --private-key",
    );
  });
});

describe("certificates", () => {
  test("a file that cannot be used is named", async () => {
    install(CERTIFICATES.server);
    const listen = ["--listen", "tls://127.0.0.1:0"];
    const none = join(folder, "none.pem");
    const missing = await refusalOf(...listen, "--certificate", none, "--private-key", PEM.privateKey);
    expect(missing).toStartWith("certificate: ");
    expect(missing).toContain(none);
    const { privateKey } = CERTIFICATES.other;
    const foreign = await refusalOf(...listen, "--certificate", PEM.certificate, "--private-key", privateKey);
    expect(foreign).toMatch(/^(certificate|private-key): /);
    expect(foreign).toContain(privateKey);
  });

  test("SIGHUP reads them again: new connections get the new one, open ones stay, a bad one changes nothing", async () => {
    install(CERTIFICATES.server);
    const file = join(folder, "tls.toml");
    writeFileSync(
      file,
      "listen = 'tls://127.0.0.1:0'\nmode = 'minimal'\n" +
        "[tls]\ncertificate = 'server.pem'\nprivate-key = 'server.key'\n",
    );
    const { child, ports, records } = await startCli("--config", file);
    const before = await openTls(ports[0]!);
    expect(serialOf(before)).toBe("1003");
    expect(await ask(before, "TLS")).toBe("SIP/2.0 200 OK");

    install(CERTIFICATES.renewed);
    child.kill("SIGHUP");
    expect((await records.next()).value).toMatchObject({ level: "info", msg: "the certificate was read again" });
    const after = await openTls(ports[0]!);
    expect(serialOf(after)).toBe("1004");
    expect(await ask(after, "TLS")).toBe("SIP/2.0 200 OK");
    expect(await ask(before, "TLS")).toBe("SIP/2.0 200 OK");

    writeFileSync(PEM.certificate, "no certificate at all\n");
    child.kill("SIGHUP");
    const { value: fault } = await records.next();
    expect(fault).toMatchObject({ level: "error", setting: "certificate", file: PEM.certificate });
    expect(fault!.msg).toStartWith("the certificate stays as it was: ");
    const still = await openTls(ports[0]!);
    expect(serialOf(still)).toBe("1004");
    expect(await ask(still, "TLS")).toBe("SIP/2.0 200 OK");

    for (const socket of [before, after, still]) socket.destroy();
    child.kill("SIGTERM");
    expect(await remaining(records)).toEqual(["stopping: no new calls are taken", "stopped"]);
    expect(await child.exited).toBe(0);
  });
});
