/** Settings of registrations and of where they are kept. */
import { afterAll, describe, expect, test } from "bun:test";
import { toRegistrarSettings } from "../../src/config/to-options.ts";
import { registrar } from "../../src/registrar/registrar.ts";
import { DEFAULT_REGISTRAR } from "../../src/registrar/settings.ts";
import { settingsFolder } from "./settings-folder.ts";

const { settingsOf, errorOf, remove } = settingsFolder();
afterAll(remove);

describe("registrations", () => {
  test("by default are as the library has them", async () => {
    expect(toRegistrarSettings(await settingsOf([]))).toEqual(DEFAULT_REGISTRAR);
  });

  test("reach the library under its names", async () => {
    const toml = `
      mode = "registrar"
      [registrar]
      domains = ["Example.com.", "192.0.2.1", "[2001:DB8::1]"]
      default-expires = 12
      min-expires = 11
      max-expires = 13
      max-contacts = 14
      max-bindings = 15
      service-route = ["sip:a.example.com;lr", "sips:b.example.com;lr"]
      flow-timer = 16
      nat-keep-alive = "options"
      nat-keep-alive-interval = 17`;
    const settings = await settingsOf([], toml);
    expect(settings.mode).toBe("registrar");
    expect(toRegistrarSettings(settings)).toEqual({
      domains: ["example.com", "192.0.2.1", "[2001:db8::1]"],
      defaultExpires: 12,
      minExpires: 11,
      maxExpires: 13,
      maxContacts: 14,
      maxBindings: 15,
      serviceRoute: ["sip:a.example.com;lr", "sips:b.example.com;lr"],
      flowTimer: 16,
      keepAlive: "options",
      keepAliveInterval: 17,
    });
  });

  test("last between the bounds, and without a word of it as near to an hour as they allow", async () => {
    const usual = async (...args: string[]) => (await settingsOf(args)).registrar["default-expires"];
    expect(await usual("--max-expires", "600")).toBe(600);
    expect(await usual("--min-expires", "5000")).toBe(5000);
    expect(await usual("--default-expires", "60")).toBe(60);
    expect(await errorOf(["--default-expires", "59"])).toBe("--default-expires: 59 is shorter than min-expires, 60");
    expect(await errorOf([], "[registrar]\ndefault-expires = 7201")).toBe(
      "FILE: registrar.default-expires: 7201 is longer than max-expires, 7200",
    );
    expect(await errorOf(["--max-expires", "30"])).toBe("--max-expires: 30 is shorter than min-expires, 60");
    expect(await errorOf(["--min-expires", "8000"])).toBe(
      "registrar.max-expires: 7200 is shorter than min-expires, 8000",
    );
  });

  test.each([
    [["--domains", "example.com:5060"], 'a HOST without a port, an IPv6 one in brackets, not "example.com:5060"'],
    [["--domains", "sip:example.com"], 'a HOST without a port, an IPv6 one in brackets, not "sip:example.com"'],
    [["--max-contacts", "65"], "a whole number from 1 to 64, not 65"],
    [["--max-bindings", "16777216"], "a whole number from 1 to 16777215, not 16777216"],
    ...["proxy.example.com", "tel:1;lr", "sip:proxy.example.com", "<sip:proxy.example.com;lr>"].map(
      (uri): [string[], string] => [
        ["--service-route", uri],
        `a sip or sips URI with lr, such as sip:proxy.example.com;lr, not "${uri}"`,
      ],
    ),
    [["--nat-keep-alive", "on"], 'off, crlf or options, not "on"'],
  ])("%j is wrong", async (args, right) => {
    expect(await errorOf(args)).toBe(`${args[0]}: must be ${right}`);
  });
});

test("the most that the settings allow is what a registrar takes", async () => {
  const args = ["--max-bindings", "16777215", "--max-contacts", "64", "--max-expires", "31536000"];
  const settings = toRegistrarSettings(await settingsOf(args));
  expect(() => registrar(settings)).not.toThrow();
});

describe("the store", () => {
  test("is SQLite, or Redis where its URL is given, or what is said", async () => {
    const kind = async (...args: string[]) => (await settingsOf(args)).store.store;
    expect(await kind()).toBe("sqlite");
    expect(await kind("--redis-url", "redis://127.0.0.1")).toBe("redis");
    expect(await kind("--redis-url", "rediss://user:pw@[::1]:6380/2", "--store", "memory")).toBe("memory");
  });

  test("that is Redis needs its URL", async () => {
    expect(await errorOf(["--store", "redis"])).toBe(
      "--store: redis needs its URL: set redis-url in [store], or --redis-url",
    );
  });

  test.each([
    [["--store", "postgres"], 'memory, sqlite or redis, not "postgres"'],
    [["--store-window", "-1"], "a whole number of milliseconds from 0 to 60000, not -1"],
    [["--store-sync", "off"], 'normal or full, not "off"'],
    [["--store-wait", "yes"], 'true or false, not "yes"'],
    [
      ["--redis-url", "127.0.0.1:6379"],
      "redis://HOST:PORT, or rediss:// for TLS, USER:PASSWORD@ before the HOST where it asks",
    ],
    [["--server-name", ""], '1 to 64 visible ASCII characters, not ""'],
    [["--redis-away", "wait"], 'accept or refuse, not "wait"'],
    [["--redis-prefix", "a b"], '1 to 64 visible ASCII characters, not "a b"'],
  ])("%j is wrong", async (args, right) => {
    expect(await errorOf(args)).toBe(`${args[0]}: must be ${right}`);
  });
});
