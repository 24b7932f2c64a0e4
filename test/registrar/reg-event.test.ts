/** What watchers of an address-of-record are told of its registrations (RFC 3680 s4.7.1). */
import { describe, expect, test } from "bun:test";
import { events } from "../../src/events/events.ts";
import { RegPackage } from "../../src/events/reg.ts";
import { registrar } from "../../src/index.ts";
import { WireSubscriber } from "../support/events-peer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Registrant, RunningRegistrar, WALL } from "../support/registering.ts";
import { StreamClient } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

const BOB = "sip:bob@example.com";
const DESK = "<sip:bob@192.0.2.4>";

/** A registrar whose changes are told at once, one that watches bob, and bob's phone. */
async function watched(...listen: string[]) {
  const reg = new RegPackage({ minInterval: 0 });
  const phones = registrar({ reg, keepAlive: "off", maxBindings: 100, wallClock: () => WALL });
  const clock = new FakeClock();
  const plugins = [phones, events({ packages: [reg], publications: false, subscriber: false })];
  const running = await testServer({ plugins, clock, listen: ["udp://127.0.0.1:0", ...listen] });
  const on = new RunningRegistrar(phones, running, clock);
  const client = await WireClient.open(running.address);
  const phone = await WireClient.open(running.address);
  const watcher = await WireSubscriber.open(client, "reg", 6000, { uri: BOB, to: `<${BOB}>` });
  /** The next NOTIFY in short: the state of the registration, and of each contact its state, event and seconds. */
  const told = async (): Promise<string[]> => {
    const { body } = await watcher.notified();
    // An answer to what was sent behind the NOTIFY's: that one has been read.
    await client.ask("OPTIONS");
    const attribute = (of: string, name: string) => new RegExp(` ${name}="([^"]*)"`).exec(of)?.[1] ?? "";
    const contacts = body.match(/<contact [^>]*>/g) ?? [];
    const said = (contact: string) => ["state", "event", "expires"].map((name) => attribute(contact, name));
    const state = attribute(/<registration [^>]*>/.exec(body)![0], "state");
    return [state, ...contacts.map((contact) => said(contact).join(" ").trim())];
  };
  const close = () => {
    for (const one of [client, phone, on]) one[Symbol.dispose]();
  };
  return { on, told, watcher, bob: new Registrant(phone), [Symbol.dispose]: close };
}

describe("a watcher is told", () => {
  test("of a binding's life: made, refreshed for longer and for shorter, and gone in its time", async () => {
    using at = await watched();
    expect(await at.told()).toEqual(["init"]);
    await at.bob.register({ contacts: [`"B\u00f6b" ${DESK};q=0.5`], expires: 100 });
    const { body } = await at.watcher.notified();
    expect(body).toContain(' state="active" event="registered"');
    expect(body).toContain("<uri>sip:bob@192.0.2.4</uri><display-name>B\u00c3\u00b6b</display-name>");
    await at.bob.register({ contacts: [DESK], expires: 200 });
    expect(await at.told()).toEqual(["active", "active refreshed 200"]);
    // Only an administrator shortens.
    await at.bob.register({ contacts: [DESK], expires: 60 });
    expect(await at.told()).toEqual(["active", "active refreshed 60"]);
    await at.on.clock.pass(60_100);
    expect(await at.told()).toEqual(["terminated", "terminated expired"]);
  });

  test("of what is removed, and what is left", async () => {
    using at = await watched();
    await at.told();
    await at.bob.register({ contacts: [DESK] });
    expect(await at.told()).toEqual(["active", "active registered 3600"]);
    await at.bob.register({ contacts: ["<sip:bob@192.0.2.5>"] });
    expect(await at.told()).toEqual(["active", "active registered 3600"]);
    await at.bob.register({ contacts: [DESK], expires: 0 });
    expect(await at.told()).toEqual(["active", "terminated unregistered"]);
    at.on.phones.unbind(BOB);
    expect(await at.told()).toEqual(["terminated", "terminated deactivated"]);
  });

  test("of what goes with its flow", async () => {
    using at = await watched("ws://127.0.0.1:0");
    await at.told();
    const address = at.on.running.server.addresses[1]!;
    using client = await StreamClient.open(address, { transport: "ws" });
    await new Registrant(client).register({ contacts: [DESK] });
    expect(await at.told()).toEqual(["active", "active registered 3600"]);
    client.reset();
    expect(await at.told()).toEqual(["terminated", "terminated deactivated"]);
  });

  test("nothing of a REGISTER that is refused, or that asks", async () => {
    using at = await watched();
    await at.told();
    await at.bob.register({ contacts: [DESK, "nonsense"] });
    await at.bob.register();
    await at.bob.register({ contacts: ["<sip:bob@192.0.2.5>"], expires: 90 });
    expect(await at.told()).toEqual(["active", "active registered 90"]);
  });
});
