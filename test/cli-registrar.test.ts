/** The command in mode `registrar`, and logins in the others: as an operator sees them. */

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashPassword } from "../src/auth/hash-password.ts";
import { killChildren, refusalOf, startCli, startOnTerminal } from "./support/cli-child.ts";
import { DOMAIN, startRegistrar } from "./support/cli-registrar.ts";
import { credentials, paramsOf } from "./support/digest-client.ts";
import { OFFER } from "./support/sip-messages.ts";
import { WireClient } from "./support/wire-client.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "viaduct-cli-registrar-"));
afterAll(() => {
  killChildren();
  rmSync(folder, { recursive: true });
});

const MEMORY = ["--store", "memory"];
const REGISTRAR = ["--mode", "registrar", "--domains", DOMAIN, "--listen", "udp://127.0.0.1:0"];

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("registrations", () => {
  test("without users are anybody's, and a warning says so", async () => {
    const server = await startRegistrar(...MEMORY);
    expect(server.first).toMatchObject({ mode: "registrar", msg: "listening" });
    const warning = "anybody may register anything here: no users are set in [auth]";
    expect(await server.logged(warning)).toMatchObject({ level: "warn" });
    expect((await server.register({ user: "anybody" })).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  test("are anybody's where users are not asked, and a warning says why", async () => {
    const server = await startRegistrar(...MEMORY, "--users", "bob=secret", "--auth", "false");
    expect(await server.logged("anybody may register anything here: auth is false")).toMatchObject({ level: "warn" });
    expect((await server.register({ user: "anybody" })).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  test("in SQLite outlast the server", async () => {
    const store = ["--store-file", join(folder, "lasting.sqlite")];
    const before = await startRegistrar(...store);
    await before.register();
    expect(await before.stop()).toBe(0);
    const after = await startRegistrar(...store);
    expect(after.before).toContainEqual(expect.objectContaining({ msg: "bindings loaded", bindings: 1 }));
    expect(await after.fetch("bob")).toEqual([expect.stringContaining("sip:bob@127.0.0.1:9")]);
    expect(await after.stop()).toBe(0);
  });

  test("follow the settings", async () => {
    const config = file(
      "registrar.toml",
      `[registrar]
      default-expires = 100
      max-expires = 200
      max-contacts = 1
      service-route = "sip:proxy.example.com;lr"
      [store]
      store = "memory"`,
    );
    const server = await startRegistrar("--config", config);
    const taken = await server.register({ expires: 5000 });
    expect(taken.header("Contact")).toContain("expires=200");
    expect(taken.header("Service-Route")).toBe("<sip:proxy.example.com;lr>");
    expect((await server.register({ expires: 5 })).status).toBe(423);
    expect((await server.register({ contact: "<sip:bob@127.0.0.1:10>" })).status).toBe(403);
    expect(await server.stop()).toBe(0);
  });

  test("are counted in the last line of the log", async () => {
    const server = await startRegistrar(...MEMORY, "--users", "bob=secret");
    await server.login();
    await server.login({ password: "guess" });
    server.child.kill("SIGTERM");
    expect(await server.logged("stopped")).toMatchObject({
      bindings: 1,
      registers: 4,
      registered: 1,
      logins: 1,
      loginsFailed: 1,
    });
    expect(await server.child.exited).toBe(0);
  });

  test("have a status line of their own on a terminal", async () => {
    const { child, terminal, text, seen } = startOnTerminal(...REGISTRAR, ...MEMORY);
    await seen(/registers\/s 0 {2}messages\/s 0 {2}bindings 0 {2}/);
    terminal.write("\x03");
    expect(await child.exited).toBe(0);
    terminal.close();
    expect(text()).toContain("anybody may register anything here");
  });
});

describe("users", () => {
  test("may sign the address that they send to, as SIPp does, but no other than it and the Request-URI", async () => {
    const server = await startRegistrar(...MEMORY, "--users", "bob=secret");
    const signed = async (signedUri: string) => (await server.login({ signedUri })).startLine;
    expect(await signed(`sip:127.0.0.1:${server.ports[0]}`)).toBe("SIP/2.0 200 OK");
    expect(await signed(`sip:${DOMAIN}`)).toBe("SIP/2.0 200 OK");
    for (const uri of ["sip:192.0.2.77:5060", "sip:example.org", "sip:bob@127.0.0.1"]) {
      expect([uri, await signed(uri)]).toEqual([uri, "SIP/2.0 400 Request-URI Differs From uri In Authorization"]);
    }
    expect(await server.stop()).toBe(0);
  });

  test("in a file are read again when it changes, at once on SIGHUP, and stay as they were when it is wrong", async () => {
    const users = file("users.json", JSON.stringify({ bob: "secret" }));
    const server = await startRegistrar(...MEMORY, "--users-file", users);
    expect((await server.login()).status).toBe(200);
    file("users.json", JSON.stringify({ bob: { ha1: hashPassword("bob", DOMAIN, "changed") } }));
    server.child.kill("SIGHUP");
    expect(await server.logged("users were read again")).toMatchObject({ level: "info", path: users });
    expect((await server.login({ password: "changed" })).status).toBe(200);
    expect((await server.login({ password: "secret" })).status).toBe(401);
    file("users.json", "{ nonsense");
    server.child.kill("SIGHUP");
    expect(await server.logged("users cannot be read again: those from before are kept")).toMatchObject({
      level: "warn",
      reason: "not JSON",
    });
    expect((await server.login({ password: "changed" })).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  test("in a database are found", async () => {
    const path = join(folder, "users.sqlite");
    const database = new Database(path);
    database.run(
      "CREATE TABLE users (name TEXT, realm TEXT, password TEXT, ha1_md5 TEXT, ha1_sha256 TEXT, ha1_sha512_256 TEXT, aors TEXT)",
    );
    database.run(
      "INSERT INTO users (name, realm, password, aors) VALUES ('bob', ?, 'secret', 'sip:sales@example.com')",
      [DOMAIN],
    );
    database.close();
    const server = await startRegistrar(...MEMORY, "--users-database", path);
    expect((await server.login()).status).toBe(200);
    expect((await server.login({ user: "carol" })).status).toBe(401);
    expect(await server.stop()).toBe(0);
  });

  test("of another realm than the server's are warned of", async () => {
    const users = file("other.htdigest", `bob:other.net:${hashPassword("bob", "other.net", "x").MD5}\n`);
    const server = await startRegistrar(...MEMORY, "--users-file", users);
    expect(server.before).toEqual([
      expect.objectContaining({
        level: "warn",
        realm: DOMAIN,
        msg: "nobody can log in: no user of the file is of this realm",
      }),
    ]);
    expect(await server.stop()).toBe(0);
  });

  test("of a table with none in it are warned of, and nobody may register", async () => {
    const server = await startRegistrar(...MEMORY, "--config", file("none.toml", "[auth.users]\n# bob = 'secret'\n"));
    const msg = "nobody can log in: there is no user in [auth.users]";
    expect(server.before).toEqual([expect.objectContaining({ level: "warn", msg })]);
    expect((await server.login()).status).toBe(401);
    expect(await server.stop()).toBe(0);
  });

  test("that fail again and again are refused for a while, which is logged", async () => {
    const failing = ["--refuse-user-after", "2", "--refuse-for", "60", "--slow-user-after", "100"];
    const server = await startRegistrar(...MEMORY, "--users", "bob=secret", ...failing);
    for (let i = 0; i < 2; i++) expect((await server.login({ password: "guess" })).status).toBe(401);
    expect(await server.logged("a user is refused: too many failed logins")).toMatchObject({ user: "bob" });
    expect((await server.login()).startLine).toBe("SIP/2.0 403 Too Many Failed Logins");
    expect(await server.stop()).toBe(0);
  });
});

describe("a start that cannot be ends with one line and exit code 2", () => {
  const realm = ["--realm", "r"];

  test("users that cannot be read", async () => {
    const missing = join(folder, "missing");
    for (const setting of ["users-file", "users-database"]) {
      const start = (path: string) => refusalOf(...REGISTRAR, ...MEMORY, ...realm, `--${setting}`, path);
      expect(await start(missing)).toBe(`${setting}: ${missing}: there is no such file`);
      expect(await start(folder)).toBe(`${setting}: ${folder}: it is a directory`);
    }
    const wrong = file("wrong.json", '{"bob": {"password": 5}}');
    expect(await refusalOf(...REGISTRAR, ...MEMORY, "--users-file", wrong)).toBe(
      `users-file: ${wrong}: user "bob": password is not a string`,
    );
    const text = file("wrong.sqlite", "no database at all".repeat(100));
    expect(await refusalOf(...REGISTRAR, ...MEMORY, "--users-database", text)).toBe(
      `users-database: ${text}: file is not a database`,
    );
  });

  test("users from two places", async () => {
    const toml = file("two.toml", "[auth]\nusers-file = 'users.json'\n[auth.users]\nbob = 'x'\n");
    expect(await refusalOf(...REGISTRAR, "--config", toml)).toBe(
      `${toml}: auth.users and ${toml}: auth.users-file: users come from one place: leave one of the two out`,
    );
  });

  test("a store that another program or another server has, or whose folder is not there", async () => {
    const path = join(folder, "another.sqlite");
    const database = new Database(path);
    database.run("CREATE TABLE t (x)");
    database.close();
    expect(await refusalOf(...REGISTRAR, "--store-file", path)).toBe(
      `store-file: ${path}: is an SQLite file of another program`,
    );
    const shared = join(folder, "shared.sqlite");
    const server = await startRegistrar("--store-file", shared);
    expect(await refusalOf(...REGISTRAR, "--store-file", shared)).toMatch(
      new RegExp(`^store-file: ${shared}: is in use by another server, process ${server.child.pid} since `),
    );
    expect(await server.stop()).toBe(0);
    const lost = join(folder, "no/such.sqlite");
    expect(await refusalOf(...REGISTRAR, "--store-file", lost)).toStartWith(`store-file: ${lost}`);
  });
});

describe("logins in the other modes", () => {
  const LOGIN = ["--users", "bob=secret", "--realm", DOMAIN, "--algorithms", "MD5", "--listen", "udp://127.0.0.1:0"];
  const BOB = { username: "bob", password: "secret", uri: "sip:bob@192.0.2.1" };

  test("full-uas asks a caller who it is, and whoever sends a MESSAGE or subscribes", async () => {
    const { child, ports } = await startCli(...LOGIN);
    using client = await WireClient.open({ address: "127.0.0.1", port: ports[0]! });
    const first = await client.invite({ body: OFFER }, 401);
    first.ack();
    const { nonce } = paramsOf(`WWW-Authenticate: ${first.response.header("WWW-Authenticate")}`);
    const line = (method: string, nc: number) =>
      `Authorization: ${credentials({ ...BOB, nonce: nonce!, method, nc, algorithm: "MD5" })}`;
    const call = await client.invite({ body: OFFER, headers: [line("INVITE", 1)] });
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
    for (const method of ["MESSAGE", "SUBSCRIBE", "PUBLISH"]) expect((await client.ask(method)).status).toBe(401);
    expect((await client.ask("MESSAGE", { headers: [line("MESSAGE", 2)] })).status).toBe(200);
    expect((await client.ask("OPTIONS")).status).toBe(200);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("subscription-server asks too, and nobody is asked with --auth false", async () => {
    for (const [auth, status] of [
      ["true", 401],
      ["false", 489],
    ] as const) {
      const { child, ports } = await startCli(...LOGIN, "--mode", "subscription-server", "--auth", auth);
      using client = await WireClient.open({ address: "127.0.0.1", port: ports[0]! });
      const asked = await client.ask("SUBSCRIBE", { headers: ["Event: unknown"], contact: "<sip:a@127.0.0.1:9>" });
      expect(asked.status).toBe(status);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    }
  });
});
