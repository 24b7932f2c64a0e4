/** Users who change or go while a nonce they have used is still good: nothing of who they were lets anybody in. */
import { describe, expect, test } from "bun:test";
import type { AlgorithmName } from "../../src/auth/algorithm.ts";
import { type Digest, digest, FoundUser, type UserSource } from "../../src/auth/digest.ts";
import { challengesOf, credentials, type Login, now, request } from "../support/digest-client.ts";

const REALM = "example.com";
const ADDRESS = "192.0.2.4";

/** A source whose passwords can be changed, and that tells of it by its generation. */
class Changing implements UserSource {
  generation = 0;
  asked = 0;
  readonly passwords = new Map([
    ["alice", "secret"],
    ["bob", "other"],
  ]);

  set(name: string, password: string): void {
    this.passwords.set(name, password);
    this.generation++;
  }

  find(name: string): FoundUser | null | Promise<FoundUser | null> {
    this.asked++;
    const password = this.passwords.get(name);
    return password === undefined ? null : new FoundUser(name, { password });
  }
}

function server(users: UserSource, algorithm: AlgorithmName = "SHA-256") {
  const auth = digest({ realm: REALM, users, algorithms: [algorithm], failures: false });
  const { nonce } = challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]! as { nonce: string };
  let nc = 0;
  const next = (username: string, password: string, more: Partial<Login> = {}) =>
    credentials({ username, password, nonce, algorithm, nc: ++nc, ...more });
  return { auth, next, isIn: (...login: Parameters<typeof next>) => isAllowed(auth, next(...login)) };
}

function isAllowed(auth: Digest, value: string): boolean {
  return now(auth.check(request(value), ADDRESS, "uas")).isAllowed;
}

describe("a nonce that was used before", () => {
  test("has its user asked for once while the users are the same, and again when they have changed", () => {
    const users = new Changing();
    const { isIn } = server(users);
    expect([isIn("alice", "secret"), isIn("alice", "secret"), isIn("alice", "guess")]).toEqual([true, true, false]);
    expect(users.asked).toBe(1);
    users.set("alice", "changed");
    expect([isIn("alice", "secret"), isIn("alice", "changed"), isIn("alice", "changed")]).toEqual([false, true, true]);
    users.passwords.delete("alice");
    users.generation++;
    expect(isIn("alice", "changed")).toBe(false);
  });

  test.each(["MD5-sess", "SHA-256-sess"] as const)(
    "with %s lets nobody in by the session of a password that was changed, known to change or not",
    (algorithm) => {
      const users = new Changing();
      const unknowable: UserSource = { find: (name) => users.find(name) };
      for (const source of [users, unknowable]) {
        users.set("alice", "secret");
        const { isIn } = server(source, algorithm);
        const session = { sessionCnonce: "first" };
        expect(isIn("alice", "secret", { cnonce: "first" })).toBe(true);
        expect(isIn("alice", "secret", { cnonce: "second", ...session })).toBe(true);
        users.set("alice", "changed");
        expect(isIn("alice", "secret", { cnonce: "third", ...session })).toBe(false);
        expect(isIn("alice", "changed", { cnonce: "fourth" })).toBe(true);
      }
    },
  );

  test("is each user's own, whoever used it before", () => {
    const users = new Changing();
    const { isIn } = server(users);
    expect([isIn("alice", "secret"), isIn("bob", "other"), isIn("alice", "secret")]).toEqual([true, true, true]);
    expect([isIn("bob", "secret"), isIn("alice", "other"), isIn("mallory", "secret")]).toEqual([false, false, false]);
  });

  test("used under a name in username* is not another's, whose name came before", () => {
    const { auth, next, isIn } = server(new Changing());
    const extended = () => {
      const value = next("alice", "secret");
      return isAllowed(auth, value.replace('username="alice"', "username*=UTF-8''alice"));
    };
    expect([isIn("bob", "other"), extended(), isIn("bob", "other")]).toEqual([true, true, true]);
  });
});

describe("a user who is found while the users change", () => {
  test("is not kept as one of those that are there now", async () => {
    const users = new Changing();
    const { auth, next, isIn } = server(users);
    const found = Promise.withResolvers<FoundUser | null>();
    const plain = users.find;
    users.find = () => found.promise;
    const verdict = auth.check(request(next("alice", "secret")), ADDRESS, "uas");
    users.find = plain;
    users.set("alice", "changed");
    found.resolve(new FoundUser("alice", { password: "secret" }));
    expect((await verdict).isAllowed).toBe(true);
    expect([isIn("alice", "secret"), isIn("alice", "changed")]).toEqual([false, true]);
  });

  test("at once is not kept either", () => {
    const users = new Changing();
    const { isIn } = server(users);
    const plain = users.find;
    users.find = (name) => {
      const user = plain.call(users, name);
      users.set("alice", "changed");
      return user;
    };
    expect(isIn("alice", "secret")).toBe(true);
    users.find = plain;
    expect([isIn("alice", "secret"), isIn("alice", "changed")]).toEqual([false, true]);
  });

  test("from an address that was shut out meanwhile is refused", async () => {
    const found = Promise.withResolvers<{ password: string }>();
    const users = (name: string) => (name === "alice" ? found.promise : null);
    const auth = digest({ realm: REALM, users, failures: { refuseAddressAfter: 1 } });
    const { nonce } = challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]! as { nonce: string };
    const login = (username: string) =>
      auth.check(request(credentials({ username, password: "secret", nonce })), ADDRESS, "uas");
    const waiting = login("alice");
    expect(login("mallory")).toMatchObject({ status: 401 });
    found.resolve({ password: "secret" });
    expect(await waiting).toMatchObject({ isAllowed: false, status: 403 });
  });
});
