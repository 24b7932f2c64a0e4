import { describe, expect, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import { type LockoutSettings, MOST_HELD } from "../../src/auth/lockout.ts";
import { AddressList, networkOf } from "../../src/auth/network.ts";
import { challengesOf, credentials, denied, linesOf, now, request } from "../support/digest-client.ts";

const START = Date.UTC(2026, 0, 1);

/** A server on a clock of its own, and its log. */
function server(failures: Partial<LockoutSettings> | false = {}) {
  let time = START;
  const log: { level: string; message: string; [field: string]: unknown }[] = [];
  const auth = digest({
    realm: "example.com",
    users: { alice: "secret", bob: "other" },
    failures,
    now: () => time,
    log: {
      info: (fields, message) => log.push({ level: "info", message, ...fields }),
      warn: (fields, message) => log.push({ level: "warn", message, ...fields }),
    },
  });
  return {
    auth,
    log,
    pass: (seconds: number) => {
      time += seconds * 1000;
    },
    /** One login with a nonce of its own. */
    login(username: string, password: string, address = "192.0.2.4") {
      // Asked for from elsewhere: who is shut out gets no challenge.
      const { nonce } = challengesOf(now(auth.check(request(), "203.0.113.1", "uas")))[0]! as { nonce: string };
      return now(auth.check(request(credentials({ username, password, nonce })), address, "uas"));
    },
  };
}

/** A name that nobody has, another each time. */
let names = 0;
const stranger = () => `stranger${names++}`;

describe("failures for one user", () => {
  test("are slowed, longer each time up to a bound, and the first few not at all", () => {
    const { login } = server({ slowUserAfter: 2, firstDelay: 100, longestDelay: 500, refuseUserAfter: 0 });
    const delays = Array.from({ length: 7 }, () => denied(login("alice", "guess")).delay);
    expect(delays).toEqual([0, 0, 100, 200, 400, 500, 500]);
  });

  test("are then refused from everywhere, with the right password too, and Retry-After says for how long", () => {
    const { auth, pass, login } = server({ refuseUserAfter: 3, refuseFor: 60 });
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) {
      expect(denied(login("alice", "guess", address)).status).toBe(401);
    }
    pass(9.5);
    const verdict = denied(login("alice", "secret", "192.0.2.9"));
    expect(verdict).toMatchObject({ status: 403, reason: "Too Many Failed Logins", delay: 0 });
    expect(linesOf(verdict)).toEqual(["Retry-After: 51"]);
    expect(login("bob", "other", "192.0.2.1").isAllowed).toBe(true);
    pass(50.5);
    expect(login("alice", "secret").isAllowed).toBe(true);
    expect(auth.counters).toMatchObject({ rejected: 3, refused: 1, lockedUsers: 1, lockedAddresses: 0 });
  });

  test("are counted and refused the same for a user that is not there", () => {
    const known = server({ slowUserAfter: 1, refuseUserAfter: 3 });
    const unknown = server({ slowUserAfter: 1, refuseUserAfter: 3 });
    for (let i = 0; i < 5; i++) {
      const [a, b] = [denied(known.login("alice", "guess")), denied(unknown.login("mallory", "guess"))];
      expect([a.status, a.delay, a.reason]).toEqual([b.status, b.delay, b.reason]);
    }
  });

  test("are forgotten with a login that goes well", () => {
    const { login } = server({ slowUserAfter: 1, refuseUserAfter: 3 });
    for (let i = 0; i < 4; i++) {
      expect(denied(login("alice", "guess")).delay).toBe(0);
      expect(denied(login("alice", "guess")).status).toBe(401);
      expect(login("alice", "secret").isAllowed).toBe(true);
    }
  });

  test("are forgotten when their window has passed", () => {
    const { pass, login } = server({ slowUserAfter: 1, refuseUserAfter: 3, window: 100 });
    for (let i = 0; i < 4; i++) {
      expect(denied(login("alice", "guess")).delay).toBe(0);
      pass(99);
      expect(denied(login("alice", "guess")).status).toBe(401);
      pass(1);
    }
  });

  test("whose name was hashed count for the user", () => {
    const { auth, login } = server({ refuseUserAfter: 2 });
    login("alice", "guess");
    login("alice", "guess");
    const { nonce } = challengesOf(now(auth.check(request(), "203.0.113.1", "uas")))[0]! as { nonce: string };
    const hash = Bun.SHA256.hash("alice:example.com", "hex");
    const mine = { username: "alice", password: "secret", nonce, algorithm: "SHA-256" };
    const value = credentials(mine, { username: `"${hash}"`, userhash: "true" });
    expect(denied(auth.check(request(value), "192.0.2.4", "uas")).status).toBe(403);
  });
});

describe("failures from one address", () => {
  test("are slowed and refused, whomever they were tried on, and with no credentials too", () => {
    const { auth, login } = server({ slowAddressAfter: 1, firstDelay: 100, refuseAddressAfter: 3 });
    expect([1, 2, 3].map(() => denied(login(stranger(), "guess")).delay)).toEqual([0, 100, 200]);
    expect(denied(login("alice", "secret")).status).toBe(403);
    expect(denied(auth.check(request(), "192.0.2.4", "uas")).status).toBe(403);
    expect(login("alice", "secret", "192.0.2.5").isAllowed).toBe(true);
    expect(auth.counters).toMatchObject({ refused: 2, lockedAddresses: 1, lockedUsers: 0 });
  });

  test("are not forgotten with a login that goes well: who has one password may still guess others", () => {
    const { login } = server({ refuseAddressAfter: 3 });
    login(stranger(), "guess");
    login(stranger(), "guess");
    expect(login("alice", "secret").isAllowed).toBe(true);
    login(stranger(), "guess");
    expect(denied(login("alice", "secret")).status).toBe(403);
  });

  test("of an IPv6 network are those of one address", () => {
    const { login } = server({ refuseAddressAfter: 2 });
    login(stranger(), "guess", "2001:db8:1:2::1");
    login(stranger(), "guess", "2001:0db8:0001:0002:a:b:c:d");
    expect(denied(login("alice", "secret", "2001:db8:1:2:ffff::")).status).toBe(403);
    expect(login("alice", "secret", "2001:db8:1:3::1").isAllowed).toBe(true);
  });

  test("of an exempt one count for users only", () => {
    const { auth, login } = server({
      refuseAddressAfter: 2,
      refuseUserAfter: 4,
      exempt: ["192.0.2.0/24", "2001:db8::7"],
    });
    for (const address of ["192.0.2.4", "2001:db8::7"]) {
      for (let i = 0; i < 3; i++) login(stranger(), "guess", address);
      expect(login("alice", "secret", address).isAllowed).toBe(true);
    }
    for (let i = 0; i < 4; i++) login("alice", "guess");
    expect(denied(login("alice", "secret")).status).toBe(403);
    expect(auth.counters.lockedAddresses).toBe(0);
  });
});

describe("what is no failure", () => {
  test("a stale nonce, a request played again, one without credentials, malformed ones", () => {
    const { auth, pass, login } = server({ refuseUserAfter: 1, refuseAddressAfter: 1 });
    const { nonce } = challengesOf(now(auth.check(request(), "192.0.2.4", "uas")))[0]! as { nonce: string };
    const value = credentials({ username: "alice", password: "secret", nonce });
    const check = (of: string) => now(auth.check(request(of), "192.0.2.4", "uas"));
    expect(check(value).isAllowed).toBe(true);
    check(value);
    check("Digest nonsense");
    check(credentials({ username: "alice", password: "secret", nonce: "foreign" }));
    pass(400);
    check(value);
    expect(login("alice", "secret").isAllowed).toBe(true);
    expect(auth.counters).toMatchObject({ replayed: 1, malformed: 1, stale: 2, rejected: 0, refused: 0 });
  });

  test("nothing is slowed or refused where that is not wanted", () => {
    const { auth, login } = server(false);
    for (let i = 0; i < 200; i++) expect(denied(login("alice", "guess"))).toMatchObject({ status: 401, delay: 0 });
    expect(login("alice", "secret").isAllowed).toBe(true);
    expect(auth.counters).toMatchObject({ rejected: 200, lockedUsers: 0 });
  });
});

describe("the log", () => {
  test("is told once that a user is refused, and once that it no longer is", () => {
    const { log, pass, login, auth } = server({ refuseUserAfter: 3, refuseFor: 60 });
    for (let i = 0; i < 20; i++) login("alice", "guess");
    expect(log).toEqual([
      { level: "warn", message: "a user is refused: too many failed logins", user: "alice", failures: 3, seconds: 60 },
    ]);
    pass(61);
    // It is noticed with the next request, whosever that is.
    login("bob", "other");
    expect(log.slice(1)).toEqual([
      { level: "info", message: "a user is no longer refused", user: "alice", refused: 17 },
    ]);
    expect(auth.counters).toMatchObject({ rejected: 3, refused: 17, lockedUsers: 1 });
  });

  test("is not told a name that is nobody's: it may be a password (RFC 7616 s3.4)", () => {
    const { log, login } = server({ refuseUserAfter: 2 });
    for (let i = 0; i < 3; i++) login("hunter2", "guess");
    expect(JSON.stringify(log)).not.toContain("hunter2");
    expect(log).toHaveLength(1);
  });

  test("is told of an address", () => {
    const { log, pass, login } = server({ refuseAddressAfter: 2, refuseFor: 60 });
    for (let i = 0; i < 5; i++) login(stranger(), "guess", "2001:db8::1");
    pass(60);
    login("alice", "secret");
    expect(log.map(({ level, address, refused }) => [level, address, refused])).toEqual([
      ["warn", "2001:db8:0:0::/64", undefined],
      ["info", "2001:db8:0:0::/64", 3],
    ]);
  });
});

describe("answers that are held back", () => {
  test("are so many at once and no more, whoever fails: those beyond are given at once", () => {
    const settings = { slowUserAfter: 0, refuseUserAfter: 0, refuseAddressAfter: 0, longestDelay: 2000 };
    const { pass, login, auth } = server(settings);
    const { nonce } = challengesOf(now(auth.check(request(), "203.0.113.1", "uas")))[0]! as { nonce: string };
    const guess = request(credentials({ username: "alice", password: "guess", nonce }));
    let held = 0;
    for (let i = 0; i < MOST_HELD + 1000; i++) if (denied(auth.check(guess, "192.0.2.4", "uas")).delay > 0) held++;
    expect(held).toBe(MOST_HELD);
    expect(denied(login(stranger(), "guess")).delay).toBe(0);
    pass(2);
    expect(denied(login("alice", "guess")).delay).toBe(2000);
  });
});

describe("the tables", () => {
  test("are bounded: the oldest count is forgotten, one that is shut out last of all", () => {
    const { login } = server({ refuseUserAfter: 2, refuseAddressAfter: 0, max: 10 });
    login("alice", "guess");
    login("alice", "guess");
    login("bob", "guess");
    for (let i = 0; i < 20; i++) login(stranger(), "guess");
    expect(denied(login("alice", "secret")).status).toBe(403);
    // Bob's first failure is forgotten.
    login("bob", "guess");
    expect(login("bob", "other").isAllowed).toBe(true);
  });

  test("forget nobody who is shut out for a flood of others' failures", () => {
    const { login } = server({ refuseUserAfter: 2, refuseAddressAfter: 0, max: 10 });
    const all = ["alice", ...Array.from({ length: 5 }, stranger)];
    for (const name of all) for (let i = 0; i < 2; i++) login(name, "guess");
    for (let i = 0; i < 100; i++) login(stranger(), "guess");
    for (const name of all) expect(denied(login(name, "secret")).status).toBe(403);
  });

  test("stand it when all that they hold is shut out", () => {
    const { log, auth, pass, login } = server({ refuseUserAfter: 1, refuseAddressAfter: 0, refuseFor: 60, max: 5 });
    const all = Array.from({ length: 30 }, stranger);
    for (const name of all) login(name, "guess");
    expect(denied(login(all.at(-1)!, "guess")).status).toBe(403);
    expect(denied(login(all[0]!, "guess")).status).toBe(401);
    pass(61);
    expect(denied(login(all.at(-1)!, "guess")).status).toBe(401);
    expect(auth.counters.lockedUsers).toBe(32);
    expect(log.filter(({ level }) => level === "info")).toHaveLength(31);
  });
});

describe("addresses", () => {
  test("count as what one host has many of", () => {
    const networks = [
      ["192.0.2.4", "192.0.2.4"],
      ["::ffff:192.0.2.4", "192.0.2.4"],
      ["::1", "0:0:0:0::/64"],
      ["1::", "1:0:0:0::/64"],
      ["2001:DB8:0:00a0::1", "2001:db8:0:a0::/64"],
      ["1:2:3:4:5:6:7:8", "1:2:3:4::/64"],
      ["1:2:3:4:5:6:192.0.2.1", "1:2:3:4::/64"],
      ["1::4:5:6:192.0.2.1", "1:0:0:4::/64"],
      ["fe80::1%eth0", "fe80:0:0:0::/64"],
      ["", ""],
    ] as const;
    for (const [address, network] of networks) expect([address, networkOf(address)]).toEqual([address, network]);
  });

  test("of a list are known alone and by their network", () => {
    const list = new AddressList(["192.0.2.4", "198.51.100.0/25", "2001:db8::/32", "fe80::1"]);
    for (const address of ["192.0.2.4", "198.51.100.127", "2001:db8:ffff::1", "fe80::1%eth0"]) {
      expect([address, list.has(address)]).toEqual([address, true]);
    }
    for (const address of ["192.0.2.5", "198.51.100.128", "2001:db9::", "fe80::2", "", "nowhere"]) {
      expect([address, list.has(address)]).toEqual([address, false]);
    }
    for (const wrong of ["", "nowhere", "192.0.2.4/33", "192.0.2.4/", "2001:db8::/129", "192.0.2.4/-1", "1.2.3"]) {
      expect(() => new AddressList([wrong])).toThrow(TypeError);
    }
  });
});
