import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { defaultText, settings } from "../src/config/catalogue.ts";
import {
  killChildren,
  refusalOf,
  remaining,
  runCli,
  spawnCli,
  startCli,
  startOnTerminal,
} from "./support/cli-child.ts";

const folder = mkdtempSync(join(tmpdir(), "viaduct-cli-"));
afterAll(() => {
  killChildren();
  rmSync(folder, { recursive: true });
});

describe("questions", () => {
  test("--version prints the version of the package", async () => {
    expect(await runCli("--version")).toEqual({ stdout: `${packageJson.version}\n`, stderr: "", code: 0 });
  });

  test("--help mentions every setting with its default and what is right", async () => {
    const { stdout, stderr, code } = await runCli("--help");
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    const words = stdout.replace(/\s+/g, " ");
    for (const setting of settings) {
      const { key, placeholder, about, right } = setting;
      expect(words).toContain(` --${key} <${placeholder}> ${about} (${right}; default ${defaultText(setting)})`);
    }
    for (const flag of ["--config <file>", "--help", "--version"]) expect(words).toContain(flag);
  });
});

describe("a start that cannot be ends with one line and exit code 2", () => {
  test("a wrong flag", async () => {
    expect(await refusalOf("--t1", "5")).toBe("--t1: must be a whole number of milliseconds from 10 to 60000, not 5");
  });

  test("an unknown flag", async () => {
    expect(await refusalOf("--lisen", "udp://127.0.0.1")).toBe("unknown flag --lisen: did you mean --listen?");
  });

  test("a wrong setting in the file, with controls in it", async () => {
    const file = join(folder, "wrong.toml");
    writeFileSync(file, 'log-level = "a\\u001b[2J\\nb\\u2028c"');
    const message = await refusalOf("--config", file);
    expect(message).toStartWith(`${file}: log-level: must be fatal, error, `);
    expect(message).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  test("a file that is no TOML", async () => {
    const file = join(folder, "bad.toml");
    writeFileSync(file, "[uas]\nring-time = = 1\n");
    expect(await refusalOf("--config", file)).toStartWith(`--config ${file}:2: is not TOML: `);
  });

  test("a file that is not there, its name on two lines", async () => {
    const message = await refusalOf("--config", join(folder, "no\nsuch"));
    expect(message).toBe(`--config ${folder}/no\\x0asuch: must be a file that can be read: there is no such file`);
  });
});

const ANY_PORT = ["--listen", "udp://127.0.0.1:0"];

/** An INVITE whose Call-ID and branch are made from `id`. */
function invite(id: string, port: number): string {
  const lines = [
    "INVITE sip:test@127.0.0.1 SIP/2.0",
    `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK-${id}`,
    "Max-Forwards: 70",
    `From: <sip:peer@127.0.0.1>;tag=${id}`,
    "To: <sip:test@127.0.0.1>",
    `Call-ID: ${id}`,
    "CSeq: 1 INVITE",
    `Contact: <sip:peer@127.0.0.1:${port}>`,
    "Content-Length: 0",
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A socket that talks to one port, and lets a test wait for a response by its Call-ID and status. */
async function openPeer(to: number) {
  const received: string[] = [];
  let wake = () => {};
  const data = (_socket: unknown, bytes: Uint8Array) => {
    received.push(new TextDecoder().decode(bytes));
    wake();
  };
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", socket: { data } });
  const next = async (id: string, status: number): Promise<string> => {
    for (;;) {
      const found = received.find(
        (text) => text.startsWith(`SIP/2.0 ${status} `) && text.includes(`Call-ID: ${id}\r\n`),
      );
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    port: socket.port,
    send: (text: string) => socket.send(text, to, "127.0.0.1"),
    next,
    close: () => socket.close(),
  };
}

describe("a server", () => {
  test("tells where it listens, and ends in order with 0 on SIGTERM and on SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { child, first, records } = await startCli(...ANY_PORT, "--mode", "minimal");
      expect(first).toMatchObject({ level: "info", msg: "listening", mode: "minimal", version: packageJson.version });
      expect(first.listen).toEqual([expect.stringMatching(/^udp:\/\/127\.0\.0\.1:[1-9]\d*$/)]);
      child.kill(signal);
      expect(await remaining(records)).toEqual(["stopping: no new calls are taken", "stopped"]);
      expect(await child.exited).toBe(0);
      expect(await child.stderr.text()).toBe("");
    }
  });

  test("takes its settings from the file", async () => {
    const file = join(folder, "good.toml");
    writeFileSync(file, 'mode = "minimal"\nlisten = ["udp://127.0.0.1:0", "udp://127.0.0.1:0"]\n');
    const { child, first } = await startCli("--config", file);
    expect(first).toMatchObject({ mode: "minimal", config: file });
    expect(first.listen).toHaveLength(2);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("whose port is in use does not start", async () => {
    const holder = await Bun.udpSocket({ hostname: "127.0.0.1" });
    const address = `udp://127.0.0.1:${holder.port}`;
    const message = await refusalOf("--listen", address);
    holder.close();
    expect(message).toBe(
      `listen ${address}: the port is in use; choose a free port, or stop the program that holds it`,
    );
  });

  test("whose address is of another machine does not start", async () => {
    const message = await refusalOf("--listen", "udp://192.0.2.1:5060");
    expect(message).toStartWith("listen udp://192.0.2.1:5060: this machine has no such address; ");
  });

  test("logs nothing when it is silent", async () => {
    const child = spawnCli(...ANY_PORT, "--log-level", "silent");
    await Bun.sleep(700);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(await child.stdout.text()).toBe("");
  });

  test("that stops refuses new calls with Retry-After, and a second signal ends it at once", async () => {
    const flags = ["--ring-time", "600000", "--grace", "3600", "--retry-after", "7"];
    const { child, ports, records } = await startCli(...ANY_PORT, ...flags);
    const peer = await openPeer(ports[0]!);
    peer.send(invite("first", peer.port));
    expect(await peer.next("first", 180)).toStartWith("SIP/2.0 180 ");
    child.kill("SIGTERM");
    expect((await records.next()).value!.msg).toBe("stopping: no new calls are taken");
    peer.send(invite("second", peer.port));
    const refused = await peer.next("second", 503);
    expect(refused).toMatch(/\r\nRetry-After: *7\r\n/i);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    peer.close();
  });

  test("on a terminal greets, keeps a status line and stops on Ctrl-C", async () => {
    const { child, terminal, text, seen } = startOnTerminal(...ANY_PORT);
    await seen(/memory \d+ MB/);
    terminal.write("\x03");
    expect(await child.exited).toBe(0);
    terminal.close();
    const greeting = `Viaduct ${packageJson.version}, full-uas, listens on udp://127.0.0.1:`;
    expect(text()).toStartWith(greeting);
    expect(text()).toContain(
      "calls/s 0  messages/s 0  dialogs 0  transactions 0  retransmissions 0  rejects 0  memory ",
    );
    expect(text()).toMatch(/\d\d:\d\d:\d\d info {2}stopped /);
    expect(text()).toEndWith("\r\x1b[K");
  });

  test("greets with all its listeners, and ends with its terminal", async () => {
    const { child, terminal, text, seen } = startOnTerminal(...ANY_PORT, ...ANY_PORT, ...ANY_PORT);
    await seen(/memory \d+ MB/);
    const address = "udp://127\\.0\\.0\\.1:\\d+";
    expect(text()).toMatch(new RegExp(`listens on ${address}, ${address} and ${address}\\. Ctrl-C stops it\\.`));
    terminal.close();
    expect(await child.exited).toBe(129);
  });

  test("without a certificate and users has nothing to read again on SIGHUP, and goes on", async () => {
    const { child, records } = await startCli(...ANY_PORT);
    child.kill("SIGHUP");
    expect((await records.next()).value).toMatchObject({
      level: "info",
      msg: "SIGHUP: there is no certificate and no file of users to read again",
    });
    child.kill("SIGTERM");
    expect(await remaining(records)).toEqual(["stopping: no new calls are taken", "stopped"]);
    expect(await child.exited).toBe(0);
  });
});
