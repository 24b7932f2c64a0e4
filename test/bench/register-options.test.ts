import { describe, expect, test } from "bun:test";
import { readRegisterOptions } from "../../bench/load/register-options.ts";

function fault(...argv: string[]): string {
  try {
    readRegisterOptions(argv);
  } catch (error) {
    return (error as Error).message;
  }
  return "none";
}

describe("the command line of bench register", () => {
  test("UDP by default, on one socket; TCP goes over four connections", () => {
    expect(readRegisterOptions([])).toMatchObject({
      transport: "udp",
      connections: 1,
      seconds: 2,
      aors: 100_000,
      contacts: 500_000,
      isShuffled: true,
      hasRates: true,
    });
    expect(readRegisterOptions(["--transport", "tcp"])).toMatchObject({ transport: "tcp", connections: 4 });
  });

  test("lists keep the order that they are measured in, each once", () => {
    expect(readRegisterOptions(["--stores", "sqlite, memory,sqlite", "--auth", "SHA-256,none"])).toMatchObject({
      stores: ["memory", "sqlite"],
      auths: ["none", "SHA-256"],
    });
  });

  test("a quick look is shorter and smaller, and says otherwise where it is told otherwise", () => {
    const quick = readRegisterOptions(["--quick", "--contacts", "1_000"])!;
    const long = readRegisterOptions([])!;
    expect(quick.seconds).toBeLessThan(long.seconds);
    expect(quick.aors).toBeLessThan(long.aors);
    expect(quick.contacts).toBe(1000);
  });

  test("numbers of nothing, and out of range, are refused by their option's name", () => {
    for (const [option, value] of [
      ["seconds", "0"],
      ["seconds", "soon"],
      ["aors", "9_000_000_000"],
      ["concurrency", "0"],
      ["concurrency", "10000"],
      ["contacts", ""],
      ["t1", "-1"],
    ]) {
      expect(fault(`--${option}=${value}`)).toStartWith(`--${option} ${value}: not a number from`);
    }
  });

  test("there are as many AORs and contacts as are in flight at least", () => {
    expect(fault("--aors", "127")).toContain("--aors 127");
    expect(fault("--contacts", "127")).toContain("--contacts 127");
    expect(fault("--aors", "16", "--concurrency", "16", "--contacts", "0")).toBe("none");
  });

  test("words that name nothing are refused with those there are", () => {
    expect(fault("--stores", "memory,postgres")).toBe("--stores postgres: not one of memory, sqlite, redis");
    expect(fault("--auth", "md5")).toBe("--auth md5: not one of none, MD5, SHA-256");
    expect(fault("--transport", "tls")).toContain("not one of udp, tcp");
    expect(fault("--order", "random")).toContain("not one of shuffled, sequential");
  });

  test("nothing to measure is refused", () => {
    expect(fault("--no-rates", "--contacts", "0")).toContain("nothing is left to measure");
  });

  test("help is asked for", () => {
    expect(readRegisterOptions(["--help"])).toBeUndefined();
  });
});
