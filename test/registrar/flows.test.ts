/** Bindings and the connections they came over (RFC 5626 s6, RFC 7118 s5.4). */
import { describe, expect, test } from "bun:test";
import { digest, type UserSecrets } from "../../src/auth/digest.ts";
import type { RegistrarOptions } from "../../src/index.ts";
import { CERTIFICATES } from "../support/certificates.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { credentials, paramsOf } from "../support/digest-client.ts";
import { Opcode, RawWebSocket } from "../support/raw-websocket.ts";
import { outcome, Registering, Registrant, RunningRegistrar } from "../support/registering.ts";
import { requestText } from "../support/sip-messages.ts";
import { StreamClient, type StreamTransport } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

const BOB = "sip:bob@example.com";
const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';
const OUTBOUND = ["Supported: path, outbound"];
const TRANSPORTS = ["tcp", "tls", "ws", "wss"] as const;

function start(transport: StreamTransport, options: RegistrarOptions = {}): Promise<RunningRegistrar> {
  return RunningRegistrar.start(options, { listen: `${transport}://127.0.0.1:0`, tls: CERTIFICATES.server });
}

/** A phone on a connection of its own. */
async function connect(on: RunningRegistrar, transport: StreamTransport): Promise<[StreamClient, Registrant]> {
  const client = await StreamClient.open(on.address, { transport });
  return [client, new Registrant(client)];
}

function gone(on: RunningRegistrar, bindings: number): Promise<unknown> {
  return until("the bindings to go", () => on.phones.stats.bindings === bindings);
}

describe.each(TRANSPORTS)("over %s", (transport) => {
  test("a flow carries its binding, and takes it along when it ends", async () => {
    using on = await start(transport);
    const [client, bob] = await connect(on, transport);
    using _ = client;
    const contact = `<sip:bob@192.0.2.1;transport=${transport}>;reg-id=1;${INSTANCE}`;
    expect(outcome(await bob.register({ contacts: [contact], headers: OUTBOUND }))).toEqual([
      200,
      `${contact};expires=3600`,
    ]);
    const [binding] = on.phones.lookup(BOB);
    expect(binding!.received).toMatch(new RegExp(`^${transport}:127\\.0\\.0\\.1:\\d+$`));
    expect(binding!.flow).toMatchObject({ address: "127.0.0.1", port: Number(binding!.received.split(":")[2]) });
    expect(binding!.flow!.channel.isOpen).toBe(true);
    client.reset();
    await gone(on, 0);
    expect(on.contacts()).toEqual([]);
    expect(on.phones.stats).toMatchObject({ flowsLost: 1, unregistered: 0, addressesOfRecord: 0 });
  });

  test("a binding that is registered over a new connection survives the end of the old one", async () => {
    using on = await start(transport);
    const [old, bob] = await connect(on, transport);
    using _ = old;
    const contact = `<sip:bob@192.0.2.1;transport=${transport}>;reg-id=1;${INSTANCE}`;
    await bob.register({ contacts: [contact], headers: OUTBOUND });
    const [next, again] = await connect(on, transport);
    using __ = next;
    await again.register({ contacts: [contact], headers: OUTBOUND });
    const connections = () => on.running.server.stats().connections;
    old.reset();
    await until("the end of the old one", () => connections() === 1);
    expect(on.phones.stats).toMatchObject({ bindings: 1, flowsLost: 0 });
    const flow = on.phones.lookup(BOB)[0]!.flow!;
    expect(flow.channel.isOpen).toBe(true);
    next.reset();
    await gone(on, 0);
  });

  test("all bindings of a connection go with it, and no others", async () => {
    using on = await start(transport);
    const [client, bob] = await connect(on, transport);
    using _ = client;
    const [other, carol] = await connect(on, transport);
    using __ = other;
    for (const user of ["a", "b", "c"]) {
      const contacts = [`<sip:${user}@192.0.2.1>;reg-id=1;${INSTANCE}`];
      await bob.register({ to: `<sip:${user}@example.com>`, contacts, headers: OUTBOUND });
      await carol.register({ to: `<sip:${user}@example.com>`, contacts: [contacts[0]!.replace("=1;", "=2;")] });
    }
    await bob.register({ to: "<sip:b@example.com>", contacts: [`<sip:b@192.0.2.1>;reg-id=1;${INSTANCE}`], expires: 0 });
    expect(on.phones.stats.bindings).toBe(5);
    client.reset();
    await gone(on, 3);
    for (const user of ["a", "b", "c"]) {
      expect(on.phones.lookup(`sip:${user}@example.com`)).toMatchObject([{ regId: 2 }]);
    }
  });
});

describe("without reg-id", () => {
  test("a WebSocket's binding goes with it: nothing else leads there", async () => {
    using on = await start("ws");
    const [client, bob] = await connect(on, "ws");
    using _ = client;
    await bob.register({ contacts: [`<sip:bob@${client.sentBy};transport=ws>`] });
    expect(on.phones.lookup(BOB)).toMatchObject([{ regId: 0, isBehindNat: false }]);
    client.end();
    await gone(on, 0);
  });

  test("a WebSocket that goes away without a word takes its bindings too", async () => {
    using on = await start("ws");
    using socket = await RawWebSocket.open(on.address);
    const headers = ["Contact: <sip:bob@df7jal23ls0d.invalid;transport=ws>"];
    socket.frame(
      Opcode.Text,
      requestText("REGISTER", { transport: "WS", sentBy: "d.invalid", to: `<${BOB}>`, headers }),
    );
    await socket.next();
    expect(on.contacts()).toHaveLength(1);
    socket.destroy();
    await gone(on, 0);
  });

  test("a client behind a NAT is reached by its connection alone: the binding goes with it", async () => {
    using on = await start("tcp");
    const [client, bob] = await connect(on, "tcp");
    using _ = client;
    await bob.register({ contacts: ["<sip:bob@10.0.0.7:5060;transport=tcp>"] });
    expect(on.phones.lookup(BOB)).toMatchObject([{ regId: 0, isBehindNat: true }]);
    client.reset();
    await gone(on, 0);
  });

  test.each(["127.0.0.1:5099", "phone.example.net"])(
    "a client that can be called at %s stays when its connection ends, and is then without flow",
    async (host) => {
      using on = await start("tcp");
      const [client, bob] = await connect(on, "tcp");
      using _ = client;
      await bob.register({ contacts: [`<sip:bob@${host};transport=tcp>`] });
      expect(on.phones.lookup(BOB)[0]!.flow).not.toBeNull();
      client.reset();
      await until("the end of the flow", () => on.phones.lookup(BOB)[0]?.flow === null);
      expect(on.phones.stats).toMatchObject({ bindings: 1, flowsLost: 0 });
    },
  );

  test("a connection whose peer will send no more is no flow any longer", async () => {
    using on = await start("tcp");
    const [client, bob] = await connect(on, "tcp");
    using _ = client;
    await bob.register({ contacts: [`<sip:bob@192.0.2.1>;reg-id=1;${INSTANCE}`], headers: OUTBOUND });
    client.end();
    await until("the end of the flow", () => on.contacts().length === 0);
  });
});

describe("a user who is found later", () => {
  const secrets: UserSecrets = { password: "zanzibar" };

  /** A registrar that finds users when the test lets it. */
  async function slow() {
    const found: PromiseWithResolvers<UserSecrets>[] = [];
    const users = () => {
      found.push(Promise.withResolvers());
      return found.at(-1)!.promise;
    };
    const on = await start("tcp", { auth: digest({ realm: "example.com", users, algorithms: ["MD5"] }) });
    const [client, bob] = await connect(on, "tcp");
    const challenge = await bob.register();
    const { nonce = "" } = paramsOf(`WWW-Authenticate: ${challenge.header("WWW-Authenticate")}`);
    const authorization = `Authorization: ${credentials({ username: "bob", password: "zanzibar", nonce })}`;
    return { on, found, client, bob, authorization };
  }

  test("is registered once he is", async () => {
    const { on, found, client, bob, authorization } = await slow();
    using _ = on;
    using __ = client;
    const contacts = [`<sip:bob@192.0.2.1>;reg-id=1;${INSTANCE}`];
    const answer = bob.register({ contacts, headers: [authorization, ...OUTBOUND] });
    await until("the question", () => found.length === 1);
    expect(on.phones.stats.bindings).toBe(0);
    found[0]!.resolve(secrets);
    expect((await answer).status).toBe(200);
    client.reset();
    await gone(on, 0);
    expect(on.phones.stats.flowsLost).toBe(1);
  });

  test("whose connection is gone by then leaves no binding to it", async () => {
    const { on, found, client, bob, authorization } = await slow();
    using _ = on;
    using __ = client;
    const headers = [authorization, ...OUTBOUND, `Contact: <sip:bob@192.0.2.1>;reg-id=1;${INSTANCE}`];
    client.request("REGISTER", bob.shape({ headers }));
    await until("the question", () => found.length === 1);
    client.reset();
    await until("the end of the connection", () => on.running.server.stats().connections === 0);
    found[0]!.resolve(secrets);
    await until("the registration", () => on.phones.stats.registered === 1);
    expect(on.phones.stats).toMatchObject({ bindings: 0, flowsLost: 1 });
  });

  test("who cannot be looked up gets 500, and the log says why", async () => {
    const { on, found, client, bob, authorization } = await slow();
    using _ = on;
    using __ = client;
    const answer = bob.register({ contacts: ["<sip:bob@192.0.2.1>"], headers: [authorization] });
    await until("the question", () => found.length === 1);
    found[0]!.reject(new Error("the database is away"));
    expect([(await answer).status, (await answer).reason]).toEqual([500, "User Cannot Be Looked Up"]);
    expect(on.running.log.lines.at(-1)).toMatchObject({
      level: "error",
      message: "users cannot be looked up: who asks gets 500",
    });
  });
});

describe("a connection that carries nothing for long", () => {
  const listen = "tcp://127.0.0.1:0";
  const streams = { idleTimeout: 60_000, messageTimeout: 15_000 };

  test.each([
    ["behind a NAT", "<sip:bob@192.0.2.1;transport=tcp>", []],
    ["of RFC 5626", `<sip:bob@127.0.0.1;transport=tcp>;reg-id=1;${INSTANCE}`, OUTBOUND],
  ])("stays while a phone %s is registered by it, and no longer", async (_, contact, headers) => {
    using on = await RunningRegistrar.start({}, { listen, streams });
    const [client, bob] = await connect(on, "tcp");
    using __ = client;
    await bob.register({ contacts: [contact], expires: 600, headers });
    const pass = async (seconds: number) => {
      for (; seconds > 0; seconds -= 15) await on.clock.pass(15_000);
    };
    await pass(585);
    expect(on.contacts()).toHaveLength(1);
    expect(on.phones.lookup(BOB)[0]!.flow!.channel.isOpen).toBe(true);
    // It expires, and then the connection has been silent for too long.
    await pass(45);
    await client.closed;
    expect(on.phones.stats).toMatchObject({ bindings: 0, expired: 1, flowsLost: 0 });
    expect(on.running.server.stats()).toMatchObject({ connections: 0, idleTimeouts: 1 });
  });

  test("goes when nobody is registered by it any more", async () => {
    using on = await RunningRegistrar.start({}, { listen, streams });
    const [client, bob] = await connect(on, "tcp");
    using _ = client;
    await bob.register({ contacts: ["<sip:bob@192.0.2.1;transport=tcp>"], expires: 600 });
    await on.clock.pass(30_000);
    await bob.register({ contacts: ["*"], expires: 0 });
    for (let i = 0; i < 6; i++) await on.clock.pass(15_000);
    await until("the end of the connection", () => on.running.server.stats().connections === 0);
    expect(on.running.server.stats().idleTimeouts).toBe(1);
  });
});

describe("over UDP", () => {
  test("the flow is the socket and where the REGISTER came from", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>;reg-id=1;${INSTANCE}`], headers: OUTBOUND });
    const [binding] = on.phones.lookup(BOB);
    expect(binding).toMatchObject({ received: `udp:127.0.0.1:${on.client.port}`, isBehindNat: true });
    expect(binding!.flow).toMatchObject({ address: "127.0.0.1", port: on.client.port });
    expect(binding!.flow!.channel.transport).toBe("UDP");
  });

  test("it moves with the client's address", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>;reg-id=1;${INSTANCE}`] });
    using socket = await DatagramClient.open();
    const shape = on.bob.shape({ contacts: [`<sip:bob@192.0.2.1>;reg-id=1;${INSTANCE}`] });
    socket.send(requestText("REGISTER", { ...shape, sentBy: on.client.sentBy }), on.address.port);
    await until("the move", () => on.phones.lookup(BOB)[0]?.received === `udp:127.0.0.1:${socket.port}`);
    expect(on.phones.lookup(BOB)[0]!.flow!.port).toBe(socket.port);
  });
});
