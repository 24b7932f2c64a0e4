/** The command as one program, which neither Bun nor the sources stand beside: what `bun run compile` makes. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { hashPassword } from "../../src/auth/hash-password.ts";
import { killChildren, listening, remember } from "../support/cli-child.ts";
import { DOMAIN, registrarOf } from "../support/cli-registrar.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(60_000);

const COMPILE = join(import.meta.dir, "../../src/compile.ts");
const folder = temporaryFolder();
const program = folder.file("program/viaduct");
/** The working directory of all that is run. */
const cwd = folder.path;

beforeAll(async () => {
  const child = Bun.spawn([process.execPath, COMPILE, program], { cwd, stdio: ["ignore", "ignore", "inherit"] });
  expect(await child.exited).toBe(0);
  writeFileSync(
    folder.file("viaduct.toml"),
    `mode = "registrar"
    listen = "udp://127.0.0.1:0"
    [registrar]
    domains = ["${DOMAIN}"]
    [auth.users]
    bob = "secret"
    [store]
    store-file = "bindings.sqlite"`,
  );
});

afterAll(() => {
  killChildren();
  folder[Symbol.dispose]();
});

/** Starts it with no more around it than on a machine that has nothing of Bun. */
function spawn(...args: string[]) {
  const child = Bun.spawn([program, ...args], { cwd, env: {}, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  remember(child);
  return child;
}

async function run(...args: string[]) {
  const child = spawn(...args);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

async function startRegistrar() {
  return registrarOf(await listening(spawn("--config", "viaduct.toml")));
}

test("nothing lies beside it, and it knows its version", async () => {
  expect(readdirSync(folder.file("program"))).toEqual(["viaduct"]);
  expect(await run("--version")).toEqual({ stdout: `${packageJson.version}\n`, stderr: "", code: 0 });
});

test("what is registered is written to SQLite, listed beside the server, and there after a restart", async () => {
  const before = await startRegistrar();
  expect(before.before).toEqual([expect.objectContaining({ msg: "bindings loaded", bindings: 0 })]);
  expect((await before.register()).status).toBe(401);
  expect((await before.login()).status).toBe(200);
  expect(await before.stop()).toBe(0);
  const after = await startRegistrar();
  expect(after.before).toEqual([expect.objectContaining({ msg: "bindings loaded", bindings: 1 })]);
  const { stdout } = await run("bindings", "list", "--json", "--config", "viaduct.toml");
  expect(JSON.parse(stdout)).toMatchObject({ aor: `sip:bob@${DOMAIN}`, contact: "sip:bob@127.0.0.1:9" });
  const fetched = await after.login({ contact: null });
  expect(fetched.headers("Contact")).toEqual([expect.stringContaining("sip:bob@127.0.0.1:9")]);
  expect(await after.stop()).toBe(0);
});

test.each(["full-uas", "subscription-server", "minimal"])("mode %s answers, and stops in order", async (mode) => {
  const child = spawn("--mode", mode, "--listen", "udp://127.0.0.1:0");
  const { ports, first } = await listening(child);
  expect(first).toMatchObject({ mode, msg: "listening" });
  using client = await WireClient.open({ address: "127.0.0.1", port: ports[0]! });
  expect((await client.ask("OPTIONS")).status).toBe(200);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
});

test("passwords are hashed", async () => {
  writeFileSync(folder.file("password"), "secret\n");
  const args = ["hash-password", "bob", "--config", "viaduct.toml", "--password-stdin"];
  const child = Bun.spawn([program, ...args], { cwd, env: {}, stdin: Bun.file(folder.file("password")) });
  expect(await child.stdout.text()).toContain(`ha1-sha-256 = "${hashPassword("bob", DOMAIN, "secret")["SHA-256"]}"`);
});

test("a file that is not TOML is refused by the line", async () => {
  writeFileSync(folder.file("wrong.toml"), 'mode = "minimal"\n\n[registrar\n');
  const { stderr, code } = await run("--config", "wrong.toml");
  expect([stderr, code]).toEqual([expect.stringMatching(/^viaduct: --config wrong\.toml:3: is not TOML: .+\n$/), 2]);
});

test("files that Bun reads in a working directory mean nothing to it", async () => {
  writeFileSync(folder.file("bunfig.toml"), 'preload = ["./missing.ts"]\n');
  expect((await run("--version")).stderr).toBe("");
});
