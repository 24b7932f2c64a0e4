import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { ConfigError } from "../../src/config/error.ts";
import { toServeOptions, toStopOptions, toUasSettings } from "../../src/config/to-options.ts";
import { DEFAULT_RESOLVE } from "../../src/resolve/settings.ts";
import { DEFAULT_STREAMS } from "../../src/transport/settings.ts";
import { settingsFolder } from "./settings-folder.ts";

const { folder, file, settingsOf, errorOf, remove } = settingsFolder();
afterAll(remove);

describe("precedence", () => {
  test("nothing given: the defaults", async () => {
    expect(await settingsOf([])).toEqual({
      mode: "full-uas",
      listen: ["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"],
      "nat-contacts": "private",
      "log-level": "info",
      uas: {
        "ring-time": 0,
        "final-status": 200,
        prack: true,
        "session-timers": true,
        "session-expires": 1800,
        "min-se": 90,
        subscriptions: true,
        refer: true,
        messages: true,
      },
      registrar: {
        "default-expires": 3600,
        "min-expires": 60,
        "max-expires": 7200,
        "max-contacts": 10,
        "max-bindings": 1_000_000,
        "flow-timer": 120,
        "nat-keep-alive": "crlf",
        "nat-keep-alive-interval": 25,
      },
      auth: {
        auth: false,
        "authentication-info": true,
        "allow-without-qop": false,
        "nonce-lifetime": 300,
        failures: true,
        "failures-window": 600,
        "slow-user-after": 5,
        "slow-address-after": 20,
        "slow-first": 500,
        "slow-longest": 4000,
        "refuse-user-after": 30,
        "refuse-address-after": 100,
        "refuse-for": 300,
      },
      store: {
        store: "sqlite",
        "store-window": 100,
        "store-sync": "normal",
        "store-wait": false,
        "redis-away": "accept",
      },
      timers: { t1: 500, t2: 4000, t4: 5000 },
      limits: { "message-size": 65_536, headers: 256, "header-length": 8192, "uri-length": 2048, vias: 70 },
      udp: { "receive-buffer": 8_388_608, "send-queue": 8192, "flood-budget": 5 },
      connections: {
        connections: 65_536,
        "connections-per-address": 4096,
        "idle-timeout": 600,
        "message-timeout": 15,
        "connect-timeout": 5,
        "write-queue": 1_048_576,
        "keep-alive": 60,
      },
      tls: { "client-certificates": "none", "verify-servers": true },
      dns: { "dns-timeout": 3000, "dns-cache": 60, "dns-negative-cache": 10, "avoid-failed": 30 },
      shutdown: { grace: 5, "retry-after": 10 },
    });
  });

  test("a flag overrides the file, the file overrides the default, setting by setting", async () => {
    const settings = await settingsOf(["--t1", "111"], "mode = 'minimal'\n[timers]\nt1 = 222\nt2 = 333\n");
    expect(settings.mode).toBe("minimal");
    expect(settings.timers).toEqual({ t1: 111, t2: 333, t4: 5000 });
  });

  test("listening addresses of flags replace those of the file", async () => {
    const toml = 'listen = ["udp://127.0.0.1:1", "udp://127.0.0.1:2"]';
    expect((await settingsOf([], toml)).listen).toEqual(["udp://127.0.0.1:1", "udp://127.0.0.1:2"]);
    expect((await settingsOf(["--listen", "udp://[::1]", "--listen=udp://127.0.0.1:0"], toml)).listen).toEqual([
      "udp://[::1]:5060",
      "udp://127.0.0.1:0",
    ]);
  });

  test("one listening address in the file needs no array", async () => {
    expect((await settingsOf([], "listen = 'udp://127.0.0.1'")).listen).toEqual(["udp://127.0.0.1:5060"]);
  });

  test("a wrong value in the file is told even when a flag overrides it", async () => {
    expect(await errorOf(["--t1", "500"], "[timers]\nt1 = 1")).toStartWith("FILE: timers.t1: must be");
  });

  test("a file of one setting, CRLF and a byte order mark", async () => {
    expect((await settingsOf([], "\ufeff[uas]\r\nring-time = 7\r\n")).uas["ring-time"]).toBe(7);
  });
});

describe("a wrong flag is named with what would be right", () => {
  test.each([
    [["--t1", "5"], "--t1: must be a whole number of milliseconds from 10 to 60000, not 5"],
    [["--t1", "-5"], "--t1: must be a whole number of milliseconds from 10 to 60000, not -5"],
    [["--t1", "500.5"], "--t1: must be a whole number of milliseconds from 10 to 60000, not 500.5"],
    [["--t1", "0x1f4"], '--t1: must be a whole number of milliseconds from 10 to 60000, not "0x1f4"'],
    [["--t1", ""], '--t1: must be a whole number of milliseconds from 10 to 60000, not ""'],
    [["--t1", "--t2"], '--t1: must be a whole number of milliseconds from 10 to 60000, not "--t2"'],
    [["--t1"], "--t1: must be followed by its value, a whole number of milliseconds from 10 to 60000"],
    [["--config"], "--config: must be followed by the path of a TOML file"],
    [["--final-status", "250"], "--final-status: must be 200, or a status from 300 to 699, not 250"],
    [["--mode", "proxy"], '--mode: must be full-uas, registrar, subscription-server or minimal, not "proxy"'],
    [["--log-level", "loud"], '--log-level: must be fatal, error, warn, info, debug, trace or silent, not "loud"'],
    [
      ["--listen", "udp://127.0.0.1", "--listen", "sctp://127.0.0.1"],
      "--listen: must be udp://HOST:PORT, or tcp, tls, ws or wss in the place of udp, an IPv6 HOST in brackets, " +
        "PORT from 0 to 65535 (when left out 5060, tls 5061, ws 80, wss 443), and ?advertise=HOST:PORT behind it " +
        'if peers are to be told another, not "sctp://127.0.0.1"',
    ],
    [
      ["--advertise", "0.0.0.0"],
      "--advertise: must be a HOST that peers can reach, or HOST:PORT, an IPv6 HOST in brackets, " +
        'PORT from 1 to 65535, not "0.0.0.0"',
    ],
    [["--verify-servers", "no"], '--verify-servers: must be true or false, not "no"'],
    [["--verify-servers"], "--verify-servers: must be followed by its value, true or false"],
    [["--certificate", ""], '--certificate: must be the path of a PEM file, not ""'],
    [["--ca", "a.pem", "--ca", ""], '--ca: must be the path of a PEM file, not ""'],
    [["--client-certificates", "yes"], '--client-certificates: must be none, optional or required, not "yes"'],
    [
      ["--nameserver", "dns.example.com"],
      "--nameserver: must be a numeric HOST, an IPv6 one in brackets, or HOST:PORT, PORT from 1 to 65535 " +
        '(53 when left out), not "dns.example.com"',
    ],
    [["--keep-alive", "-1"], "--keep-alive: must be a whole number of seconds from 0 to 32767, not -1"],
    [["--rng-time", "5"], "unknown flag --rng-time: did you mean --ring-time?"],
    [["--ringTime=5"], "unknown flag --ringTime: did you mean --ring-time?"],
    [["--colour"], "unknown flag --colour: see viaduct --help"],
    [["-x"], "unknown flag -x: see viaduct --help"],
    [["--a\nb"], 'unknown flag "--a\\nb": see viaduct --help'],
    [["start"], 'unknown command "start": see viaduct --help'],
    [["bindngs", "list"], 'unknown command "bindngs": did you mean viaduct bindings?'],
    [["--t1", "500", "bindings"], "bindings: a command comes before its flags: viaduct bindings ..."],
  ])("%j", async (args, message) => {
    expect(await errorOf(args)).toBe(message);
  });

  test("the bounds themselves are right", async () => {
    for (const t1 of ["10", "60000"]) expect((await settingsOf(["--t1", t1])).timers.t1).toBe(Number(t1));
    for (const status of ["200", "300", "699"]) {
      expect((await settingsOf(["--final-status", status])).uas["final-status"]).toBe(Number(status));
    }
    for (const bad of ["9", "60001"]) expect(await errorOf(["--t1", bad])).toStartWith("--t1: must be");
    for (const bad of ["199", "201", "299", "700"]) {
      expect(await errorOf(["--final-status", bad])).toStartWith("--final-status: must be");
    }
  });
});

describe("a wrong setting of the file is named with what would be right", () => {
  test.each([
    ["[timers]\nt1 = '500'", 'FILE: timers.t1: must be a whole number of milliseconds from 10 to 60000, not "500"'],
    ["[timers]\nt1 = nan", "FILE: timers.t1: must be a whole number of milliseconds from 10 to 60000, not NaN"],
    ["[limits]\nvias = true", "FILE: limits.vias: must be a whole number from 1 to 255, not true"],
    ["[limits]\ndialogs = 0", "FILE: limits.dialogs: must be a whole number from 1 to 100000000, not 0"],
    ["[tls]\nverify-servers = 'false'", 'FILE: tls.verify-servers: must be true or false, not "false"'],
    ["[tls]\nca = []", "FILE: tls.ca: must be the path of a PEM file, not []"],
    ['[tls]\ncertificate = "a\\u0000b"', 'FILE: tls.certificate: must be the path of a PEM file, not "a\\u0000b"'],
    ["idle-timeout = 3", "FILE: unknown setting idle-timeout: did you mean connections.idle-timeout?"],
    [
      "connections = 5",
      "FILE: connections: must be a table [connections] of connections, connections-per-address, idle-timeout, " +
        "message-timeout, connect-timeout, write-queue, keep-alive, not 5",
    ],
    ["mode = 1979-05-27", 'FILE: mode: must be full-uas, registrar, subscription-server or minimal, not "1979-05-27"'],
    ["[uas]\nrng-time = 3", "FILE: unknown setting uas.rng-time: did you mean uas.ring-time?"],
    ["ring-time = 3", "FILE: unknown setting ring-time: did you mean uas.ring-time?"],
    ["[uas]\nt1 = 500", "FILE: unknown setting uas.t1: did you mean timers.t1?"],
    ["log_level = 'info'", "FILE: unknown setting log_level: did you mean log-level?"],
    ["[timer]\nt1 = 500", "FILE: unknown setting timer: did you mean [timers]?"],
    ["config = 'x'", "FILE: unknown setting config: see viaduct --help for the settings there are"],
    ["__proto__ = 1", "FILE: unknown setting __proto__: see viaduct --help for the settings there are"],
    ['"a\\nb" = 1', 'FILE: unknown setting "a\\nb": see viaduct --help for the settings there are'],
    [
      "uas = 3",
      "FILE: uas: must be a table [uas] of ring-time, final-status, prack, session-timers, session-expires, min-se, subscriptions, refer, messages, not 3",
    ],
    [
      "[[uas]]\nring-time = 3",
      'FILE: uas: must be a table [uas] of ring-time, final-status, prack, session-timers, session-expires, min-se, subscriptions, refer, messages, not [{"ring-time":3}]',
    ],
  ])("%j", async (toml, message) => {
    expect(await errorOf([], toml)).toBe(message);
  });

  test("an empty list of addresses, or one with something else in it", async () => {
    for (const toml of ["listen = []", "listen = ['udp://127.0.0.1', 3]", "listen = ['http://127.0.0.1']"]) {
      expect(await errorOf([], toml)).toStartWith("FILE: listen: must be udp://HOST:PORT, ");
    }
  });

  test("a value too long for a line is cut", async () => {
    expect((await errorOf([], `mode = "${"x".repeat(500)}"`)).length).toBeLessThan(150);
  });
});

describe("a file that is no TOML is named with the line", () => {
  test.each([
    ["mode = full-uas", 1],
    ["[timers]\nt1 = 500\n\nt2 =\n", 4],
    ["mode = 'minimal'\nmode = 'full-uas'\n", 2],
    ["[timers]\nt1 = 500\n[timers\n", 3],
    ["listen = [\n  'udp://127.0.0.1',\n  x\n]", 3],
    ["[timers]\r\nt1 = 500\r\nt2 = 4000 t4 = 5000\r\n", 3],
  ])("%j: line %d", async (toml, line) => {
    const message = await errorOf([], toml);
    expect(message).toMatch(new RegExp(`^--config FILE:${line}: is not TOML: \\S[^\\n]*$`));
  });

  test("it is not UTF-8", async () => {
    writeFileSync(file, Uint8Array.of(0x61, 0xff, 0xfe));
    expect(await errorOf(["--config", file])).toBe("--config FILE: must be a TOML file in UTF-8");
  });

  test("it is far too long", async () => {
    expect(await errorOf([], `# ${"x".repeat(1_048_576)}`)).toBe(
      "--config FILE: must be at most 1048576 bytes long, not 1048578",
    );
  });

  test("any text is either settings or a message", async () => {
    const piece = fc.constantFrom(
      "[",
      "]",
      "=",
      "\n",
      "t1",
      "timers",
      ".",
      "'",
      '"',
      "1",
      "udp://x",
      "listen",
      "#",
      "{",
    );
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.array(piece, { maxLength: 30 }).map((p) => p.join("")),
    );
    await fc.assert(
      fc.asyncProperty(text, async (toml) => {
        try {
          await settingsOf([], toml);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("a file that cannot be read is named with the reason", () => {
  test("there is none", async () => {
    const path = join(folder, "none.toml");
    const message = await errorOf(["--config", path]);
    expect(message).toBe(`--config ${path}: must be a file that can be read: there is no such file`);
  });

  test("it is a directory", async () => {
    const message = await errorOf(["--config", folder]);
    expect(message).toBe(`--config ${folder}: must be a file that can be read: it is a directory`);
  });

  test("its name is empty", async () => {
    expect(await errorOf(["--config", ""])).toBe('--config "": must be a file that can be read: there is no such file');
  });
});

test("settings reach the options of the server under their API names", async () => {
  const toml = `
    listen = "udp://127.0.0.1:5070"
    advertise = "192.0.2.1:5080"
    nat-contacts = "all"
    [uas]
    ring-time = 1
    final-status = 486
    [timers]
    t1 = 11
    t2 = 12
    t4 = 14
    [limits]
    message-size = 600
    headers = 601
    header-length = 602
    uri-length = 603
    vias = 60
    transactions = 605
    dialogs = 606
    [udp]
    receive-buffer = 7000
    send-queue = 701
    flood-budget = 72
    [connections]
    connections = 81
    connections-per-address = 82
    idle-timeout = 83
    message-timeout = 84
    connect-timeout = 85
    write-queue = 86000
    keep-alive = 87
    [tls]
    certificate = "/c.pem"
    private-key = "/k.pem"
    ca = ["/a.pem", "/b.pem"]
    client-certificates = "required"
    verify-servers = false
    [dns]
    nameserver = ["127.0.0.1:5353", "[::1]"]
    dns-timeout = 91
    dns-cache = 92
    dns-negative-cache = 93
    avoid-failed = 94
    [shutdown]
    grace = 8
    retry-after = 9`;
  const settings = await settingsOf([], toml);
  expect(toServeOptions(settings)).toEqual({
    listen: ["udp://127.0.0.1:5070"],
    advertise: "192.0.2.1:5080",
    natContacts: "all",
    timers: { t1: 11, t2: 12, t4: 14 },
    limits: {
      messageSize: 600,
      headers: 601,
      headerLength: 602,
      uriLength: 603,
      vias: 60,
      transactions: 605,
      dialogs: 606,
    },
    udp: { receiveBuffer: 7000, sendQueue: 701, floodBudget: 72 },
    tls: {
      certificate: "/c.pem",
      privateKey: "/k.pem",
      ca: ["/a.pem", "/b.pem"],
      clientCertificates: "required",
      verifyServers: false,
    },
    streams: {
      connections: 81,
      connectionsPerAddress: 82,
      idleTimeout: 83_000,
      messageTimeout: 84_000,
      connectTimeout: 85_000,
      writeQueue: 86_000,
      keepAlive: 87_000,
    },
    resolve: {
      nameservers: ["127.0.0.1:5353", "[::1]:53"],
      dnsTimeout: 91,
      cacheTtl: 92_000,
      cacheNegative: 93_000,
      avoidFailed: 94_000,
    },
  });
  expect(toUasSettings(settings)).toEqual({
    ringTime: 1,
    finalStatus: 486,
    prack: true,
    sessionTimers: { expires: 1800, minSE: 90 },
    subscriptions: true,
    refer: true,
    messages: true,
  });
  const off = "[uas]\nprack = false\nsession-timers = false\nsubscriptions = false\nrefer = false\nmessages = false";
  expect(toUasSettings(await settingsOf([], off))).toMatchObject({
    prack: false,
    sessionTimers: false,
    subscriptions: false,
    refer: false,
    messages: false,
  });
  expect(toStopOptions(settings)).toEqual({ graceMs: 8000, retryAfter: 9 });
});

test("a session timer cannot be shorter than the shortest that is agreed to", async () => {
  expect(await errorOf(["--session-expires", "100", "--min-se", "200"])).toBe(
    "--session-expires: 100 is shorter than min-se, 200",
  );
});

test("the defaults of streams and of finding servers are those of the library", async () => {
  const { streams, resolve } = toServeOptions(await settingsOf([]));
  expect(streams).toEqual(DEFAULT_STREAMS);
  expect(resolve).toEqual(DEFAULT_RESOLVE);
});
