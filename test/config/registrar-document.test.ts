/** What docs/registrar.md shows can be copied: its users log in with the passwords of its first command. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { HASH_NUMBERS } from "../../src/auth/algorithm.ts";
import { FileUsers } from "../../src/auth/file-users.ts";
import { hashPassword } from "../../src/auth/hash-password.ts";
import { sqliteUsers } from "../../src/auth/sqlite-users.ts";
import type { UserSource } from "../../src/auth/users.ts";
import { settingsFolder } from "./settings-folder.ts";

const { folder, settingsOf, remove } = settingsFolder();
afterAll(remove);

const REALM = "example.com";
const PASSWORDS = { alice: "secret", bob: "other" };
const ALICE = { alice: PASSWORDS.alice };
const ADDRESSES = ["sip:sales@example.com"];
const TEXT = await Bun.file(join(import.meta.dir, "../../docs/registrar.md")).text();

/** The first block of a language. */
function block(language: string): string {
  const found = [...TEXT.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].find(([, of]) => of === language);
  if (found === undefined) throw new Error(`there is no block of ${language}`);
  return found[2]!;
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Whether each user is there, and its secrets are of its password. */
async function expectUsers(source: UserSource, passwords: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, password] of Object.entries(passwords)) {
    const user = await source.find(name, REALM);
    for (const algorithm of ["SHA-256", "MD5"] as const) {
      const ha1 = Buffer.from(user?.ha1(HASH_NUMBERS[algorithm], REALM) ?? []).toString();
      expect([name, ha1]).toEqual([name, hashPassword(name, REALM, password)[algorithm]]);
    }
  }
}

test("the first command names the users and their passwords", () => {
  for (const [name, password] of Object.entries(PASSWORDS))
    expect(block("sh")).toContain(` --users ${name}=${password}`);
});

test("the settings file has them", async () => {
  const { auth, registrar } = await settingsOf([], block("toml"));
  expect(registrar.domains).toEqual([REALM]);
  const { "SHA-256": sha256, MD5 } = hashPassword("bob", REALM, PASSWORDS.bob);
  expect(auth.users).toEqual({
    alice: { password: PASSWORDS.alice },
    bob: { ha1: { "SHA-256": sha256, MD5 }, aors: ADDRESSES },
  });
});

test("the users' files have them", async () => {
  await expectUsers(new FileUsers({ path: file("users.json", block("json")) }), PASSWORDS);
  await expectUsers(new FileUsers({ path: file("users.htdigest", block("")) }), ALICE);
});

test("the users' table can hold them", async () => {
  const path = join(folder, "users.sqlite");
  const database = new Database(path);
  database.run(block("sql"));
  database.run("INSERT INTO users (name, realm, password) VALUES (?, ?, ?)", ["alice", REALM, PASSWORDS.alice]);
  database.close();
  await expectUsers(sqliteUsers({ path }), ALICE);
});
