/** Listeners: where a server is reached, where its answers go, and what it calls itself. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePort } from "../../bench/load/process.ts";
import { ListenError, serve } from "../../src/index.ts";
import { advertisedFor, parseListenAddress } from "../../src/server/listen.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

describe("serve()", () => {
  test("a port in use: ListenError that names the address, and nothing is left open", async () => {
    const free = await freePort();
    using running = await testServer();
    const taken = `udp://127.0.0.1:${running.address.port}`;
    const error = await failure(serve({ listen: [`udp://127.0.0.1:${free}`, taken] }));
    expect(error).toBeInstanceOf(ListenError);
    expect(error).toMatchObject({ listen: taken, code: "EADDRINUSE", name: "ListenError" });
    const again = await Bun.udpSocket({ hostname: "127.0.0.1", port: free });
    again.close();
    // Who held the port still has it.
    using client = await WireClient.open(running.address);
    expect((await client.ask("OPTIONS")).status).toBe(200);
  });

  test("an address that is not this machine's: ListenError", async () => {
    const error = await failure(serve({ listen: "udp://192.0.2.1:0" }));
    expect(error).toBeInstanceOf(ListenError);
    expect((error as ListenError).code).toBe("EADDRNOTAVAIL");
  });

  test("text that is no address: ListenError with EINVAL, before any socket is opened", async () => {
    const free = await freePort();
    for (const text of ["sctp://127.0.0.1", "127.0.0.1:5060", "udp://", "udp://127.0.0.1:65536", "udp://[::1", ""]) {
      const error = await failure(serve({ listen: [`udp://127.0.0.1:${free}`, text] }));
      expect(error).toMatchObject({ name: "ListenError", code: "EINVAL", listen: text });
    }
    (await Bun.udpSocket({ hostname: "127.0.0.1", port: free })).close();
  });

  test("tells the addresses it listens on", async () => {
    using running = await testServer({ listen: ["udp://127.0.0.1:0", "udp://[::1]:0"] });
    const { addresses } = running.server;
    expect(addresses.map(({ transport, address }) => [transport, address])).toEqual([
      ["udp", "127.0.0.1"],
      ["udp", "::1"],
    ]);
    for (const { port } of addresses) expect(port).toBeGreaterThan(0);
  });
});

describe("several listeners", () => {
  test("each answers from the socket the request came to, and names itself in Contact", async () => {
    using running = await testServer({
      listen: ["udp://127.0.0.1:0", "udp://127.0.0.2:0", "udp://[::1]:0"],
      invite: (call) => void call.answer("v=0\r\n"),
    });
    const from: string[] = [];
    for (const { address, port } of running.server.addresses) {
      const { promise, resolve } = Promise.withResolvers<[string, number]>();
      const socket = await Bun.udpSocket({
        hostname: address.includes(":") ? "::1" : "127.0.0.1",
        port: 0,
        socket: { data: (_socket, _bytes, sourcePort, source) => resolve([source, sourcePort]) },
      });
      const sentBy = address.includes(":") ? `[::1]:${socket.port}` : `127.0.0.1:${socket.port}`;
      socket.send(
        `OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP ${sentBy};branch=z9hG4bKs${port}\r\nFrom: <sip:a@b>;tag=1\r\n` +
          `To: <sip:x@y>\r\nCall-ID: several${port}\r\nCSeq: 1 OPTIONS\r\n\r\n`,
        port,
        address,
      );
      expect(await promise).toEqual([address, port]);
      socket.close();

      using client = await WireClient.open({ address, port }, address.includes(":") ? "::1" : "127.0.0.1");
      const call = await client.invite();
      call.ack();
      from.push(call.response.contactUri!);
      expect((await call.ask("BYE")).status).toBe(200);
    }
    const [one, two, three] = running.server.addresses;
    expect(from).toEqual([`sip:127.0.0.1:${one!.port}`, `sip:127.0.0.2:${two!.port}`, `sip:[::1]:${three!.port}`]);
  });
});

describe("IPv6", () => {
  test("a call over [::1], with the BYE of this side", async () => {
    using running = await testServer({
      listen: "udp://[::1]:0",
      invite: (call) => void call.answer("v=0\r\n").then((dialog) => dialog.bye()),
    });
    using client = await WireClient.open(running.address, "::1");
    const call = await client.invite({ uri: "sip:bob@[::1]", viaParams: ";rport" });
    expect(call.response.header("Via")).toContain(`;rport=${client.port}`);
    expect(call.response.header("Via")).toContain(";received=::1");
    call.ack();
    const bye = await client.next("BYE");
    expect(bye.uri).toBe(`sip:alice@[::1]:${client.port}`);
    expect(bye.header("Via")).toStartWith(`SIP/2.0/UDP [::1]:${running.address.port};`);
    client.respond(bye, 200);
  });

  test("[::] answers an IPv4 peer too, and shows it plain addresses", async () => {
    using running = await testServer({
      listen: "udp://[::]:0",
      invite(call) {
        sources.push(call.source.address);
        void call.answer("v=0\r\n");
      },
    });
    const sources: string[] = [];
    for (const [host, contact] of [
      ["127.0.0.1", "127.0.0.1"],
      ["::1", "[::1]"],
    ] as const) {
      using client = await WireClient.open(running.address, host);
      const call = await client.invite({ viaParams: ";rport" });
      expect(call.response.contactUri).toBe(`sip:${contact}:${running.address.port}`);
      expect(call.response.header("Via")).toContain(`;received=${host}`);
      call.ack();
      expect((await call.ask("BYE")).status).toBe(200);
    }
    expect(sources).toEqual(["127.0.0.1", "::1"]);
  });
});

describe("where responses go (s18.2.2, RFC 3581)", () => {
  test("without rport to the port in Via, with rport to the port the request came from", async () => {
    using running = await testServer();
    using sender = await WireClient.open(running.address);
    using named = await WireClient.open(running.address);
    sender.request("OPTIONS", { sentBy: named.sentBy });
    const plain = await named.next(200);
    expect(plain.header("Via")).not.toContain("received");
    sender.request("OPTIONS", { sentBy: named.sentBy, viaParams: ";rport" });
    const answer = await sender.next(200);
    expect(answer.header("Via")).toContain(`;rport=${sender.port}`);
    expect(answer.header("Via")).toContain(";received=127.0.0.1");
    expect(await named.restBrief()).toEqual([]);
  });

  test("to the source address, whatever host the Via names; `received` tells it", async () => {
    using running = await testServer();
    using client = await WireClient.open(running.address);
    for (const host of ["pc.example.com", "192.0.2.33", "127.0.0.9"]) {
      client.request("OPTIONS", { sentBy: `${host}:${client.port}` });
      expect((await client.next(200)).header("Via")).toContain(";received=127.0.0.1");
    }
  });

  test("a `received` or `rport` value of the sender's own is not believed", async () => {
    using running = await testServer();
    using client = await WireClient.open(running.address);
    client.request("OPTIONS", { sentBy: "pc.example.com:9", viaParams: ";received=192.0.2.1;rport=9;x=y" });
    const via = (await client.next(200)).header("Via")!;
    expect(via).toContain(`;rport=${client.port}`);
    expect(via.match(/;received=[^;]*/g)).toEqual([";received=127.0.0.1"]);
    expect(via).toContain(";x=y");
  });
});

describe("what peers are told", () => {
  test("a wildcard is never named", async () => {
    using running = await testServer({ listen: "udp://0.0.0.0:0", invite: (call) => void call.answer("v=0\r\n") });
    using client = await WireClient.open(running.address);
    expect((await client.invite()).response.contactUri).toBe(`sip:127.0.0.1:${running.address.port}`);
  });

  test("`advertise` stands in Contact and in the Via of our own requests", async () => {
    for (const [advertise, told] of [
      ["sip.example.com", (port: number) => `sip.example.com:${port}`],
      ["203.0.113.7:5099", () => "203.0.113.7:5099"],
      ["2001:db8::7", (port: number) => `[2001:db8::7]:${port}`],
      ["[2001:db8::7]:5099", () => "[2001:db8::7]:5099"],
    ] as const) {
      const port = await freePort();
      using running = await testServer({
        listen: `udp://127.0.0.1:${port}`,
        advertise,
        invite: (call) => void call.answer("v=0\r\n").then((dialog) => dialog.bye()),
      });
      using client = await WireClient.open(running.address);
      const call = await client.invite();
      expect(call.response.contactUri).toBe(`sip:${told(port)}`);
      // The ACK is sent to the server, not to the address it tells others.
      call.ack();
      expect((await client.next("BYE")).header("Via")).toStartWith(`SIP/2.0/UDP ${told(port)};`);
    }
  });

  test("`advertise` without a port, on a listener of port 0, names the port that was bound", async () => {
    using running = await testServer({ advertise: "sip.example.com", invite: (call) => void call.answer("v=0\r\n") });
    using client = await WireClient.open(running.address);
    expect((await client.invite()).response.contactUri).toBe(`sip:sip.example.com:${running.address.port}`);
  });
});

test("listen addresses as they may be written", () => {
  expect(parseListenAddress("udp://0.0.0.0")).toMatchObject({ transport: "udp", host: "0.0.0.0", port: 5060 });
  expect(parseListenAddress("UDP://localhost:0")).toMatchObject({ transport: "udp", host: "localhost", port: 0 });
  expect(parseListenAddress("udp://[2001:db8::1]:5062")).toMatchObject({
    transport: "udp",
    host: "2001:db8::1",
    port: 5062,
  });
  for (const text of ["udp://::1:5060", "udp://a:b", "udp://a:123456", "udp://a/b", "udp://a b", "sip:a"]) {
    expect(() => parseListenAddress(text)).toThrow(ListenError);
  }
});

test("advertised addresses take the listener's port where they name none", () => {
  expect(advertisedFor("example.com", 5070)).toBe("example.com:5070");
  expect(advertisedFor("example.com:5080", 5070)).toBe("example.com:5080");
  expect(advertisedFor("[::1]", 5070)).toBe("[::1]:5070");
  expect(advertisedFor("[::1]:5080", 5070)).toBe("[::1]:5080");
  expect(advertisedFor("::1", 5070)).toBe("[::1]:5070");
});
