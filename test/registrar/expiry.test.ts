/** How long bindings last (RFC 3261 s10.2.1.1, s10.3 step 7), and that they end in their time. */
import { describe, expect, test } from "bun:test";
import { registrar } from "../../src/index.ts";
import { outcome, Registering } from "../support/registering.ts";

const DESK = "<sip:bob@192.0.2.4>";
const CELL = "<sip:bob@192.0.2.5>";

describe("a binding lasts", () => {
  test.each([
    ["as its expires says, whatever Expires says", `${DESK};expires=100`, 200, 100],
    ["as Expires says where it says nothing", DESK, 200, 200],
    ["for the default where nobody says anything", DESK, undefined, 1800],
    ["no longer than the maximum, by its own expires", `${DESK};expires=4294967295`, undefined, 7200],
    ["no longer than the maximum, by Expires", DESK, 7201, 7200],
    ["no longer than the maximum, by more digits than a number has", DESK, "9".repeat(40), 7200],
    ["for an hour where its expires is malformed", `${DESK};expires=soon`, 200, 3600],
    ["for an hour where its expires is negative", `${DESK};expires=-1`, 200, 3600],
    ["for an hour where its expires is in quotes", `${DESK};expires="100"`, 200, 3600],
    ["for an hour where its expires has no value", `${DESK};expires`, 0, 3600],
    ["for an hour where Expires is malformed", DESK, "3600s", 3600],
    ["for an hour where Expires is a date", DESK, "Thu, 01 Dec 1994 16:00:00 GMT", 3600],
    ["as long as the minimum, when that is asked", DESK, 60, 60],
  ])("%s", async (_, contact, expires, lasts) => {
    using on = await Registering.open({ minExpires: 60, defaultExpires: 1800, maxExpires: 7200 });
    const response = await on.bob.register({ contacts: [contact], expires });
    expect(outcome(response)).toEqual([200, `${DESK};expires=${lasts}`]);
    expect(on.phones.lookup("sip:bob@example.com").map(({ expires }) => expires)).toEqual([lasts]);
  });

  test("each as it says, in one request", async () => {
    using on = await Registering.open();
    const contacts = [`${DESK};expires=70`, CELL, "<sip:bob@192.0.2.6>;expires=bogus"];
    const response = await on.bob.register({ contacts, expires: 80 });
    expect(response.headers("Contact").sort()).toEqual([
      `${DESK};expires=70`,
      `${CELL};expires=80`,
      "<sip:bob@192.0.2.6>;expires=3600",
    ]);
  });
});

describe("an interval too brief", () => {
  test.each([
    [`${DESK};expires=59`, undefined],
    [`${DESK};expires=1`, 3600],
    [DESK, 59],
  ])("%s with Expires %s gets 423 with Min-Expires, and nothing changes", async (contact, expires) => {
    using on = await Registering.open({ minExpires: 60 });
    const response = await on.bob.register({ contacts: [CELL, contact], expires });
    expect([response.status, response.header("Min-Expires")]).toEqual([423, "60"]);
    expect(response.headers("Contact")).toEqual([]);
    expect(on.phones.stats).toMatchObject({ bindings: 0, refused: 1 });
  });

  test("is never an hour or more, whatever the minimum", async () => {
    using on = await Registering.open({ minExpires: 7000, defaultExpires: 7000, maxExpires: 7200 });
    expect((await on.bob.register({ contacts: [DESK], expires: 3599 })).header("Min-Expires")).toBe("7000");
    const response = await on.bob.register({ contacts: [DESK], expires: 3600 });
    expect(outcome(response)).toEqual([200, `${DESK};expires=3600`]);
  });

  test("is not 0, which removes", async () => {
    using on = await Registering.open({ minExpires: 60 });
    await on.bob.register({ contacts: [DESK] });
    expect(outcome(await on.bob.register({ contacts: [`${DESK};expires=0`] }))).toEqual([200]);
  });
});

describe("in time", () => {
  test("a binding is there to its last second, and gone after it", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [`${DESK};expires=60`, `${CELL};expires=61`] });
    await on.clock.pass(59_500);
    expect(on.contacts()).toHaveLength(2);
    expect(
      on.phones
        .lookup("sip:bob@example.com")
        .map(({ expires }) => expires)
        .sort(),
    ).toEqual([1, 1]);
    await on.clock.pass(600);
    expect(on.contacts()).toEqual(["sip:bob@192.0.2.5"]);
    expect(outcome(await on.bob.register())).toEqual([200, `${CELL};expires=1`]);
    await on.clock.pass(1000);
    expect(on.contacts()).toEqual([]);
    expect(on.phones.stats).toMatchObject({ expired: 2, bindings: 0, addressesOfRecord: 0, unregistered: 0 });
  });

  test("one that is refreshed outlives its first time", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [DESK], expires: 60 });
    await on.clock.pass(50_000);
    await on.bob.register({ contacts: [DESK], expires: 60 });
    await on.clock.pass(59_000);
    expect(on.contacts()).toEqual(["sip:bob@192.0.2.4"]);
    await on.clock.pass(1100);
    expect(on.contacts()).toEqual([]);
  });

  test("one that is shortened ends by its second time", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [DESK], expires: 3600 });
    await on.bob.register({ contacts: [DESK], expires: 60 });
    await on.clock.pass(60_100);
    expect(on.phones.stats).toMatchObject({ expired: 1, bindings: 0 });
  });

  test("an expired one may be registered again with an old CSeq: nothing is known of it", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [DESK], expires: 60, cseq: 900 });
    await on.clock.pass(60_100);
    expect(outcome(await on.bob.register({ contacts: [DESK], expires: 60, cseq: 2 }))).toEqual([
      200,
      `${DESK};expires=60`,
    ]);
  });
});

test("the system's clock is followed when it is set, which is said, and bindings last as long as they would have", async () => {
  using on = await Registering.open();
  await on.bob.register({ contacts: [DESK], expires: 600 });
  for (const [ms, date] of [
    [86_400_000, "Sat, 16 Jan 2027 08:00:06 GMT"],
    [-2 * 86_400_000, "Thu, 14 Jan 2027 08:00:12 GMT"],
  ] as const) {
    on.wall.ahead += ms;
    await on.clock.pass(6000);
    expect((await on.bob.register()).header("Date")).toBe(date);
    expect(on.running.log.lines.at(-1)).toMatchObject({ level: "warn", fields: { seconds: ms / 1000 } });
  }
  expect(outcome(await on.bob.register())).toEqual([200, `${DESK};expires=588`]);
  await on.clock.pass(587_000);
  expect(on.contacts()).toHaveLength(1);
  await on.clock.pass(1100);
  expect(on.contacts()).toEqual([]);
  expect(on.running.log.lines.filter(({ level }) => level === "warn")).toHaveLength(2);
});

test("bounds that cannot be are refused at once", () => {
  const wrong = [
    { minExpires: 0 },
    { minExpires: 100, defaultExpires: 90 },
    { defaultExpires: 8000, maxExpires: 7200 },
    { minExpires: Number.NaN },
    { maxExpires: 2 ** 31 },
    { maxContacts: 0 },
    { maxContacts: 65 },
    { maxBindings: 0 },
    { maxBindings: 2 ** 24 },
    { keepAliveInterval: 0 },
  ];
  for (const options of wrong) expect(() => registrar(options)).toThrow(RangeError);
  for (const uri of ["p1.example.com\r\nX: y", "sip:p1.example.com"]) {
    expect(() => registrar({ serviceRoute: [uri] })).toThrow(TypeError);
  }
});
