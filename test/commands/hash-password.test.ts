/** `viaduct hash-password`: what it prints lets the user in, and the password is shown nowhere. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killChildren, refusalOf, runWith, startOnTerminal } from "../support/cli-child.ts";
import { startRegistrar } from "../support/cli-registrar.ts";
import { hashed } from "../support/digest-client.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "viaduct-hash-"));
afterAll(() => {
  killChildren();
  rmSync(folder, { recursive: true });
});

const PASSWORD = "pässword";
const NAME = ["bob", "--realm", "example.com"];

/** What it prints for a password on its standard input. */
async function printed(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await runWith(
    { stdin: `${PASSWORD}\n` },
    ...["hash-password", ...args, "--password-stdin"],
  );
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return stdout;
}

function ha1(algorithm: string, user = "bob"): string {
  return hashed(algorithm, Buffer.from(`${user}:example.com:${PASSWORD}`).toString("latin1"));
}

describe("the password from standard input", () => {
  test("becomes a line for [auth.users] with every algorithm", async () => {
    const line = await printed(...NAME);
    expect(Bun.TOML.parse(line)).toEqual({
      bob: { "ha1-sha-512-256": ha1("SHA-512-256"), "ha1-sha-256": ha1("SHA-256"), "ha1-md5": ha1("MD5") },
    });
    const quoted = await printed("bob smith@x", "--realm", "example.com");
    expect(quoted).toStartWith('"bob smith@x" = { ');
    expect(Object.keys(Bun.TOML.parse(quoted))).toEqual(["bob smith@x"]);
  });

  test("becomes lines of htdigest", async () => {
    expect(await printed(...NAME, "--format", "htdigest")).toBe(
      `bob:example.com:${ha1("SHA-512-256")}:SHA-512-256\nbob:example.com:${ha1("SHA-256")}:SHA-256\nbob:example.com:${ha1("MD5")}\n`,
    );
  });

  test.each([["toml"], ["json"], ["htdigest"]])("as %s lets the user in", async (format) => {
    const text = await printed(...NAME, "--format", format);
    const file = join(folder, `users.${format}`);
    writeFileSync(file, format === "toml" ? `[auth.users]\n${text}` : text);
    const server = await startRegistrar("--store", "memory", format === "toml" ? "--config" : "--users-file", file);
    expect((await server.login({ password: PASSWORD })).status).toBe(200);
    expect((await server.login({ password: "other" })).status).toBe(401);
    expect(await server.stop()).toBe(0);
  });

  test("is for the realm of the server's own settings", async () => {
    const config = join(folder, "settings.toml");
    writeFileSync(config, 'mode = "registrar"\n[registrar]\ndomains = ["example.com", "example.net"]\n');
    expect(await printed("bob", "--config", config)).toContain(ha1("MD5"));
  });
});

describe("the password from a terminal", () => {
  /** Types at the prompts. @returns all that was written, and the exit code */
  async function typed(first: string, second: string) {
    const { child, terminal, text, seen } = startOnTerminal("hash-password", ...NAME);
    await seen(/Password: /);
    terminal.write(first);
    if (second !== "") {
      await seen(/Again: /);
      terminal.write(second);
    }
    const code = await child.exited;
    terminal.close();
    return { text: text(), code };
  }

  test("is asked twice and not shown; a backspace takes a letter away", async () => {
    const { text, code } = await typed(`${PASSWORD}x\x7f\r`, `${PASSWORD}\r`);
    expect(code).toBe(0);
    expect(text).toContain(ha1("MD5"));
    expect(text).toStartWith("Password: \r\nAgain: \r\nbob = {");
  });

  test("must be the same both times", async () => {
    const { text, code } = await typed("one\r", "other\r");
    expect(code).toBe(2);
    expect(text).toEndWith("viaduct: the two passwords are not the same\r\n");
  });

  test("is given up on Ctrl-C", async () => {
    expect((await typed("one\x03", "")).code).toBe(130);
  });

  test("must not be empty", async () => {
    const { text, code } = await typed("\r", "");
    expect([code, text.endsWith("viaduct: the password must not be empty\r\n")]).toEqual([2, true]);
  });
});

describe("wrong use ends with one line and exit code 2", () => {
  test.each([
    [["hash-password"], "missing required argument 'user'; see viaduct hash-password --help"],
    [["hash-password", "bob"], "--realm: must be given, or be in the file of --config"],
    [["hash-password", "", "--realm", "r"], "USER: must be a name without control characters"],
    [
      ["hash-password", "bob", "--realm", "r"],
      "standard input is no terminal: give the password there, and --password-stdin",
    ],
    [
      ["hash-password", "bob", "--realm", "r", "--format", "xml"],
      "option '--format <format>' argument 'xml' is invalid. Allowed choices are toml, json, htdigest; see viaduct hash-password --help",
    ],
  ])("%j", async (args, message) => {
    expect(await refusalOf(...args)).toBe(message);
  });

  test("a password that is none, or a name that htdigest cannot hold", async () => {
    for (const [stdin, args, message] of [
      ["\n", NAME, "the password must not be empty"],
      ["a\nb\n", NAME, "the password must be one line without control characters"],
      [
        "x",
        ["a:b", "--realm", "r", "--format", "htdigest"],
        "--format htdigest: a user is one character or more, none a colon",
      ],
    ] as const) {
      const { stderr, code } = await runWith({ stdin }, "hash-password", ...args, "--password-stdin");
      expect({ stderr, code }).toEqual({ stderr: `viaduct: ${message}\n`, code: 2 });
    }
  });
});
