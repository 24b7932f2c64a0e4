/** Finding servers with a nameserver that is none of ours. */
import { describe, expect, test } from "bun:test";
import { dnsmasqPath, startDnsmasq } from "../support/dnsmasq.ts";
import { brief, hop, locatorAt } from "../support/locator.ts";
import { peerVerdict } from "../support/sipp.ts";

const verdict = peerVerdict(dnsmasqPath(), process.env.CI);

const RECORDS = [
  "--naptr-record=full.test,10,10,s,SIPS+D2T,,_sips._tcp.full.test",
  "--naptr-record=full.test,20,10,s,SIP+D2T,,_sip._tcp.full.test",
  "--naptr-record=full.test,20,20,s,SIP+D2U,,_sip._udp.full.test",
  "--srv-host=_sips._tcp.full.test,b.full.test,5061,1",
  "--srv-host=_sip._tcp.full.test,b.full.test,5062,1",
  "--srv-host=_sip._udp.full.test,b.full.test,5063,20",
  "--srv-host=_sip._udp.full.test,a.full.test,5063,10",
  "--srv-host=_sip._udp.plain.test,a.full.test,5070",
  // No target: the root.
  "--srv-host=_sip._udp.closed.test",
  "--host-record=a.full.test,192.0.2.1,2001:db8::1",
  "--host-record=b.full.test,192.0.2.2",
  "--host-record=closed.test,192.0.2.3",
  "--cname=alias.full.test,b.full.test",
];

test("where tests run unattended, dnsmasq is there", () => {
  expect(verdict, "CI is set and there is no dnsmasq: install it (apt-get install dnsmasq-base)").not.toBe("fail");
});

describe.skipIf(verdict !== "run")("dnsmasq", () => {
  test("leads by NAPTR, SRV, AAAA and A to all targets of a domain, in their order", async () => {
    await using dns = await startDnsmasq(...RECORDS);
    expect(brief(await locatorAt(dns.address).locate(hop("full.test")))).toEqual([
      "tls 192.0.2.2 5061",
      "tcp 192.0.2.2 5062",
      "udp 2001:db8::1 5063",
      "udp 192.0.2.1 5063",
      "udp 192.0.2.2 5063",
    ]);
  });

  test("leads a sips URI to TLS, and a URI with a transport past NAPTR", async () => {
    await using dns = await startDnsmasq(...RECORDS);
    const locator = locatorAt(dns.address);
    expect(brief(await locator.locate(hop("full.test", { secure: true })))).toEqual(["tls 192.0.2.2 5061"]);
    expect(brief(await locator.locate(hop("full.test", { transport: "tcp" })))).toEqual(["tcp 192.0.2.2 5062"]);
    expect(brief(await locator.locate(hop("alias.full.test", { port: 7000 })))).toEqual(["udp 192.0.2.2 7000"]);
  });

  test("leads without NAPTR to SRV, and says where there is no service or no host", async () => {
    await using dns = await startDnsmasq(...RECORDS);
    // Nothing stands behind it: what it does not know itself it refuses, unless it is told that the domain is its own.
    await using own = await startDnsmasq(...RECORDS, "--local=/test/");
    const locator = locatorAt(own.address);
    expect(brief(await locator.locate(hop("plain.test")))).toEqual(["udp 2001:db8::1 5070", "udp 192.0.2.1 5070"]);
    await expect(locator.locate(hop("closed.test"))).rejects.toMatchObject({ code: "EUNAVAILABLE" });
    await expect(locator.locate(hop("gone.test"))).rejects.toMatchObject({ code: "ENOTFOUND" });
    await expect(locatorAt(dns.address).locate(hop("gone.test"))).rejects.toMatchObject({ code: "EREFUSED" });
  });
});
