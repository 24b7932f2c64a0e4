/** What a program asks a registrar: where requests for an address-of-record may go, and to end bindings. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { registrar, Uri } from "../../src/index.ts";
import { Registering, Registrant, RunningRegistrar, WALL } from "../support/registering.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

const BOB = "sip:bob@example.com";

let on: Registering;
beforeEach(async () => {
  on = await Registering.open();
});
afterEach(() => on[Symbol.dispose]());

describe("lookup()", () => {
  test("gives the bindings by q, and of one q the one first that was registered or refreshed last", async () => {
    for (const [host, q] of [
      ["192.0.2.1", "0.5"],
      ["192.0.2.2", "0.7"],
      ["192.0.2.3", "0.5"],
      ["192.0.2.4", "0"],
    ]) {
      await on.bob.register({ contacts: [`<sip:bob@${host}>;q=${q}`] });
      await on.clock.pass(1000);
    }
    const uris = ["sip:bob@192.0.2.2", "sip:bob@192.0.2.3", "sip:bob@192.0.2.1", "sip:bob@192.0.2.4"];
    expect(on.contacts()).toEqual(uris);
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>;q=0.5"] });
    expect(on.contacts()).toEqual([uris[0]!, uris[2]!, uris[1]!, uris[3]!]);
    // Without q it is the best.
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.4>"] });
    expect(on.contacts()[0]).toBe("sip:bob@192.0.2.4");
  });

  test("says all there is to say of a binding", async () => {
    await on.clock.pass(5000);
    const response = await on.bob.register({
      contacts: [`"Bob" <sip:bob@192.0.2.1;x=y>;q=0.5;audio`],
      expires: 100,
      headers: ["User-Agent: Phone/1 (a, b)"],
      cseq: 77,
    });
    expect(response.status).toBe(200);
    await on.clock.pass(30_000);
    expect(on.phones.lookup(BOB)).toEqual([
      {
        aor: BOB,
        contact: "sip:bob@192.0.2.1;x=y",
        params: ";q=0.5;audio",
        q: 0.5,
        expires: 70,
        updated: WALL / 1000 + 5,
        path: "",
        instance: "",
        regId: 0,
        received: `udp:127.0.0.1:${on.client.port}`,
        isBehindNat: true,
        userAgent: "Phone/1 (a, b)",
        callId: on.bob.callId,
        cseq: 77,
        flow: { channel: expect.anything(), address: "127.0.0.1", port: on.client.port },
      },
    ]);
  });

  test("gives texts as their UTF-8 says", async () => {
    const headers = ["User-Agent: Téléphone", 'Path: "一" <sip:p.example.com;lr>'];
    await on.bob.register({ contacts: ['<sip:bob@192.0.2.1>;note="ü"'], headers });
    expect(on.phones.lookup(BOB)).toMatchObject([
      { userAgent: "Téléphone", params: ';note="ü"', path: '"一" <sip:p.example.com;lr>' },
    ]);
  });

  test("takes a URI as text or read, in any spelling; what is none has no bindings", async () => {
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>"] });
    for (const uri of [
      BOB,
      Uri.parse(BOB)!,
      "sips:%62ob@EXAMPLE.com:5080;transport=tcp",
      Uri.parse("sip:bob@example.com.")!,
    ]) {
      expect(on.phones.lookup(uri)).toHaveLength(1);
    }
    for (const uri of [
      "",
      "bob",
      "sip:",
      "sip:alice@example.com",
      "mailto:bob@example.com",
      `sip:${"x".repeat(70_000)}@e`,
    ]) {
      expect(on.phones.lookup(uri)).toEqual([]);
    }
  });

  test("gives copies: they stay as they were", async () => {
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>"], expires: 100 });
    const [binding] = on.phones.lookup(BOB);
    await on.bob.register({ contacts: ["*"], expires: 0 });
    await new Registrant(on.client, "sip:carol@example.com").register({ contacts: ["<sip:carol@192.0.2.2>"] });
    expect(binding).toMatchObject({ contact: "sip:bob@192.0.2.1", expires: 100, callId: on.bob.callId });
  });
});

describe("whether a client is behind a NAT", () => {
  test.each([
    ["sip:bob@127.0.0.1:PORT", false],
    ["sip:bob@127.0.0.1:PORT;transport=udp", false],
    ["sip:bob@127.0.0.1", true],
    ["sips:bob@127.0.0.1", true],
    ["sip:bob@127.0.0.1:9", true],
    ["sip:bob@10.0.0.7:PORT", true],
    ["sip:bob@[2001:db8::1]:PORT", true],
    ["sip:bob@phone.example.net", false],
    ["tel:+12015550123", false],
    ["mailto:bob@example.net", false],
  ])("%s over UDP: %p", async (uri, isBehindNat) => {
    const contact = uri.replace("PORT", `${on.client.port}`);
    await on.bob.register({ contacts: [`<${contact}>`] });
    expect(on.phones.lookup(BOB)).toMatchObject([{ contact, isBehindNat }]);
  });

  test("the ports of SIP are meant where none is written", async () => {
    using client = await WireClient.open(on.address, "127.0.0.21", 5060);
    const bob = new Registrant(client);
    await bob.register({ contacts: ["<sip:bob@127.0.0.21>", "<sips:bob@127.0.0.21>"] });
    const found = on.phones.lookup(BOB).map(({ contact, isBehindNat }) => [contact, isBehindNat]);
    expect(Object.fromEntries(found)).toEqual({ "sip:bob@127.0.0.21": false, "sips:bob@127.0.0.21": true });
  });

  test.each(["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]"])("IPv6 may be written %s", async (host) => {
    using there = await RunningRegistrar.start({}, { listen: "udp://[::1]:0" });
    using client = await WireClient.open(there.address, "::1");
    await new Registrant(client).register({ contacts: [`<sip:bob@${host}:${client.port}>`] });
    const [binding] = there.phones.lookup(BOB);
    expect(binding).toMatchObject({ received: `udp:[::1]:${client.port}`, isBehindNat: false });
    expect(binding!.flow).toMatchObject({ address: "::1", port: client.port });
  });

  test("a client that moves out of its NAT is behind none any more", async () => {
    await on.bob.register({ contacts: ["<sip:bob@10.0.0.7>"] });
    expect(on.phones.lookup(BOB)).toMatchObject([{ isBehindNat: true }]);
    using client = await WireClient.open(on.address, "127.0.0.22", 5060);
    await new Registrant(client).register({ contacts: ["<sip:bob@10.0.0.7>;expires=0", "<sip:bob@127.0.0.22>"] });
    expect(on.phones.lookup(BOB)).toMatchObject([{ isBehindNat: false, received: "udp:127.0.0.22:5060" }]);
  });
});

describe("unbind()", () => {
  test("ends all bindings of an address-of-record, or one, and says how many", async () => {
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>", "<sip:bob@192.0.2.2>", "<sip:bob@192.0.2.3>"] });
    expect(on.phones.unbind(BOB, "sip:bob@192.0.2.9")).toBe(0);
    expect(on.phones.unbind("sips:bob@EXAMPLE.com", "sip:bob@192.0.2.2")).toBe(1);
    expect(on.contacts().sort()).toEqual(["sip:bob@192.0.2.1", "sip:bob@192.0.2.3"]);
    expect(on.phones.unbind(Uri.parse(BOB)!)).toBe(2);
    expect(on.contacts()).toEqual([]);
    expect(on.phones.unbind(BOB)).toBe(0);
    expect(on.phones.unbind("nobody")).toBe(0);
    expect(on.phones.stats).toMatchObject({ bindings: 0, addressesOfRecord: 0, unregistered: 0 });
  });

  test("lets the client register again with the CSeq it has", async () => {
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>"], cseq: 9 });
    on.phones.unbind(BOB);
    expect((await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>"], cseq: 3 })).status).toBe(200);
  });
});

describe("a registrar", () => {
  test("that has no server yet has nothing to look up", () => {
    const phones = registrar();
    expect(() => phones.lookup(BOB)).toThrow("A registrar works once its server is there");
    expect(() => phones.stats).toThrow(TypeError);
  });

  test("belongs to one server", async () => {
    await expect(testServer({ plugins: [on.phones] })).rejects.toThrow("A registrar belongs to one server");
    expect((await on.bob.register()).status).toBe(200);
  });
});
