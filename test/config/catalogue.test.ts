import { expect, test } from "bun:test";
import { defaultText, type Setting, sections, settingAt, settings } from "../../src/config/catalogue.ts";
import { schema } from "../../src/config/schema.ts";

test("every field of the schema is in the catalogue, with its section and default", () => {
  const defaults = schema.parse({}) as Record<string, unknown>;
  const found = Object.entries(defaults).flatMap(([key, value]) => {
    const isSection = typeof value === "object" && !Array.isArray(value);
    return isSection ? Object.entries(value as object).map(([k, v]) => [`${key}.${k}`, v]) : [[key, value]];
  });
  const listed = settings.filter((s) => s.initial !== undefined).map((s) => [s.name, s.initial]);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(found));
  expect(sections.map((s) => s.name)).toEqual([
    "",
    "uas",
    "registrar",
    "auth",
    "store",
    "timers",
    "limits",
    "udp",
    "connections",
    "tls",
    "dns",
    "shutdown",
  ]);
});

test("a setting without a constant default says in words what it does instead", () => {
  const without = settings.filter((s) => s.initial === undefined);
  expect(without.map((s) => s.name)).toEqual([
    "listen",
    "advertise",
    "registrar.domains",
    "registrar.default-expires",
    "registrar.service-route",
    "auth.auth",
    "auth.realm",
    "auth.users",
    "auth.users-file",
    "auth.users-database",
    "auth.algorithms",
    "auth.md5-agents",
    "auth.qop",
    "auth.nonce-secret",
    "auth.exempt-address",
    "store.store",
    "store.store-file",
    "store.redis-url",
    "store.redis-prefix",
    "store.server-name",
    "limits.transactions",
    "limits.dialogs",
    "tls.certificate",
    "tls.private-key",
    "tls.ca",
    "dns.nameserver",
  ]);
  for (const setting of settings) expect(defaultText(setting)).not.toMatch(/undefined|^$/);
});

test("no two settings share a key, so that each has a flag of its own", () => {
  const keys = [...settings.map((s) => s.key), "config", "help", "version"];
  expect(new Set(keys).size).toBe(keys.length);
  for (const key of keys) expect(key).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
});

test("a path into a setting's value leads to the setting", () => {
  expect(settingAt(["listen", 1])?.name).toBe("listen");
  expect(settingAt(["timers", "t1"])?.name).toBe("timers.t1");
  expect(settingAt(["timers"])).toBeUndefined();
});

test("what may be given more than once, what is yes or no, and what is a path is known", () => {
  const names = (some: (setting: Setting) => unknown) => settings.filter(some).map((s) => s.name);
  expect(names((s) => s.repeatable)).toEqual([
    "listen",
    "registrar.domains",
    "registrar.service-route",
    "auth.users",
    "auth.algorithms",
    "auth.md5-agents",
    "auth.qop",
    "auth.exempt-address",
    "tls.ca",
    "dns.nameserver",
  ]);
  expect(names((s) => s.kind === "boolean")).toEqual([
    "uas.prack",
    "uas.session-timers",
    "uas.subscriptions",
    "uas.refer",
    "uas.messages",
    "auth.auth",
    "auth.authentication-info",
    "auth.allow-without-qop",
    "auth.failures",
    "store.store-wait",
    "tls.verify-servers",
  ]);
  expect(names((s) => s.path)).toEqual([
    "auth.users-file",
    "auth.users-database",
    "store.store-file",
    "tls.certificate",
    "tls.private-key",
    "tls.ca",
  ]);
  expect(names((s) => s.isSecret)).toEqual(["auth.users", "auth.nonce-secret", "store.redis-url"]);
  expect(names((s) => s.kind === "table")).toEqual(["auth.users"]);
});
