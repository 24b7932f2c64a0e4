import { describe, expect, test } from "bun:test";
import { servicesOf } from "../../src/resolve/naptr.ts";

function naptr(service: string, order: number, preference: number, more = {}) {
  const replacement = `${service.toLowerCase().replace("+", "-")}.example.com`;
  return { flags: "s", service, regexp: "", replacement, order, preference, ...more };
}

const all = () => true;

function transports(records: ReturnType<typeof naptr>[], usable: Parameters<typeof servicesOf>[1] = all) {
  return servicesOf(records, usable).map(({ transport }) => transport);
}

describe("the services of NAPTR records", () => {
  test("come by order, then by preference", () => {
    const records = [naptr("SIP+D2U", 100, 1), naptr("SIP+D2T", 50, 90), naptr("SIPS+D2T", 50, 10)];
    expect(transports(records)).toEqual(["tls", "tcp", "udp"]);
  });

  test("are those that can be used", () => {
    const records = [naptr("SIPS+D2T", 1, 1), naptr("SIP+D2U", 2, 1), naptr("SIP+D2T", 3, 1)];
    expect(transports(records, (name) => name !== "tls")).toEqual(["udp", "tcp"]);
  });

  test("are those of SIP, in any letter case", () => {
    const strange = ["SIP+D2S", "E2U+sip", "SIP+D2W", "", "constructor", "__proto__"];
    const records = [...strange.map((name) => naptr(name, 1, 1)), naptr("sip+d2u", 9, 9)];
    expect(transports(records)).toEqual(["udp"]);
  });

  test("lead to SRV records or to addresses, and nowhere else", () => {
    const records = [
      naptr("SIP+D2U", 1, 1, { flags: "S", replacement: "_sip._udp.Example.COM." }),
      naptr("SIP+D2T", 2, 1, { flags: "A", replacement: "host.example.com" }),
      naptr("SIP+D2T", 3, 1, { flags: "" }),
      naptr("SIP+D2T", 4, 1, { flags: "u", regexp: "!.*!sip:x@y!" }),
      naptr("SIP+D2T", 5, 1, { replacement: "" }),
      naptr("SIP+D2T", 6, 1, { replacement: "not a name" }),
    ];
    expect(servicesOf(records, all)).toEqual([
      { transport: "udp", name: "_sip._udp.example.com", kind: "s" },
      { transport: "tcp", name: "host.example.com", kind: "a" },
    ]);
  });

  test("are not more than a few, however many records there are", () => {
    expect(transports(Array.from({ length: 100 }, (_, at) => naptr("SIP+D2U", at, 1)))).toHaveLength(8);
  });
});
