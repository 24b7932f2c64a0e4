/** What is remembered of servers that have asked (RFC 7616 s3.6, s5.8), and that it is bounded. */
import { expect, test } from "bun:test";
import { ClientMemory, rankOf } from "../../src/auth/client-memory.ts";
import { ClientSession } from "../../src/auth/client-session.ts";

function session(realm: string): ClientSession {
  const challenge = {
    isProxy: false,
    realm,
    rawRealm: realm,
    rawNonce: "n",
    rawOpaque: null,
    algorithm: "MD5",
    algorithmText: null,
    qop: "auth",
    isStale: false,
    hashesUser: false,
  } as const;
  return new ClientSession(challenge, { user: "alice", password: "x" });
}

test("sessions are found by server and source, once each", () => {
  const memory = new ClientMemory(10);
  expect(memory.isEmpty).toBe(true);
  const [one, two] = [session("a"), session("b")];
  for (const each of [one, two, one]) memory.remember("host:5060", "user alice", each);
  expect(memory.sessions("host:5060", "user alice")).toEqual([one, two]);
  expect(memory.sessions("host:5060", "user bob")).toEqual([]);
  expect(memory.sessions("host", "user alice")).toEqual([]);
  memory.forget("host:5060", "user alice", one);
  expect(memory.sessions("host:5060", "user alice")).toEqual([two]);
  memory.forget("host:5060", "user alice", two);
  expect(memory.isEmpty).toBe(true);
});

test("what was used longest ago goes, and no server has more than eight realms", () => {
  const memory = new ClientMemory(3);
  for (const host of ["a", "b", "c"]) memory.remember(host, "t", session("r"));
  memory.sessions("a", "t");
  memory.remember("d", "t", session("r"));
  expect(["a", "b", "c", "d"].map((host) => memory.sessions(host, "t").length)).toEqual([1, 0, 1, 1]);
  for (let at = 0; at < 20; at++) memory.remember("a", "t", session(`${at}`));
  expect(memory.sessions("a", "t").map(({ realm }) => realm)).toEqual(["12", "13", "14", "15", "16", "17", "18", "19"]);
});

test("the strongest hash of a realm only rises; another server that asks for many realms does not make it forgotten", () => {
  const memory = new ClientMemory(3);
  expect(memory.strongest("a", "r")).toBe(-1);
  memory.asked("a", "r", rankOf("SHA-256-sess"));
  memory.asked("a", "r", rankOf("MD5"));
  expect(memory.strongest("a", "r")).toBe(rankOf("SHA-256"));
  for (let at = 0; at < 1000; at++) memory.asked("b", `${at}`, rankOf("MD5"));
  expect(memory.strongest("a", "r")).toBe(rankOf("SHA-256"));
  for (let at = 0; at < 3; at++) memory.asked(`other${at}`, "r", rankOf("MD5"));
  expect(memory.strongest("a", "r")).toBe(-1);
});
