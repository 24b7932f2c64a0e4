/** What watchers of an address-of-record are told of its registrations (RFC 3680 s4.7.1). */
import { describe, expect, test } from "bun:test";
import { events } from "../../src/events/events.ts";
import { RegPackage, type RegPackageSettings } from "../../src/events/reg.ts";
import { registrar } from "../../src/index.ts";
import { WireSubscriber } from "../support/events-peer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Registrant, RunningRegistrar, WallClock } from "../support/registering.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

const BOB = "sip:bob@example.com";
const DESK = "<sip:bob@192.0.2.4>";

const THREE = ["<sip:bob@192.0.2.1>", "<sip:bob@192.0.2.2>;q=0.7", "<sip:bob@192.0.2.3>;q=0.1"];

/** What a NOTIFY tells of a contact. */
interface Told {
  readonly uri: string;
  readonly id: string;
  readonly said: string;
}

function toldOf({ body }: SipMessage): { version: number; kind: string; state: string; contacts: Told[] } {
  const attribute = (of: string, name: string) => new RegExp(` ${name}="([^"]*)"`).exec(of)?.[1] ?? "";
  const [reginfo, registration] = [/<reginfo [^>]*>/.exec(body)![0], /<registration [^>]*>/.exec(body)![0]];
  const contacts = (body.match(/<contact .*?<\/contact>/g) ?? []).map((contact) => ({
    uri: /<uri>([^<]*)</.exec(contact)![1]!,
    id: attribute(contact, "id"),
    said: `${attribute(contact, "state")} ${attribute(contact, "event")}`,
  }));
  const [version, kind] = [Number(attribute(reginfo, "version")), attribute(reginfo, "state")];
  return { version, kind, state: attribute(registration, "state"), contacts };
}

/** A registrar whose changes are told at once, one that watches bob, and bob's phone. */
async function watched(...listen: string[]) {
  return watchedWith({ minInterval: 0 }, ...listen);
}

async function watchedWith(settings: RegPackageSettings, ...listen: string[]) {
  const reg = new RegPackage(settings);
  const clock = new FakeClock();
  const wall = new WallClock(clock);
  const phones = registrar({ reg, keepAlive: "off", maxBindings: 100, maxContacts: 64, wallClock: wall.now });
  const plugins = [phones, events({ packages: [reg], publications: false, subscriber: false })];
  const running = await testServer({ plugins, clock, listen: ["udp://127.0.0.1:0", ...listen] });
  const on = new RunningRegistrar(phones, running, clock, wall);
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
  /** The next NOTIFY in full; there is no other one. */
  const toldOnce = async () => {
    const told = toldOf(await watcher.notified());
    expect((await client.rest()).map(({ method }) => method)).not.toContain("NOTIFY");
    return told;
  };
  const close = () => {
    for (const one of [client, phone, on]) one[Symbol.dispose]();
  };
  return { on, told, toldOnce, watcher, bob: new Registrant(phone), [Symbol.dispose]: close };
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

describe("one NOTIFY tells", () => {
  const uris = (contacts: Told[]) => contacts.map(({ uri }) => uri).toSorted();
  const ids = (contacts: Told[]) => new Set(contacts.map(({ id }) => id));
  const all = (event: string) => Array.from({ length: 3 }, () => event);

  test("all contacts of a REGISTER, at the pace of RFC 3680 too; another one all that it changes", async () => {
    using at = await watchedWith({});
    expect(await at.toldOnce()).toEqual({ version: 0, kind: "full", state: "init", contacts: [] });
    await at.on.clock.pass(5000);
    await at.bob.register({ contacts: THREE });
    const first = await at.toldOnce();
    expect(first).toMatchObject({ version: 1, kind: "partial", state: "active" });
    expect(uris(first.contacts)).toEqual(["sip:bob@192.0.2.1", "sip:bob@192.0.2.2", "sip:bob@192.0.2.3"]);
    expect(first.contacts.map(({ said }) => said)).toEqual(all("active registered"));
    expect(ids(first.contacts).size).toBe(3);

    await at.on.clock.pass(5000);
    const contacts = [THREE[0]!, `${THREE[1]!};expires=0`, "<sip:bob@192.0.2.4>"];
    await at.bob.register({ contacts });
    const second = await at.toldOnce();
    expect(second).toMatchObject({ version: 2, kind: "partial", state: "active" });
    const idOf = (uri: string) => first.contacts.find((contact) => contact.uri === uri)?.id;
    expect(second.contacts.toSorted((a, b) => (a.uri < b.uri ? -1 : 1))).toMatchObject([
      { uri: "sip:bob@192.0.2.1", id: idOf("sip:bob@192.0.2.1"), said: "active refreshed" },
      { uri: "sip:bob@192.0.2.2", id: idOf("sip:bob@192.0.2.2"), said: "terminated unregistered" },
      { uri: "sip:bob@192.0.2.4", said: "active registered" },
    ]);
    expect(ids([...first.contacts, ...second.contacts]).size).toBe(4);
  });

  test("that all are gone: by *, by an operator, in their time", async () => {
    using at = await watched();
    await at.toldOnce();
    let version = 0;
    const ends: [string, () => Promise<unknown> | number][] = [
      ["unregistered", () => at.bob.register({ contacts: ["*"], expires: 0 })],
      ["deactivated", () => at.on.phones.unbind(BOB)],
      ["expired", () => at.on.clock.pass(60_100)],
    ];
    for (const [event, end] of ends) {
      await at.bob.register({ contacts: THREE, expires: 60 });
      const bound = await at.toldOnce();
      expect(bound.contacts.map(({ said }) => said)).toEqual(all("active registered"));
      await end();
      const gone = await at.toldOnce();
      expect(gone).toMatchObject({ version: version + 2, kind: "partial", state: "terminated" });
      expect(gone.contacts.map(({ said }) => said)).toEqual(all(`terminated ${event}`));
      expect(ids(gone.contacts)).toEqual(ids(bound.contacts));
      version = gone.version;
    }
  });

  test("of contacts whose time is over by now, however late it is seen; the others stay", async () => {
    using at = await watched();
    await at.toldOnce();
    await at.bob.register({ contacts: THREE.map((value, i) => `${value};expires=${[60, 63, 90][i]}`) });
    await at.toldOnce();
    await at.on.clock.pass(65_000);
    const { state, contacts } = await at.toldOnce();
    expect([state, ...uris(contacts)]).toEqual(["active", "sip:bob@192.0.2.1", "sip:bob@192.0.2.2"]);
    expect(contacts.map(({ said }) => said)).toEqual(["terminated expired", "terminated expired"]);
  });

  test("of all that went with a flow, each watcher of its own address", async () => {
    using at = await watched("ws://127.0.0.1:0");
    await at.toldOnce();
    using other = await WireClient.open(at.on.running.address);
    const carol = await WireSubscriber.open(other, "reg", 6000, { uri: "sip:carol@example.com" });
    await carol.notified();
    using client = await StreamClient.open(at.on.running.server.addresses[1]!, { transport: "ws" });
    await new Registrant(client).register({ contacts: THREE });
    await new Registrant(client, "sip:carol@example.com").register({ contacts: [DESK, "<sip:carol@192.0.2.5>"] });
    await at.toldOnce();
    await carol.notified();
    await other.rest();
    client.reset();
    expect((await at.toldOnce()).contacts.map(({ said }) => said)).toEqual(all("terminated deactivated"));
    expect(toldOf(await carol.notified()).contacts.map(({ said }) => said)).toEqual(
      all("terminated deactivated").slice(1),
    );
  });

  test("as many ends as there can be in one REGISTER", async () => {
    using at = await watched();
    await at.toldOnce();
    await at.bob.register({ contacts: [Array.from({ length: 64 }, (_, i) => `<sip:bob@192.0.2.${i}>`).join()] });
    expect((await at.toldOnce()).contacts).toHaveLength(64);
    await at.bob.register({ contacts: ["*"], expires: 0 });
    const { kind, contacts } = await at.toldOnce();
    expect([kind, contacts.length]).toEqual(["partial", 64]);
    expect(new Set(contacts.map(({ said }) => said))).toEqual(new Set(["terminated unregistered"]));
  });
});
