/** The REGISTERs of RFC 4475 and RFC 5118, each to a registrar that has seen nothing else. */
import { describe, expect, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import type { Binding, RegistrarOptions, ServeOptions } from "../../src/index.ts";
import { expectCopiedFields } from "../support/copied-fields.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { exchange } from "../support/exchange.ts";
import { torture } from "../support/fixtures.ts";
import { RunningRegistrar } from "../support/registering.ts";
import { onlyValueOf, type SipText, valuesOf } from "../support/sip-text.ts";

const CLIENT = "127.0.0.19";

const registers = torture().filter(({ kind }) => kind === "req REGISTER");
const named = (name: string) => registers.find((message) => message.name === name)!;

interface Result {
  /** Everything that the message got. */
  answers: SipText[];
  /** The status of the only answer, its reason where it is no 200, and its Contacts. */
  said: (number | string)[];
  bindings: (aor: string) => Binding[];
}

async function ask(name: string, options: RegistrarOptions = {}, serving: ServeOptions = {}): Promise<Result> {
  using on = await RunningRegistrar.start(options, serving);
  using client = await DatagramClient.open(CLIENT, 5060);
  const { bytes } = named(name);
  const answers = (await exchange(client, bytes, on.address.port)).map((answer) =>
    expectCopiedFields(answer, bytes, CLIENT, client.port),
  );
  expect(answers).toHaveLength(1);
  expect(on.running.log.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  const { status, reason } = answers[0]!;
  const said = status === 200 ? [200, ...valuesOf(answers[0]!, "contact")] : [status, reason];
  return { answers, said, bindings: (aor) => on.phones.lookup(aor) };
}

test("there are 13 of them", () => {
  expect(registers).toHaveLength(13);
});

describe("RFC 4475", () => {
  test("s3.1.1.4 escnull: two bindings, of an address-of-record that %00 does not end", async () => {
    const { said, bindings } = await ask("escnull");
    expect(said).toEqual([
      200,
      "<sip:%00%00@host5.example.com>;expires=3600",
      "<sip:%00@host5.example.com>;expires=3600",
    ]);
    expect(bindings("sip:null-%00-null@example.com")).toHaveLength(2);
    expect(bindings("sip:null-@example.com")).toEqual([]);
  });

  test("s3.1.1.8 dblreq: one answer, to the REGISTER; the INVITE behind it is not read", async () => {
    const calls: unknown[] = [];
    const { answers, said } = await ask("dblreq", {}, { invite: (call) => calls.push(call) });
    expect(calls).toEqual([]);
    expect(said).toEqual([200, "<sip:j.user@host.example.com>;expires=3600"]);
    expect(onlyValueOf(answers[0]!, "cseq")).toBe("8 REGISTER");
  });

  test("s3.1.2.4 scalar02: a CSeq beyond its range is 400", async () => {
    const { said, bindings } = await ask("scalar02");
    expect(said[0]).toBe(400);
    expect(bindings("sip:user@example.com")).toEqual([]);
  });

  test("s3.1.2.13 regbadct: a ? outside brackets is a malformed Contact, 400", async () => {
    const { said, bindings } = await ask("regbadct");
    expect(said).toEqual([400, "Malformed Contact"]);
    expect(bindings("sip:user@example.com")).toEqual([]);
  });

  test("s3.3.4 unksm2: what is no address-of-record cannot be registered, 400", async () => {
    expect((await ask("unksm2")).said).toEqual([400, "To Names No Address-Of-Record"]);
  });

  test("s3.3.7 regaut01: a scheme that nobody knows is no answer to a challenge: 401 with one", async () => {
    const auth = digest({ realm: "example.com", users: { "j.user": "secret" } });
    const { said, answers } = await ask("regaut01", { auth });
    expect(said).toEqual([401, "Unauthorized"]);
    expect(valuesOf(answers[0]!, "www-authenticate")[0]).toMatch(/^Digest realm="example.com"/);
  });

  test("s3.3.7 regaut01: where nobody is asked who he is, it is answered", async () => {
    expect((await ask("regaut01")).said).toEqual([200]);
  });

  test("s3.3.12 cparam01: a parameter behind a bare address is the Contact's", async () => {
    const { said, bindings } = await ask("cparam01");
    expect(said).toEqual([200, "<sip:+19725552222@gw1.example.net>;unknownparam;expires=3600"]);
    expect(bindings("sip:watson@example.com")).toMatchObject([
      { contact: "sip:+19725552222@gw1.example.net", params: ";unknownparam" },
    ]);
  });

  test("s3.3.13 cparam02: a parameter inside the brackets is the URI's", async () => {
    const { said, bindings } = await ask("cparam02");
    expect(said).toEqual([200, "<sip:+19725552222@gw1.example.net;unknownparam>;expires=3600"]);
    expect(bindings("sip:watson@example.com")).toMatchObject([
      { contact: "sip:+19725552222@gw1.example.net;unknownparam", params: "" },
    ]);
  });

  test("s3.3.14 regescrt: the escaped Route stays in the URI of the binding", async () => {
    const uri = "sip:user@example.com?Route=%3Csip:sip.example.com%3E";
    const { said, bindings } = await ask("regescrt");
    expect(said).toEqual([200, `<${uri}>;expires=3600`]);
    expect(bindings("sip:user@example.com")).toMatchObject([{ contact: uri }]);
  });
});

describe("RFC 5118", () => {
  const contact = '"Caller" <sip:caller@[2001:db8::1]>;expires=3600';

  test.each(["ipv6-good", "port-ambiguous", "port-unambiguous"])("%s registers", async (name) => {
    const { said, bindings } = await ask(name);
    expect(said).toEqual([200, contact]);
    expect(bindings("sip:user@example.com")).toMatchObject([{ contact: "sip:caller@[2001:db8::1]" }]);
  });

  test("s4.2 ipv6-bad: 400", async () => {
    expect((await ask("ipv6-bad")).said[0]).toBe(400);
  });

  test("s4.3, s4.4: what is the host and what the port decides whether the domain is served", async () => {
    const domains = ["[2001:db8::10]", "example.com"];
    expect((await ask("port-unambiguous", { domains })).said).toEqual([200, contact]);
    expect((await ask("port-ambiguous", { domains })).said).toEqual([404, "Domain Not Served Here"]);
  });
});
