import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digest } from "../../src/auth/digest.ts";
import { fileUsers } from "../../src/auth/file-users.ts";
import { hashPassword, htdigestLines } from "../../src/auth/hash-password.ts";
import { sqliteUsers } from "../../src/auth/sqlite-users.ts";
import type { UserSource } from "../../src/auth/users.ts";
import { challengesOf, credentials, now, request } from "../support/digest-client.ts";

const REALM = "example.com";
const folder = mkdtempSync(join(tmpdir(), "viaduct-users-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = (ending: string) => join(folder, `${files++}${ending}`);

/** A clock in milliseconds that a test moves. */
function clock() {
  let time = 1_000_000;
  return { now: () => time, pass: (ms: number) => (time += ms) };
}

/** Replaces a file as it should be done, and makes sure that its time is another. */
function replace(path: string, text: string): void {
  const beside = `${path}.new`;
  writeFileSync(beside, text);
  const later = Date.now() / 1000 + ++files;
  utimesSync(beside, later, later);
  renameSync(beside, path);
}

function algorithmsOf(users: UserSource): (string | undefined)[] {
  const auth = digest({ realm: REALM, users });
  return challengesOf(now(auth.check(request(), "192.0.2.4", "uas"))).map(({ algorithm }) => algorithm);
}

describe("users of a file", () => {
  test("of htdigest are let in, in their realm, by the algorithms that it has", () => {
    const path = newPath("");
    writeFileSync(path, `${htdigestLines("alice", REALM, "secret", ["MD5", "SHA-256"]).join("\n")}\n`);
    const users = fileUsers({ path });
    expect(users.find("alice", "elsewhere.net")).toBeNull();
    expect(algorithmsOf(users)).toEqual(["SHA-256", "MD5"]);
    const auth = digest({ realm: REALM, users });
    const { nonce } = challengesOf(now(auth.check(request(), "192.0.2.4", "uas")))[0]! as { nonce: string };
    for (const [algorithm, nc] of [
      ["MD5", 1],
      ["SHA-256", 2],
    ] as const) {
      const value = credentials({ username: "alice", password: "secret", nonce, algorithm, nc });
      expect(now(auth.check(request(value), "192.0.2.4", "uas")).isAllowed).toBe(true);
    }
  });

  test("of JSON are, also behind a byte order mark", () => {
    const path = newPath(".json");
    writeFileSync(path, Uint8Array.of(0xef, 0xbb, 0xbf, ...new TextEncoder().encode('{"alice": "secret"}')));
    expect(fileUsers({ path }).find("alice", REALM)?.name).toBe("alice");
  });

  test("of JSON are, and found by their hashes", () => {
    const path = newPath(".json");
    writeFileSync(path, JSON.stringify({ alice: { ha1: hashPassword("alice", REALM, "secret") } }));
    const users = fileUsers({ path });
    expect(users.find("alice", REALM)?.name).toBe("alice");
    expect(users.findHashed(Bun.MD5.hash(`alice:${REALM}`, "hex"), "MD5", REALM)?.name).toBe("alice");
    expect(algorithmsOf(users)).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
  });

  test("are read again when it has changed, but looked at once a second at most", () => {
    const path = newPath(".json");
    const { now: time, pass } = clock();
    const log: object[] = [];
    writeFileSync(path, '{"alice": "secret"}');
    const users = fileUsers({ path, now: time, log: { info: (fields) => log.push(fields), warn() {} } });
    replace(path, '{"bob": "other"}');
    pass(999);
    expect([users.find("alice", REALM)?.name, users.find("bob", REALM)]).toEqual(["alice", null]);
    pass(1);
    expect([users.find("alice", REALM), users.find("bob", REALM)?.name]).toEqual([null, "bob"]);
    expect(log).toEqual([{ path }]);
    pass(5000);
    expect(users.find("bob", REALM)?.name).toBe("bob");
    expect(log).toHaveLength(1);
  });

  test("with a changed password are not let in by the old one, whatever nonce it was good for before", () => {
    const path = newPath(".json");
    const { now: time, pass } = clock();
    writeFileSync(path, '{"alice": "secret"}');
    const auth = digest({ realm: REALM, users: fileUsers({ path, now: time }), algorithms: ["MD5"], failures: false });
    const { nonce } = challengesOf(now(auth.check(request(), "192.0.2.4", "uas")))[0]! as { nonce: string };
    const isIn = (password: string, nc: number): boolean => {
      const value = credentials({ username: "alice", password, nonce, algorithm: "MD5", nc });
      return now(auth.check(request(value), "192.0.2.4", "uas")).isAllowed;
    };
    expect([isIn("secret", 1), isIn("secret", 2)]).toEqual([true, true]);
    replace(path, '{"alice": "other"}');
    pass(1000);
    expect([isIn("secret", 3), isIn("other", 4), isIn("other", 5)]).toEqual([false, true, true]);
    replace(path, "{}");
    pass(1000);
    expect(isIn("other", 6)).toBe(false);
  });

  test("are read again at once when somebody says so, whatever the file's time, and kept when it is wrong", () => {
    const path = newPath(".json");
    const { now: time } = clock();
    const log: string[] = [];
    const note = (_fields: object, message: string) => log.push(message);
    writeFileSync(path, '{"alice": "secret"}');
    const users = fileUsers({ path, now: time, log: { info: note, warn: note } });
    replace(path, '{"bob": "other"}');
    users.reload();
    expect([users.find("alice", REALM), users.find("bob", REALM)?.name]).toEqual([null, "bob"]);
    writeFileSync(path, "{");
    users.reload();
    expect(users.find("bob", REALM)?.name).toBe("bob");
    expect(log).toEqual(["users were read again", "users cannot be read again: those from before are kept"]);
  });

  test("what is offered changes with it", () => {
    const path = newPath("");
    const { now: time, pass } = clock();
    writeFileSync(path, htdigestLines("alice", REALM, "secret", ["MD5"]).join("\n"));
    const auth = digest({ realm: REALM, users: fileUsers({ path, now: time }) });
    const offered = () =>
      challengesOf(now(auth.check(request(), "192.0.2.4", "uas"))).map(({ algorithm }) => algorithm);
    expect(offered()).toEqual(["MD5"]);
    replace(path, htdigestLines("alice", REALM, "secret").join("\n"));
    pass(1000);
    expect(offered()).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
  });

  test("stay when it has become wrong or is gone, logged once and without its text; and change when it is right", () => {
    const path = newPath(".json");
    const { now: time, pass } = clock();
    const warnings: object[] = [];
    writeFileSync(path, '{"alice": "secret"}');
    const users = fileUsers({ path, now: time, log: { info() {}, warn: (fields) => warnings.push(fields) } });
    replace(path, '{"alice": "s3cret"');
    for (let i = 0; i < 5; i++) {
      pass(1000);
      expect(users.find("alice", REALM)?.secrets.password).toBe("secret");
    }
    expect(warnings).toEqual([{ path, reason: "not JSON" }]);
    rmSync(path);
    for (let i = 0; i < 5; i++) {
      pass(1000);
      expect(users.find("alice", REALM)?.name).toBe("alice");
    }
    expect(warnings).toHaveLength(2);
    replace(path, '{"alice": "third"}');
    pass(1000);
    expect(users.find("alice", REALM)?.secrets.password).toBe("third");
    expect(JSON.stringify(warnings)).not.toContain("s3cret");
  });

  test("that cannot be read at the start are an error that names it", () => {
    const path = newPath(".json");
    expect(() => fileUsers({ path })).toThrow(path);
    writeFileSync(path, "alice");
    expect(() => fileUsers({ path })).toThrow(`${path}: not JSON`);
    expect(() => fileUsers({ path, format: "htdigest" })).toThrow(`${path}: line 1`);
    expect(() => fileUsers({ path: folder })).toThrow(folder);
  });
});

describe("users of an SQLite database", () => {
  const { MD5, "SHA-256": sha256, "SHA-512-256": sha512 } = hashPassword("alice", REALM, "secret");

  /** A database whose other end stays open for writing. */
  function database(schema: string): { path: string; write: Database } {
    const path = newPath(".sqlite");
    const write = new Database(path, { create: true });
    write.run("PRAGMA journal_mode = WAL");
    write.run(schema);
    return { path, write };
  }

  const SCHEMA = `CREATE TABLE users (name TEXT NOT NULL, realm TEXT NOT NULL, password TEXT, ha1_md5 TEXT,
    ha1_sha256 TEXT, ha1_sha512_256 TEXT, aors TEXT, PRIMARY KEY (name, realm))`;

  test("are let in by what their row has", () => {
    const { path, write } = database(SCHEMA);
    write.run("INSERT INTO users VALUES ('alice', ?, NULL, ?, ?, ?, NULL)", [REALM, MD5, sha256, sha512]);
    write.run("INSERT INTO users VALUES ('bob', ?, 'other', NULL, NULL, NULL, 'sip:b@x.net  sip:c@x.net')", [REALM]);
    const users = sqliteUsers({ path });
    expect(users.find("bob", REALM)?.secrets).toEqual({
      password: "other",
      ha1: {},
      aors: ["sip:b@x.net", "sip:c@x.net"],
    });
    expect(users.find("alice", "elsewhere.net")).toBeNull();
    expect(users.find("alice", REALM)).toBe(users.find("alice", REALM)!);
    for (const name of ["ALICE", "", "' OR 1=1 --"]) expect(users.find(name, REALM)).toBeNull();
    const auth = digest({ realm: REALM, users });
    const { nonce } = challengesOf(now(auth.check(request(), "192.0.2.4", "uas")))[0]! as { nonce: string };
    for (const [algorithm, nc] of [
      ["MD5", 1],
      ["SHA-256", 2],
      ["SHA-512-256", 3],
    ] as const) {
      const value = credentials({ username: "alice", password: "secret", nonce, algorithm, nc });
      expect(now(auth.check(request(value), "192.0.2.4", "uas")).isAllowed).toBe(true);
    }
    auth.close();
    write.close();
  });

  test("are offered the algorithms that every row serves, or those that are said to be", () => {
    const { path, write } = database(SCHEMA);
    write.run("INSERT INTO users VALUES ('alice', ?, NULL, ?, ?, '', NULL)", [REALM, MD5, sha256]);
    write.run("INSERT INTO users VALUES ('bob', ?, 'other', NULL, NULL, NULL, NULL)", [REALM]);
    expect(algorithmsOf(sqliteUsers({ path }))).toEqual(["SHA-256", "MD5"]);
    expect(algorithmsOf(sqliteUsers({ path, algorithms: ["MD5"] }))).toEqual(["MD5"]);
    write.close();
  });

  test("a row that another connection changes is seen within a second, kept users and unknown names too", () => {
    const { path, write } = database(SCHEMA);
    const { now: time, pass } = clock();
    write.run("INSERT INTO users VALUES ('alice', ?, 'secret', NULL, NULL, NULL, NULL)", [REALM]);
    const users = sqliteUsers({ path, now: time });
    expect(users.find("alice", REALM)?.secrets.password).toBe("secret");
    expect(users.find("bob", REALM)).toBeNull();
    write.run("UPDATE users SET password = 'changed'");
    write.run("INSERT INTO users VALUES ('bob', ?, 'other', NULL, NULL, NULL, NULL)", [REALM]);
    pass(1000);
    expect(users.find("alice", REALM)?.secrets.password).toBe("changed");
    expect(users.find("bob", REALM)?.name).toBe("bob");
    write.run("DELETE FROM users");
    pass(1000);
    expect(users.find("alice", REALM)).toBeNull();
    users.close();
    write.close();
  });

  test("a row that another connection changes lets nobody in by what it was, whatever nonce was used before", () => {
    const { path, write } = database(SCHEMA);
    const { now: time, pass } = clock();
    write.run("INSERT INTO users VALUES ('alice', ?, 'secret', NULL, NULL, NULL, NULL)", [REALM]);
    const users = sqliteUsers({ path, now: time });
    const auth = digest({ realm: REALM, users, algorithms: ["SHA-256"], failures: false });
    const { nonce } = challengesOf(now(auth.check(request(), "192.0.2.4", "uas")))[0]! as { nonce: string };
    const isIn = (password: string, nc: number): boolean => {
      const value = credentials({ username: "alice", password, nonce, algorithm: "SHA-256", nc });
      return now(auth.check(request(value), "192.0.2.4", "uas")).isAllowed;
    };
    expect([isIn("secret", 1), isIn("secret", 2)]).toEqual([true, true]);
    write.run("UPDATE users SET password = 'changed'");
    pass(1000);
    expect([isIn("secret", 3), isIn("changed", 4)]).toEqual([false, true]);
    users.close();
    write.close();
  });

  test("may stand in a table of other names, with fewer columns", () => {
    const { path, write } = database('CREATE TABLE "my subscribers" ("user`name" TEXT, ha1 TEXT)');
    write.run('INSERT INTO "my subscribers" VALUES (?, ?)', ["alice", MD5]);
    const columns = {
      name: "user`name",
      realm: null,
      password: null,
      md5: "ha1",
      sha256: null,
      sha512: null,
      aors: null,
    };
    const users = sqliteUsers({ path, table: "my subscribers", columns });
    expect(users.find("alice", "any realm")?.secrets.ha1).toEqual({ MD5 });
    expect(users.algorithms).toEqual(["MD5"]);
    write.close();
  });

  test("a row without a secret is nobody; one with a wrong one is an error without the secret", () => {
    const { path, write } = database(SCHEMA);
    write.run("INSERT INTO users VALUES ('alice', ?, NULL, '', NULL, NULL, NULL)", [REALM]);
    write.run("INSERT INTO users VALUES ('bob', ?, NULL, 's3cret', NULL, NULL, NULL)", [REALM]);
    const users = sqliteUsers({ path });
    expect(users.find("alice", REALM)).toBeNull();
    expect(() => users.find("bob", REALM)).toThrow(/^user "bob": [^3]*$/);
    write.close();
  });

  test("that cannot be read is an error that names it", () => {
    const missing = newPath(".sqlite");
    expect(() => sqliteUsers({ path: missing })).toThrow(missing);
    const { path, write } = database("CREATE TABLE users (name TEXT, realm TEXT)");
    expect(() => sqliteUsers({ path })).toThrow(`${path}: no such column`);
    expect(() => sqliteUsers({ path, table: "subscribers" })).toThrow(`${path}: no such table`);
    const text = newPath(".sqlite");
    writeFileSync(text, "no database ".repeat(100));
    expect(() => sqliteUsers({ path: text })).toThrow(text);
    write.close();
  });
});
