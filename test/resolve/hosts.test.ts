import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostsFile, parseHosts } from "../../src/resolve/hosts.ts";
import { FakeClock } from "../support/fake-clock.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viaduct-hosts-"));
  path = join(folder, "hosts");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the text of a hosts file", () => {
  test("has an address and its names a line, comments, and any white space", () => {
    const names = parseHosts(
      "# head\n127.0.0.1\tlocalhost\n\n 192.0.2.1  A.Example  b # c\r\n2001:DB8::1 a.example.\n",
    );
    expect([...names.keys()]).toEqual(["localhost", "a.example", "b"]);
    expect(names.get("a.example")).toEqual({ a: ["192.0.2.1"], aaaa: ["2001:db8::1"] });
    expect(names.get("c")).toBeUndefined();
  });

  test("joins the lines of one name, keeps their order, and says nothing twice", () => {
    const names = parseHosts("192.0.2.2 a\n192.0.2.1 a a\n192.0.2.2 a\n::ffff:192.0.2.3 a");
    expect(names.get("a")).toEqual({ a: ["192.0.2.2", "192.0.2.1", "192.0.2.3"], aaaa: [] });
  });

  test("may hold lines that are none", () => {
    expect([...parseHosts("nonsense here\n300.1.1.1 a\nfe80::1%eth0 b\n192.0.2.1\n\0\n192.0.2.9 c").keys()]).toEqual([
      "c",
    ]);
  });
});

describe("the hosts file", () => {
  test("is read again when it has changed, some seconds later at most", () => {
    writeFileSync(path, "192.0.2.1 a\n");
    const clock = new FakeClock();
    const hosts = new HostsFile(clock, path);
    expect(hosts.find("a")?.a).toEqual(["192.0.2.1"]);
    writeFileSync(`${path}.new`, "192.0.2.200 a\n");
    renameSync(`${path}.new`, path);
    expect(hosts.find("a")?.a).toEqual(["192.0.2.1"]);
    clock.skip(5000);
    expect(hosts.find("a")?.a).toEqual(["192.0.2.200"]);
    rmSync(path);
    clock.skip(5000);
    expect(hosts.find("a")).toBeUndefined();
  });

  test("may be missing, and localhost is this machine all the same (RFC 6761 s6.3)", () => {
    const hosts = new HostsFile(new FakeClock(), path);
    expect(hosts.find("a")).toBeUndefined();
    for (const name of ["localhost", "sip.localhost"]) {
      expect(hosts.find(name)).toEqual({ a: ["127.0.0.1"], aaaa: ["::1"] });
    }
    expect(hosts.find("notlocalhost")).toBeUndefined();
  });

  test("has its say about localhost", () => {
    writeFileSync(path, "127.0.0.5 localhost\n");
    expect(new HostsFile(new FakeClock(), path).find("localhost")).toEqual({ a: ["127.0.0.5"], aaaa: [] });
  });

  test("of absurd size is not read", () => {
    writeFileSync(path, `192.0.2.1 a\n${"#".repeat(1024 * 1024)}`);
    expect(new HostsFile(new FakeClock(), path).find("a")).toBeUndefined();
  });
});
