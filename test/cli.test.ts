import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { defaultText, settings } from "../src/config/catalogue.ts";

const CLI = join(import.meta.dir, "../src/cli.ts");
const folder = mkdtempSync(join(tmpdir(), "viaduct-cli-"));
const children: Bun.Subprocess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function spawn(args: string[]) {
  const child = Bun.spawn([process.execPath, CLI, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  children.push(child);
  return child;
}

async function run(...args: string[]) {
  const child = spawn(args);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

/** The command must have ended with code 2, one line on stderr and nothing on stdout. */
async function refusal(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await run(...args);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr).toMatch(/^viaduct: [^\n]+\n$/);
  return stderr.slice("viaduct: ".length, -1);
}

describe("questions", () => {
  test("--version prints the version of the package", async () => {
    expect(await run("--version")).toEqual({ stdout: `${packageJson.version}\n`, stderr: "", code: 0 });
  });

  test("--help mentions every setting with its default and what is right", async () => {
    const { stdout, stderr, code } = await run("--help");
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
    expect(await refusal("--t1", "5")).toBe("--t1: must be a whole number of milliseconds from 10 to 60000, not 5");
  });

  test("an unknown flag", async () => {
    expect(await refusal("--lisen", "udp://127.0.0.1")).toBe("unknown flag --lisen: did you mean --listen?");
  });

  test("a wrong setting in the file, with controls in it", async () => {
    const file = join(folder, "wrong.toml");
    writeFileSync(file, 'log-level = "a\\u001b[2J\\nb\\u2028c"');
    const message = await refusal("--config", file);
    expect(message).toStartWith(`${file}: log-level: must be fatal, error, `);
    expect(message).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  test("a file that is no TOML", async () => {
    const file = join(folder, "bad.toml");
    writeFileSync(file, "[uas]\nring-time = = 1\n");
    expect(await refusal("--config", file)).toStartWith(`--config ${file}:2: is not TOML: `);
  });

  test("a file that is not there, its name on two lines", async () => {
    const message = await refusal("--config", join(folder, "no\nsuch"));
    expect(message).toBe(`--config ${folder}/no\\x0asuch: must be a file that can be read: there is no such file`);
  });
});

/** A running server that logs JSON lines. */
async function startServer(...args: string[]) {
  const child = spawn(["--listen", "udp://127.0.0.1:0", ...args]);
  const records = readRecords(child.stdout);
  const first = (await records.next()).value!;
  return { child, first, records };
}

async function* readRecords(stdout: ReadableStream<Uint8Array>): AsyncGenerator<Record<string, unknown>> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}

async function remaining(records: AsyncGenerator<Record<string, unknown>>): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const { msg } of records) messages.push(msg);
  return messages;
}

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
      const { child, first, records } = await startServer("--mode", "minimal");
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
    const child = spawn(["--config", file]);
    const first = (await readRecords(child.stdout).next()).value!;
    expect(first).toMatchObject({ mode: "minimal", config: file });
    expect(first.listen).toHaveLength(2);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("whose port is in use does not start", async () => {
    const holder = await Bun.udpSocket({ hostname: "127.0.0.1" });
    const address = `udp://127.0.0.1:${holder.port}`;
    const message = await refusal("--listen", address);
    holder.close();
    expect(message).toBe(
      `listen ${address}: the port is in use; choose a free port, or stop the program that holds it`,
    );
  });

  test("whose address is of another machine does not start", async () => {
    const message = await refusal("--listen", "udp://192.0.2.1:5060");
    expect(message).toStartWith("listen udp://192.0.2.1:5060: this machine has no such address; ");
  });

  test("logs nothing when it is silent", async () => {
    const child = spawn(["--listen", "udp://127.0.0.1:0", "--log-level", "silent"]);
    await Bun.sleep(700);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(await child.stdout.text()).toBe("");
  });

  test("that stops refuses new calls with Retry-After, and a second signal ends it at once", async () => {
    const flags = ["--ring-time", "600000", "--grace", "3600", "--retry-after", "7"];
    const { child, first, records } = await startServer(...flags);
    const port = Number(/\d+$/.exec((first.listen as string[])[0]!)![0]);
    const peer = await openPeer(port);
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
    let text = "";
    let seen = () => {};
    const status = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const decoder = new TextDecoder();
    const child = Bun.spawn([process.execPath, CLI, "--listen", "udp://127.0.0.1:0"], {
      env: { ...process.env, TERM: "xterm" },
      terminal: {
        cols: 160,
        rows: 24,
        data(_terminal, bytes) {
          text += decoder.decode(bytes, { stream: true });
          if (/memory \d+ MB/.test(text)) seen();
        },
      },
    });
    children.push(child);
    await status;
    child.terminal!.write("\x03");
    expect(await child.exited).toBe(0);
    child.terminal!.close();
    const greeting = `Viaduct ${packageJson.version}, full-uas, listens on udp://127.0.0.1:`;
    expect(text).toStartWith(greeting);
    expect(text).toContain("calls/s 0  messages/s 0  dialogs 0  transactions 0  retransmissions 0  rejects 0  memory ");
    expect(text).toMatch(/\d\d:\d\d:\d\d info {2}stopped /);
    expect(text).toEndWith("\r\x1b[K");
  });
});
