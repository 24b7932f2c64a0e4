import { describe, expect, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import { hashPassword, htdigestLines } from "../../src/auth/hash-password.ts";
import { commonAlgorithms, FoundUser, type UserSource, usersBy, usersOf } from "../../src/auth/users.ts";
import { readHtdigest, readJsonUsers } from "../../src/auth/users-text.ts";
import { challengesOf, credentials, denied, now, request } from "../support/digest-client.ts";

const REALM = "example.com";
const ADDRESS = "192.0.2.4";

/** Whether a source lets alice in with a password, by an algorithm. */
async function admits(users: Parameters<typeof digest>[0]["users"], password: string, algorithm: string) {
  const auth = digest({ realm: REALM, users });
  const { nonce } = challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]! as { nonce: string };
  const value = credentials({ username: "alice", password, nonce, algorithm });
  return (await auth.check(request(value), ADDRESS, "uas")).isAllowed;
}

describe("users in memory", () => {
  test("are found by name, in their realm or in any", () => {
    const users = usersOf({ alice: "secret", bob: { password: "b", realm: "elsewhere.net", aors: ["sip:b@x.net"] } });
    expect(users.find("alice", REALM)?.name).toBe("alice");
    expect(users.find("bob", REALM)).toBeNull();
    expect(users.find("bob", "elsewhere.net")?.secrets.aors).toEqual(["sip:b@x.net"]);
    for (const name of ["ALICE", "", "__proto__", "constructor", "toString"])
      expect(users.find(name, REALM)).toBeNull();
  });

  test("may name addresses in any spelling", () => {
    const users = usersOf({
      bob: { password: "b", aors: ["sips:Sales@EXAMPLE.com:5061;x=y", "tel:+1-201", "nothing"] },
    });
    expect(users.find("bob", REALM)?.secrets.aors).toEqual(["sip:Sales@example.com", "tel:+1201", "nothing"]);
  });

  test("may have any name, that of an object's own too", () => {
    const users = usersOf(JSON.parse('{"__proto__": "p", "find": "f"}'));
    expect(users.find("__proto__", REALM)?.secrets.password).toBe("p");
    expect(digest({ realm: REALM, users: { find: "f" } }).realm).toBe(REALM);
  });

  test("may be those of several realms at once", () => {
    const users = usersOf({ alice: "secret" });
    const realms = [REALM, "elsewhere.net"].map((realm) => ({ realm, auth: digest({ realm, users }) }));
    for (const nc of [1, 2]) {
      for (const { realm, auth } of realms) {
        const { nonce } = challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]! as { nonce: string };
        const value = credentials({ username: "alice", password: "secret", nonce, realm, nc });
        expect(now(auth.check(request(value), ADDRESS, "uas")).isAllowed).toBe(true);
      }
    }
  });

  test("are found by the hash of their name in a realm", () => {
    const users = usersOf({ alice: "secret", bob: { password: "b", realm: "elsewhere.net" } });
    const hash = (name: string, realm: string) => Bun.SHA256.hash(`${name}:${realm}`, "hex");
    expect(users.findHashed(hash("alice", REALM), "SHA-256", REALM)?.name).toBe("alice");
    expect(users.findHashed(hash("alice", "elsewhere.net"), "SHA-256", "elsewhere.net")?.name).toBe("alice");
    expect(users.findHashed(hash("bob", "elsewhere.net"), "SHA-256", "elsewhere.net")?.name).toBe("bob");
    expect(users.findHashed(hash("alice", REALM), "MD5", REALM)).toBeNull();
    expect(users.findHashed(hash("bob", REALM), "SHA-256", REALM)).toBeNull();
  });

  test("show no secret to whoever logs them", () => {
    const user = usersOf({ alice: { password: "s3cret" } }).find("alice", REALM);
    const shown = [Bun.inspect({ user }), JSON.stringify({ user }), JSON.stringify({ ...user })];
    for (const text of shown) {
      expect(text).toContain("alice");
      expect(text).not.toContain("s3cret");
    }
  });

  test("without a password are nobody's way in: an empty one is none", async () => {
    expect(() => readJsonUsers('{"alice": ""}')).toThrow('user "alice": password is empty');
    await expect(admits(() => ({ password: "" }), "", "MD5")).rejects.toThrow('user "alice": password is empty');
  });

  test("say which algorithms all of them serve", () => {
    const all = hashPassword("alice", REALM, "secret");
    const { MD5, "SHA-256": sha } = all;
    expect(commonAlgorithms([])).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
    expect(commonAlgorithms([{ password: "x" }, { ha1: { MD5, "SHA-256": sha } }])).toEqual(["SHA-256", "MD5"]);
    expect(commonAlgorithms([{ ha1: { MD5 } }, { ha1: { "SHA-256": sha } }])).toEqual([]);
    expect(commonAlgorithms([{ password: "x", ha1: { MD5 } }])).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
  });

  test("without an algorithm that all serve are let in by those that each serves, and the log is told", async () => {
    const warnings: string[] = [];
    const { MD5 } = hashPassword("alice", REALM, "secret");
    const { "SHA-256": sha } = hashPassword("bob", REALM, "other");
    const users = { alice: { ha1: { MD5 } }, bob: { ha1: { "SHA-256": sha } } };
    digest({ realm: REALM, users, log: { info() {}, warn: (_, message) => warnings.push(message) } });
    expect(warnings).toEqual(["no algorithm is served by the secrets of all users"]);
    expect(await admits(users, "secret", "MD5")).toBe(true);
    expect(await admits(users, "secret", "SHA-256")).toBe(false);
  });

  test("wrong secrets are refused with the user's name and without the secret", () => {
    const wrong: [object, string][] = [
      [{}, "neither"],
      [{ password: 5 }, "password"],
      [{ password: "" }, "password is empty"],
      [{ ha1: "x" }, "ha1"],
      [{ ha1: {} }, "neither"],
      [{ ha1: { MD5: "s3cret" } }, "MD5"],
      [{ ha1: { MD5: "g".repeat(32) } }, "MD5"],
      [{ ha1: { "SHA-256": "a".repeat(32) } }, "SHA-256"],
      [{ ha1: { "SHA-1": "s3cret" } }, "SHA-1"],
      [{ password: "s3cret", realm: 1 }, "realm"],
      [{ password: "s3cret", aors: "sip:a@b" }, "aors"],
    ];
    for (const [secrets, named] of wrong) {
      const message = (() => {
        try {
          usersOf({ alice: secrets });
          return "";
        } catch (error) {
          return `${error}`;
        }
      })();
      expect(message).toContain('"alice"');
      expect(message).toContain(named);
      expect(message).not.toContain("s3cret");
    }
    expect(() => new FoundUser("alice", null as never)).toThrow(TypeError);
  });
});

describe("users from a function", () => {
  test("may come at once or later, with a password or an H(A1)", async () => {
    const ha1 = hashPassword("alice", REALM, "secret");
    for (const secrets of [{ password: "secret" }, { ha1 }]) {
      for (const users of [() => secrets, async () => secrets]) {
        for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"]) {
          expect(await admits(users, "secret", algorithm)).toBe(true);
          expect(await admits(users, "guess", algorithm)).toBe(false);
        }
      }
    }
    expect(await admits(() => null, "secret", "MD5")).toBe(false);
    expect(await admits(async () => undefined as never, "secret", "MD5")).toBe(false);
  });

  test("are asked with name and realm, and not at all where there is nothing to ask", () => {
    const asked: string[][] = [];
    const auth = digest({ realm: REALM, users: (...names) => (asked.push(names) as never) && null });
    const { nonce } = challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]! as { nonce: string };
    now(auth.check(request("Digest nonsense"), ADDRESS, "uas"));
    expect(asked).toEqual([]);
    denied(
      auth.check(
        request(credentials({ username: 'a"b', password: "", nonce }, { username: '"a\\"b"' })),
        ADDRESS,
        "uas",
      ),
    );
    expect(asked).toEqual([['a"b', REALM]]);
  });

  test("what the function throws or rejects with comes out of the check", async () => {
    const fault = new Error("the database is away");
    const of = (users: () => never | Promise<never>) => {
      const auth = digest({ realm: REALM, users });
      const { nonce } = challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]! as { nonce: string };
      return () => auth.check(request(credentials({ username: "alice", password: "secret", nonce })), ADDRESS, "uas");
    };
    expect(await Promise.resolve(of(() => Promise.reject(fault))()).catch((error) => error)).toBe(fault);
    expect(
      of(() => {
        throw fault;
      }),
    ).toThrow(fault);
    const wrong = await Promise.resolve(of(async () => ({}) as never)()).catch((error) => error);
    expect(`${wrong}`).toContain("alice");
  });

  test("a thenable will do for a promise", async () => {
    // biome-ignore lint/suspicious/noThenProperty: what some database clients give
    const thenable = { then: (resolve: (secrets: object) => void) => resolve({ password: "secret" }) };
    const source = usersBy(() => thenable as never);
    expect((await source.find("alice", REALM))?.name).toBe("alice");
  });
});

describe("a source of one's own", () => {
  test("is used as it is, told when it is closed, and may find no hashes", async () => {
    let isClosed = false;
    const users: UserSource = {
      algorithms: ["SHA-256"],
      find: (name) => (name === "alice" ? new FoundUser(name, { password: "secret" }) : null),
      close: () => {
        isClosed = true;
      },
    };
    expect(await admits(users, "secret", "SHA-256")).toBe(true);
    expect(await admits(users, "secret", "MD5")).toBe(false);
    const auth = digest({ realm: REALM, users, userhash: true });
    const [challenge] = challengesOf(now(auth.check(request(), ADDRESS, "uas")));
    expect(challenge!.userhash).toBeUndefined();
    const login = { username: "alice", password: "secret", nonce: challenge!.nonce!, algorithm: "SHA-256" };
    const hash = Bun.SHA256.hash(`alice:${REALM}`, "hex");
    const value = credentials(login, { username: `"${hash}"`, userhash: "true" });
    expect(denied(auth.check(request(value), ADDRESS, "uas")).status).toBe(401);
    auth.close();
    expect(isClosed).toBe(true);
  });
});

describe("what is stored in a password's place", () => {
  test("lets in by each algorithm, and holds no password", async () => {
    const ha1 = hashPassword("alice", REALM, "secret");
    expect(Object.keys(ha1)).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
    for (const algorithm of Object.keys(ha1)) {
      expect(await admits({ alice: { ha1 } }, "secret", algorithm)).toBe(true);
      expect(await admits({ alice: { ha1 } }, "Secret", algorithm)).toBe(false);
    }
    expect(JSON.stringify(ha1)).not.toContain("secret");
  });

  test("is of one realm", async () => {
    expect(await admits({ alice: { ha1: hashPassword("alice", "elsewhere.net", "secret") } }, "secret", "MD5")).toBe(
      false,
    );
  });

  test("as htdigest lines is what Apache's htdigest writes for MD5, and is read back", () => {
    const lines = htdigestLines("Mufasa", "testrealm@host.com", "Circle Of Life");
    expect(lines[2]).toBe("Mufasa:testrealm@host.com:939e7578ed9e3c518a452acee763bce9");
    expect(readHtdigest(lines.join("\n"))).toEqual([
      ["Mufasa", { realm: "testrealm@host.com", ha1: hashPassword("Mufasa", "testrealm@host.com", "Circle Of Life") }],
    ]);
    expect(htdigestLines("a", "b", "c", ["MD5"])).toHaveLength(1);
  });

  test("no line is made of what could not be read back", () => {
    for (const [user, realm] of [
      ["a:b", "c"],
      ["a", "b:c"],
      ["", "b"],
      ["a", ""],
      ["a\nb", "c"],
    ] as const) {
      expect(() => htdigestLines(user, realm, "secret")).toThrow(TypeError);
    }
  });
});

describe("the text of a file of users", () => {
  const md5 = "939e7578ed9e3c518a452acee763bce9";

  test("of htdigest may have comments, empty lines, CRLFs and several users and realms", () => {
    const text = `# users\r\n\r\nalice:one:${md5}\r\nalice:two:${md5}\n  bob:one:${md5}\nalice:one:${"a".repeat(64)}:SHA-256`;
    expect(readHtdigest(text)).toEqual([
      ["alice", { realm: "one", ha1: { MD5: md5, "SHA-256": "a".repeat(64) } }],
      ["alice", { realm: "two", ha1: { MD5: md5 } }],
      ["bob", { realm: "one", ha1: { MD5: md5 } }],
    ]);
  });

  test("of htdigest that is wrong is refused with the line's number, never its text", () => {
    for (const line of [
      "s3cret",
      "alice:s3cret",
      `:one:${md5}`,
      `alice::${md5}`,
      "alice:one:s3cret",
      `alice:one:${md5}:SHA-1`,
      `alice:one:${md5}:SHA-256`,
      `alice:one:${md5}:MD5:s3cret`,
      `bob:one:${md5}`,
    ]) {
      const text = `bob:one:${md5}\n\n${line}`;
      expect(() => readHtdigest(text)).toThrow(/^line 3: [^3]*$/);
    }
  });

  test("may begin with a byte order mark", () => {
    expect(readJsonUsers('\ufeff{"alice": "secret"}')).toEqual([["alice", { password: "secret" }]]);
    expect(() => readJsonUsers('\ufeff\ufeff{"alice": "secret"}')).toThrow("not JSON");
    expect(readHtdigest(`\ufeffalice:one:${md5}`)).toEqual([["alice", { realm: "one", ha1: { MD5: md5 } }]]);
  });

  test("of JSON is an object of passwords and secrets", () => {
    expect(readJsonUsers(`{"alice": "secret", "bob": {"ha1": {"MD5": "${md5}"}, "aors": ["sip:b@x"]}}`)).toEqual([
      ["alice", { password: "secret" }],
      ["bob", { ha1: { MD5: md5 }, aors: ["sip:b@x"] }],
    ]);
    for (const text of [
      "",
      "[]",
      "null",
      "5",
      '{"alice": "s3cret"',
      '{"alice": 5}',
      '{"alice": {"password": ["s3cret"]}}',
    ]) {
      let message = "";
      try {
        readJsonUsers(text);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).not.toBe("");
      expect(message).not.toContain("s3cret");
    }
  });
});
