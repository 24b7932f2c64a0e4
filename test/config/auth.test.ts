/** Settings of authentication: users from one place, a realm for them, and no secret in any message. */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DEFAULT_LOCKOUT } from "../../src/auth/lockout.ts";
import { toDigestSettings } from "../../src/config/to-options.ts";
import { settingsFolder } from "./settings-folder.ts";

const { folder, settingsOf, errorOf, remove } = settingsFolder();
afterAll(remove);

const MD5 = "0123456789abcdef0123456789ABCDEF";

/** The users that the text of `[auth.users]` gives. */
async function usersOf(lines: string) {
  const { auth } = await settingsOf([], `[auth]\nrealm = "example.com"\n[auth.users]\n${lines}`);
  return auth.users;
}

describe("users in settings", () => {
  test("are names with a password, or with secrets and further addresses", async () => {
    const lines = `
      alice = "secret"
      "carol@example.com" = { password = "p" }
      bob = { ha1-md5 = "${MD5}", ha1-sha-256 = "${MD5}${MD5}", aors = ["sip:Sales@EXAMPLE.com;x=y", "tel:+1-201-555"] }`;
    expect(await usersOf(lines)).toEqual({
      alice: { password: "secret" },
      "carol@example.com": { password: "p" },
      bob: {
        ha1: { MD5, "SHA-256": MD5 + MD5 },
        aors: ["sip:Sales@example.com", "tel:+1201555"],
      },
    });
  });

  test("may be flags, which stand in the place of all of the file", async () => {
    const args = ["--users", "bob=a=b", "--users=carol=", "--realm", "r"];
    expect(await errorOf(args)).toBe("--users.carol: must have a password that is not empty");
    const { auth } = await settingsOf(args.with(2, "--users=carol=c"), "[auth.users]\nalice = 'x'");
    expect(auth.users).toEqual({ bob: { password: "a=b" }, carol: { password: "c" } });
    expect(auth.auth).toBe(true);
  });

  test.each([
    ["alice = 5", "alice: must be a PASSWORD, or a table { password, ha1-sha-512-256, ha1-sha-256, ha1-md5, aors }"],
    ["alice = ''", "alice: must have a password that is not empty"],
    ["alice = {}", "alice: must have a password, or one of ha1-sha-512-256, ha1-sha-256, ha1-md5"],
    ["'' = 'x'", '"": must have a name without control characters'],
    ["alice = { pasword = 'geheim' }", "alice.pasword: is not known: did you mean password?"],
    [
      "alice = { colour = 'geheim' }",
      "alice.colour: is not known: a user may have password, ha1-sha-512-256, ha1-sha-256, ha1-md5, aors",
    ],
    ["alice = { password = 5 }", "alice.password: must be a text that is not empty"],
    ["alice = { ha1-md5 = 'geheim' }", "alice.ha1-md5: must be the 32 digits that viaduct hash-password prints"],
    [
      "alice = { password = 'geheim', aors = ['http://x'] }",
      'alice.aors: must be an array of addresses such as ["sip:sales@example.com"]',
    ],
    ["'a b' = { password = 5 }", '"a b".password: must be a text that is not empty'],
  ])("%s is a fault that is named where it is", async (line, message) => {
    const found = await errorOf([], `[auth.users]\n${line}`);
    expect(found).toBe(`FILE: auth.users.${message}`);
    expect(found).not.toContain("geheim");
  });

  test.each([
    [["--users", "geheim"], undefined],
    [["--nonce-secret", "geheim"], undefined],
    [["--redis-url", "geheim://"], undefined],
    [[], "[auth]\nusers = 'geheim'"],
    [[], "[auth]\nnonce-secret = ['geheim']"],
  ])("no secret is shown: %j %s", async (args, toml) => {
    const message = await errorOf(args, toml);
    expect(message).toContain("must be ");
    expect(message).not.toContain("geheim");
  });
});

describe("authentication", () => {
  test("is asked for where there are users, from wherever", async () => {
    const realm = ["--realm", "r"];
    for (const from of [
      ["--users", "a=b"],
      ["--users-file", "u"],
      ["--users-database", "u"],
    ]) {
      expect((await settingsOf([...from, ...realm])).auth.auth).toBe(true);
      expect((await settingsOf([...from, "--auth", "false"])).auth.auth).toBe(false);
    }
    expect((await settingsOf(realm)).auth.auth).toBe(false);
    expect(await errorOf(["--auth", "true", ...realm])).toBe(
      "--auth: needs users: set users, users-file or users-database in [auth]",
    );
  });

  test("has users from one place, else both are named", async () => {
    const toml = "[auth]\nusers-file = 'users.json'";
    const cure = "users come from one place: leave one of the two out";
    expect(await errorOf(["--users", "a=b"], toml)).toBe(`--users and FILE: auth.users-file: ${cure}`);
    expect(await errorOf(["--users-file", "a", "--users-database", "b"])).toBe(
      `--users-file and --users-database: ${cure}`,
    );
  });

  test("has a realm: the first of the domains, unless it has its own", async () => {
    const users = ["--users", "a=b"];
    expect(await errorOf(users)).toBe("--users: needs a realm: set realm in [auth], or domains in [registrar]");
    expect(await errorOf([], "[auth]\nusers-file = 'x'")).toStartWith("FILE: auth.users-file: needs a realm: ");
    const domains = ["--domains", "Example.COM", "--domains", "example.net"];
    expect((await settingsOf([...users, ...domains])).auth.realm).toBe("example.com");
    expect((await settingsOf([...users, ...domains, "--realm", "Our Phones"])).auth.realm).toBe("Our Phones");
  });

  test("takes its files from beside the file of settings", async () => {
    const { auth, store } = await settingsOf(
      [],
      "[auth]\nrealm = 'r'\nusers-file = 'u.json'\n[store]\nstore-file = '../s.db'",
    );
    expect(auth["users-file"]).toBe(join(folder, "u.json"));
    expect(store["store-file"]).toBe(join(folder, "../s.db"));
  });

  test("by default is what the library has", async () => {
    const { max: _, ...lockout } = DEFAULT_LOCKOUT;
    expect(toDigestSettings(await settingsOf(["--users", "a=b", "--realm", "r"]))).toEqual({
      realm: "r",
      algorithms: undefined,
      md5Agents: undefined,
      qop: undefined,
      authenticationInfo: true,
      allowWithoutQop: false,
      nonceLifetime: 300,
      nonceSecret: undefined,
      failures: lockout,
    });
  });

  test("reaches the library under its names", async () => {
    const toml = `
      [auth]
      realm = "r"
      algorithms = ["md5-SESS", "SHA-256"]
      md5-agents = "OldPhone"
      qop = ["auth", "auth-int"]
      authentication-info = false
      allow-without-qop = true
      nonce-lifetime = 11
      nonce-secret = "0123456789abcdef"
      failures-window = 12
      slow-user-after = 13
      slow-address-after = 14
      slow-first = 15
      slow-longest = 16
      refuse-user-after = 17
      refuse-address-after = 18
      refuse-for = 19
      exempt-address = ["192.0.2.1", "2001:db8::/32"]`;
    expect(toDigestSettings(await settingsOf([], toml))).toEqual({
      realm: "r",
      algorithms: ["MD5-sess", "SHA-256"],
      md5Agents: ["OldPhone"],
      qop: ["auth", "auth-int"],
      authenticationInfo: false,
      allowWithoutQop: true,
      nonceLifetime: 11,
      nonceSecret: "0123456789abcdef",
      failures: {
        window: 12,
        slowUserAfter: 13,
        slowAddressAfter: 14,
        firstDelay: 15,
        longestDelay: 16,
        refuseUserAfter: 17,
        refuseAddressAfter: 18,
        refuseFor: 19,
        exempt: ["192.0.2.1", "2001:db8::/32"],
      },
    });
    expect(toDigestSettings(await settingsOf([], `${toml}\nfailures = false`)).failures).toBe(false);
  });

  test.each([
    [["--algorithms", "SHA-1"], 'MD5, MD5-sess, SHA-256, SHA-256-sess, SHA-512-256 or SHA-512-256-sess, not "SHA-1"'],
    [["--qop", "none"], 'auth or auth-int, not "none"'],
    [["--nonce-secret", "short"], "a text of at least 16 characters"],
    [["--realm", ""], 'a text of 1 to 255 characters on one line, not ""'],
    [["--realm", "a\nb"], 'a text of 1 to 255 characters on one line, not "a\\nb"'],
    [["--exempt-address", "10.0.0.0/99"], 'a numeric address, or a network such as 192.0.2.0/24, not "10.0.0.0/99"'],
    [
      ["--exempt-address", "proxy.example.com"],
      'a numeric address, or a network such as 192.0.2.0/24, not "proxy.example.com"',
    ],
    [["--users-file", ""], 'the path of a JSON file or an htdigest file, not ""'],
    [
      ["--users", "alice"],
      "a table of NAME = PASSWORD or NAME = { password, ha1-sha-512-256, ha1-sha-256, ha1-md5, aors }; as a flag NAME=PASSWORD",
    ],
  ])("%j is wrong", async (args, right) => {
    expect(await errorOf(args)).toBe(`${args[0]}: must be ${right}`);
  });
});
