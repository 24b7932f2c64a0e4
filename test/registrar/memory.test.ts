/** What comes and goes leaves nothing behind. */
import { expect, test } from "bun:test";
import { Flows } from "../../src/registrar/flows.ts";
import { Gruus } from "../../src/registrar/gruus.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { newLocation, register } from "../support/bindings.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { KeptStore } from "../support/kept-store.ts";
import { RecordingChannel } from "../support/recording-channel.ts";
import { RunningRegistrar } from "../support/registering.ts";
import { StreamClient } from "../support/stream-client.ts";

test("thousands of clients that register, refresh and go use the same slots and octets again", async () => {
  const store = new KeptStore();
  using on = await RunningRegistrar.start(
    { store, maxBindings: 5000 },
    { listen: "tcp://127.0.0.1:0", limits: { transactions: 50_000 } },
  );
  using client = await StreamClient.open(on.address);
  let cseq = 0;
  /** A hundred users of a round register with texts of many lengths, refresh, and go. */
  const round = async (number: number) => {
    const headers = (user: number, more: string[]) => [
      `Contact: "${"n".repeat(user)}" <sip:u${user}@192.0.2.1>;x="${"y".repeat((user * 7) % 300)}";reg-id=1;+sip.instance="<urn:${user}>"`,
      "Supported: gruu, outbound",
      ...more,
    ];
    for (const more of [[], [], ["Expires: 0"]]) {
      cseq++;
      for (let user = 0; user < 100; user++) {
        const to = `<sip:u${number}-${user}@example.com>`;
        client.send(client.text("REGISTER", { to, callId: `m${number}-${user}`, cseq, headers: headers(user, more) }));
      }
      await client.rest();
    }
  };
  await round(0);
  const { octets, used } = store.location;
  for (let number = 1; number < 25; number++) await round(number);
  expect(on.phones.stats).toMatchObject({ registered: 2500, refreshed: 2500, unregistered: 2500, bindings: 0 });
  expect([store.location.octets, store.location.used]).toEqual([octets, used]);
  expect(used).toBe(100);
});

test("a binding whose texts change their length keeps to its place", () => {
  const { location } = newLocation(1_800_000_000_000, 10);
  register(location, { aor: "sip:a@example.com", params: ";x=1" });
  const { octets } = location;
  for (let n = 0; n < 20_000; n++)
    register(location, { aor: "sip:a@example.com", params: `;x=${"y".repeat(n % 500)}` });
  expect([location.size, location.used, location.octets]).toEqual([1, 1, octets]);
});

test("flows and GRUUs are as many as there are bindings with them", () => {
  const { location } = newLocation();
  const flows = new Flows(location.records);
  const gruus = new Gruus(location, new Uint8Array(32));
  location.watcher = {
    bound: (slot) => gruus.bound(slot),
    unbound: (slot) => {
      flows.detach(slot);
      gruus.unbound(slot);
    },
  };
  const sockets = Array.from({ length: 8 }, () => new RecordingChannel(new FakeClock(), true));
  const slots = new Map<number, Channel>();
  const instance = (n: number) => `<urn:${n % 5}>`;
  for (let n = 0; n < 2000; n++) {
    const slot = register(location, {
      aor: `sip:u${n % 40}@example.com`,
      params: `;+sip.instance="${instance(n)}";reg-id=${1 + (n % 2)}`,
      instance: instance(n),
      regId: 1 + (n % 2),
      callId: `c${n % 7}`,
      flags: 4,
    });
    const channel = sockets[(n * 5) % 8]!;
    flows.attach(slot, channel);
    slots.set(slot, channel);
    if (n % 3 === 0) {
      const [gone] = slots.keys();
      slots.delete(gone!);
      location.remove(gone!, "unregistered");
    }
    for (const [kept, over] of slots) expect(flows.channelOf(kept)).toBe(over);
  }
  const found = sockets.flatMap((channel) => flows.slotsOf(channel));
  expect(found.sort((a, b) => a - b)).toEqual([...slots.keys()].sort((a, b) => a - b));
  expect(gruus.size).toBeGreaterThan(0);
  for (const slot of slots.keys()) location.remove(slot, "expired");
  expect([flows.size, gruus.size, location.size]).toEqual([0, 0, 0]);
});
