import { afterEach, describe, expect, test } from "bun:test";
import { freePort } from "../../bench/load/process.ts";
import { openRegisterLoop, type RegisterLoop, type RegisterLoopOptions } from "../../bench/load/register-loop.ts";
import { userName } from "../../bench/load/register-users.ts";

interface Seen {
  readonly user: string;
  readonly callId: string;
  readonly cseq: number;
  readonly branch: string;
  readonly nonce: string | undefined;
  readonly nc: number | undefined;
}

/** What the stand-in answers, by what it sees; nothing when it is silent. */
type Answer = (seen: Seen, nth: number) => string | undefined;

const running: { close(): void }[] = [];
afterEach(() => {
  for (const one of running.splice(0)) one.close();
});

/** A registrar in words, over UDP and TCP on one port. */
async function registrar(answer: Answer): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const take = (text: string): string => {
    const header = (name: string): string => new RegExp(`\r\n${name}: ([^\r]*)`).exec(text)?.[1] ?? "";
    const authorization = header("Authorization");
    const one: Seen = {
      user: /sip:(\w+)@/.exec(header("To"))![1]!,
      callId: header("Call-ID"),
      cseq: Number.parseInt(header("CSeq"), 10),
      branch: /branch=(.*)/.exec(header("Via"))![1]!,
      nonce: /[ ,]nonce="([^"]*)"/.exec(authorization)?.[1],
      nc: authorization === "" ? undefined : Number.parseInt(/nc=(\w+)/.exec(authorization)![1]!, 16),
    };
    seen.push(one);
    const status = answer(one, seen.length);
    if (status === undefined) return "";
    const kept = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(name)}`);
    return [`SIP/2.0 ${status}`, ...kept, "Content-Length: 0\r\n\r\n"].join("\r\n");
  };
  // One that is free for both.
  const port = await freePort();
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(self, bytes, port, address) {
        const reply = take(bytes.toString());
        if (reply !== "") self.send(reply, port, address);
      },
    },
  });
  const listener = Bun.listen<{ rest: string }>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open(connection) {
        connection.data = { rest: "" };
      },
      data(connection, bytes) {
        const messages = (connection.data.rest + bytes.toString()).split("\r\n\r\n");
        connection.data.rest = messages.pop()!;
        for (const message of messages) {
          connection.write(take(`${message}\r\n\r\n`));
        }
      },
    },
  });
  running.push(socket, { close: () => listener.stop(true) });
  return { port, seen };
}

async function loop(port: number, options: Partial<RegisterLoopOptions>): Promise<RegisterLoop> {
  const ends = { transport: "udp", host: "127.0.0.1", port, connections: 1 } as const;
  const opened = await openRegisterLoop({ ...ends, concurrency: 4, aors: 20, ...options });
  running.push(opened);
  return opened;
}

const ok: Answer = () => "200 OK";

/** Challenges whoever comes without a nonce, each with a new one. */
function challenging(): Answer {
  let nonces = 0;
  return ({ nonce }) =>
    nonce === undefined
      ? `401 Unauthorized\r\nWWW-Authenticate: Digest realm="example.com", nonce="n${++nonces}", qop="auth"`
      : "200 OK";
}

function users(seen: readonly Seen[]): string[] {
  return seen.map(({ user }) => user);
}

const ALL = Array.from({ length: 20 }, (_, i) => userName(i));

describe("the loop of registrations", () => {
  test.each(["udp", "tcp"] as const)("over %s: filling registers each AOR once", async (transport) => {
    const { port, seen } = await registrar(ok);
    const result = await (await loop(port, { transport, connections: 2 })).run({ load: "fill" });
    expect(result).toMatchObject({ completed: 20, failed: 0, sent: 20, received: 20, strays: 0 });
    expect(users(seen).sort()).toEqual(ALL);
  });

  test("refreshes go round; Call-IDs stay, CSeqs count up, branches never come again", async () => {
    const { port, seen } = await registrar(ok);
    const registering = await loop(port, { concurrency: 1 });
    await registering.run({ load: "fill" });
    await registering.run({ load: "refresh", seconds: 0.05 });
    expect(seen.length).toBeGreaterThan(20);
    expect(users(seen.slice(20, 40)).slice(0, seen.length - 20)).toEqual(ALL.slice(0, seen.length - 20));
    for (const name of ALL) {
      const own = seen.filter(({ user }) => user === name);
      expect(new Set(own.map(({ callId }) => callId)).size).toBe(1);
      expect(own.map(({ cseq }) => cseq)).toEqual(own.map((_, i) => 100_000_001 + i));
    }
    expect(new Set(seen.map(({ branch }) => branch)).size).toBe(seen.length);
  });

  test("a user keeps its connection, so that it has one Contact and one Call-ID", async () => {
    const { port, seen } = await registrar(ok);
    const registering = await loop(port, { transport: "tcp", connections: 3, isShuffled: true, aors: 10 });
    await registering.run({ load: "fill" });
    await registering.run({ load: "refresh", seconds: 0.05 });
    await registering.run({ load: "fresh", seconds: 0.02 });
    const callIds = new Set(seen.map(({ callId }) => callId));
    expect(callIds.size).toBe(new Set(users(seen)).size);
    expect(new Set([...callIds].map((callId) => callId.split("@")[1])).size).toBe(3);
  });

  test("a shuffled order has every AOR, and not one behind the other", async () => {
    const { port, seen } = await registrar(ok);
    await (await loop(port, { concurrency: 1, isShuffled: true })).run({ load: "fill" });
    expect(users(seen)).not.toEqual(ALL);
    expect(users(seen).sort()).toEqual(ALL);
  });

  test("fresh AORs are all others, in this run and the next", async () => {
    const { port, seen } = await registrar(ok);
    const registering = await loop(port, { firstUser: 5000 });
    await registering.run({ load: "fill" });
    expect(Math.max(...users(seen).map((name) => Number(name.slice(4))))).toBe(5019);
    await registering.run({ load: "fresh", seconds: 0.02 });
    await registering.run({ load: "fresh", seconds: 0.02 });
    expect(new Set(users(seen)).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThan(22);
  });

  test("with a digest: challenged once, then the nonce is used again and its count goes up", async () => {
    const { port, seen } = await registrar(challenging());
    const registering = await loop(port, { concurrency: 1, algorithm: "MD5" });
    expect(await registering.run({ load: "fill" })).toMatchObject({ completed: 20, challenged: 20, sent: 40 });
    const refreshed = await registering.run({ load: "refresh", seconds: 0.05 });
    expect(refreshed).toMatchObject({ challenged: 0, failed: 0 });
    for (const name of ALL) {
      const own = seen.filter(({ user, nonce }) => user === name && nonce !== undefined);
      expect(new Set(own.map(({ nonce }) => nonce)).size).toBe(1);
      expect(own.map(({ nc }) => nc)).toEqual(own.map((_, i) => i + 1));
    }
  });

  test("with a digest: a pair is challenged each time, and so is a fresh AOR", async () => {
    const { port } = await registrar(challenging());
    const registering = await loop(port, { algorithm: "SHA-256" });
    for (const load of ["pair", "fresh"] as const) {
      const result = await registering.run({ load, seconds: 0.03 });
      expect(result.completed).toBeGreaterThan(0);
      expect(result.challenged).toBe(result.completed);
      expect(result.sent).toBe(2 * result.completed);
    }
  });

  test("a nonce gone stale is answered anew and counts as a challenge", async () => {
    let isStale = false;
    const first = challenging();
    const { port } = await registrar((seen, nth) =>
      first(isStale && seen.nc! > 1 ? { ...seen, nonce: undefined } : seen, nth),
    );
    const registering = await loop(port, { algorithm: "MD5" });
    await registering.run({ load: "fill" });
    isStale = true;
    const result = await registering.run({ load: "refresh", seconds: 0.03 });
    expect(result.failed).toBe(0);
    expect(result.challenged).toBe(result.completed);
  });

  test("a refused digest fails and is not tried for ever", async () => {
    const { port, seen } = await registrar(() => '401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b"');
    const result = await (await loop(port, { algorithm: "MD5" })).run({ load: "fill" });
    expect(result).toMatchObject({ completed: 0, failed: 20, failures: { "401 REGISTER": 20 } });
    expect(seen.length).toBe(40);
  });

  test("a challenge that nobody here can answer fails", async () => {
    const { port } = await registrar(challenging());
    const result = await (await loop(port, {})).run({ load: "fill" });
    expect(result.failures).toEqual({ "401 without a challenge to answer": 20 });
  });

  test("other answers fail by their status", async () => {
    const { port } = await registrar(({ cseq }) => (cseq === 100_000_001 ? "503 Later" : "200 OK"));
    const registering = await loop(port, {});
    expect(await registering.run({ load: "fill" })).toMatchObject({ failed: 20, failures: { "503 REGISTER": 20 } });
    expect(await registering.run({ load: "fill" })).toMatchObject({ completed: 20, failed: 0 });
  });

  test("a request that is not answered goes again, the same octets", async () => {
    let isFirst = true;
    const { port, seen } = await registrar(() => {
      const answers = isFirst ? undefined : "200 OK";
      isFirst = false;
      return answers;
    });
    const result = await (await loop(port, { concurrency: 1, aors: 2, t1: 20 })).run({ load: "fill" });
    expect(result.completed).toBe(2);
    expect(result.retransmissions).toBeGreaterThan(0);
    expect(seen[1]).toEqual(seen[0]!);
  });

  test("a connection that is lost ends the run, and says why", async () => {
    const { port } = await registrar(ok);
    const registering = await loop(port, { transport: "tcp", concurrency: 1 });
    const run = registering.run({ load: "refresh", seconds: 30 });
    setTimeout(() => running[1]!.close(), 20);
    const result = await run;
    expect(result.failed).toBe(1);
    expect(result.totalSeconds).toBeLessThan(20);
  });

  test("more in flight than AORs is refused", async () => {
    await expect(loop(9, { concurrency: 21 })).rejects.toThrow("20 AORs: not in 21..");
  });
});
