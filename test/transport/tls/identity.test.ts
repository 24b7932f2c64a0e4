import { afterAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { matchesDomain, sipIdentities, verifyServer } from "../../../src/transport/tls/identity.ts";
import { CA_FILE, CERTIFICATES, type CertificateFiles } from "../../support/certificates.ts";

function certificate(files: CertificateFiles): X509Certificate {
  return new X509Certificate(readFileSync(files.certificate));
}

/** A certificate of which only the names are asked. */
function naming(subjectAltName: string | undefined, commonName?: string | string[]): X509Certificate {
  const subject = commonName === undefined ? {} : { CN: commonName };
  return {
    subjectAltName,
    toLegacyObject: () => ({ subject }),
    checkIP: () => undefined,
  } as unknown as X509Certificate;
}

describe("SIP identities of a certificate (RFC 5922 s7.1)", () => {
  const cases: [keyof typeof CERTIFICATES, string[]][] = [
    ["server", ["example.com"]],
    ["other", ["other.example"]],
    ["uriOnly", ["uri.example"]],
    ["dnsOnly", ["dns.example", "localhost"]],
    ["cnOnly", ["cn.example"]],
    ["user", ["user.example"]],
    ["wildcard", ["*.wild.example"]],
    ["intermediate", []],
    ["misleading", []],
  ];
  test.each(cases)("%s", (name, identities) => {
    expect(sipIdentities(certificate(CERTIFICATES[name]))).toEqual(identities);
  });

  const texts: [string, string, string[]][] = [
    ["the scheme is sip in any letter case", "URI:SIP:Example.COM", ["example.com"]],
    ["sips is another scheme", "URI:sips:a.example, DNS:b.example", ["b.example"]],
    ["a user part makes it a person", "URI:sip:a@a.example", []],
    ["so does one that hides in a parameter", "URI:sip:a.example;x=y@b.example", []],
    [
      "port, parameters and headers are left out",
      "URI:sip:a.example:5061;transport=tls?x=y, URI:sip:b.example;lr",
      ["a.example", "b.example"],
    ],
    [
      "one SIP URI is enough for DNS names not to count",
      "DNS:a.example, URI:sip:b.example, DNS:c.example",
      ["b.example"],
    ],
    [
      "each counts once, a final dot does not",
      "URI:sip:a.example, URI:sip:A.example., URI:sip:a.example:5060",
      ["a.example"],
    ],
    [
      "what is no host name is nothing",
      'URI:sip:[::1], URI:sip:, URI:"sip:a.example\\u0000.b.example", DNS:c.example',
      ["c.example"],
    ],
    ["quotes keep a value whole", 'URI:"sip:a.example\\u002c URI:sip:b.example", DNS:c.example', ["c.example"]],
    ["other kinds of name are passed over", "email:a@a.example, IP Address:192.0.2.1, DNS:a.example", ["a.example"]],
  ];
  test.each(texts)("%s", (_, text, identities) => {
    expect(sipIdentities(naming(text))).toEqual(identities);
  });

  test("the common name counts only without any subjectAltName, and only as a host name", () => {
    expect(sipIdentities(naming(undefined, "Cn.example"))).toEqual(["cn.example"]);
    expect(sipIdentities(naming(undefined, ["a.example", "b.example"]))).toEqual(["a.example", "b.example"]);
    expect(sipIdentities(naming(undefined, "Example Corporation"))).toEqual([]);
    expect(sipIdentities(naming(undefined))).toEqual([]);
    expect(sipIdentities(naming("email:a@a.example", "cn.example"))).toEqual([]);
  });
});

describe("a domain matches (RFC 5922 s7.2)", () => {
  const cases: [keyof typeof CERTIFICATES, string, boolean][] = [
    ["server", "example.com", true],
    ["server", "EXAMPLE.com", true],
    ["server", "example.com.", true],
    ["server", "foo.example.com", false],
    ["server", "com", false],
    ["server", ".example.com", false],
    ["server", "", false],
    ["server", "localhost", false], // a DNS name beside a SIP URI
    ["server", "127.0.0.1", true],
    ["server", "127.0.0.2", false],
    ["server", "999.0.0.1", false],
    ["server", "::1", true],
    ["server", "[::1]", true],
    ["server", "[0:0:0:0:0:0:0:1]", true],
    ["server", "::2", false],
    ["uriOnly", "127.0.0.1", false],
    ["wildcard", "foo.wild.example", false],
    ["wildcard", "wild.example", false],
    ["wildcard", "*.wild.example", true],
    ["misleading", "bank.example", false],
    ["misleading", "evil.example", false],
  ];
  test.each(cases)("%s %s: %p", (name, domain, expected) => {
    expect(matchesDomain(certificate(CERTIFICATES[name]), domain)).toBe(expected);
  });
});

/** What a client makes of a server with these files when it asked for the domain. */
type Verdict = (files: CertificateFiles, domain: string, options?: Bun.TLSOptions) => Promise<string | null>;

describe("a server is verified after a real handshake (RFC 5922 s7.3)", () => {
  const { server, renewed, other, uriOnly, dnsOnly, cnOnly, wildcard, chain, expired, future, untrusted } =
    CERTIFICATES;
  const { selfSigned, client, serverAuth } = CERTIFICATES;
  const listeners = new Map<CertificateFiles, Bun.TCPSocketListener<undefined>>();
  afterAll(() => {
    for (const listener of listeners.values()) listener.stop(true);
  });

  function portOf(files: CertificateFiles): number {
    let listener = listeners.get(files);
    if (listener === undefined) {
      const tls = { cert: readFileSync(files.certificate, "utf8"), key: readFileSync(files.privateKey, "utf8") };
      listener = Bun.listen({ hostname: "127.0.0.1", port: 0, tls, socket: { data() {}, handshake() {}, error() {} } });
      listeners.set(files, listener);
    }
    return listener.port;
  }

  const verdict: Verdict = (files, domain, options) =>
    new Promise((resolve, reject) => {
      const tls = { ca: readFileSync(CA_FILE, "utf8"), serverName: domain, rejectUnauthorized: false, ...options };
      Bun.connect({
        hostname: "127.0.0.1",
        port: portOf(files),
        tls,
        socket: {
          data() {},
          error: (_, error) => reject(error),
          handshake(socket, _, error) {
            resolve(verifyServer(socket, error, domain));
            socket.end();
          },
        },
      }).catch(reject);
    });

  const fine: [string, CertificateFiles, string][] = [
    ["a SIP URI", server, "example.com"],
    ["in another letter case", server, "Example.COM"],
    ["a certificate that was renewed", renewed, "example.com"],
    ["a SIP URI alone, which Bun knows nothing of", uriOnly, "uri.example"],
    ["a DNS name where there is no SIP URI", dnsOnly, "dns.example"],
    ["a common name where there is nothing else", cnOnly, "cn.example"],
    ["a chain with an intermediate", chain, "chain.example"],
    ["serverAuth alone", serverAuth, "auth.example"],
  ];
  test.each(fine)("%s will do", async (_, files, domain) => {
    expect(await verdict(files, domain)).toBeNull();
  });

  test("an address will do where the certificate has it", async () => {
    expect(await verdict(server, "127.0.0.1", { serverName: "" })).toBeNull();
    expect(await verdict(uriOnly, "127.0.0.1", { serverName: "" })).toContain(
      "for 127.0.0.1 names uri.example instead",
    );
  });

  const refused: [string, CertificateFiles, string, string][] = [
    ["another domain", other, "example.com", "names other.example instead"],
    ["a DNS name beside a SIP URI, which Bun would take", server, "localhost", "names example.com instead"],
    ["a wildcard, which Bun would take", wildcard, "foo.wild.example", "names *.wild.example instead"],
    ["no name at all", CERTIFICATES.misleading, "bank.example", "names no SIP domain"],
    ["an end that has come", expired, "example.com", "expired on 2021-01-01"],
    ["a beginning to come", future, "example.com", "is not valid before 2124-01-01"],
    [
      "an unknown issuer",
      untrusted,
      "example.com",
      "was issued by CN=Viaduct test untrusted-ca, which is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
    ],
    ["its own signature", selfSigned, "example.com", "is signed by itself and not trusted"],
    ["another purpose", client, "client.example", "is not meant for servers (INVALID_PURPOSE)"],
    // Both faults at once: the name's must not hide the chain's.
    ["an end that has come, and another name", expired, "x.example", "expired on 2021-01-01"],
    [
      "an unknown issuer, and another name",
      untrusted,
      "x.example",
      "which is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
    ],
  ];
  test.each(refused)("%s will not do", async (_, files, domain, expected) => {
    const fault = await verdict(files, domain);
    expect(fault).toStartWith(`the certificate of the server for ${domain} `);
    expect(fault).toEndWith(expected);
  });

  test("both versions of TLS come to the same", async () => {
    for (const version of [0x0303, 0x0304]) {
      const options = { minVersion: version, maxVersion: version } as Bun.TLSOptions;
      expect(await verdict(uriOnly, "uri.example", options)).toBeNull();
      expect(await verdict(expired, "example.com", options)).toEndWith("expired on 2021-01-01");
      expect(await verdict(untrusted, "x.example", options)).toContain("is not trusted");
    }
  });
});

describe("a verdict without a handshake", () => {
  const sound = certificate(CERTIFICATES.server);
  const socket = (authorized: boolean, peer?: X509Certificate) => ({ authorized, getPeerX509Certificate: () => peer });
  const coded = (code: string) => Object.assign(new Error("certificate fault"), { code });

  test("nothing presented is nothing verified", () => {
    expect(verifyServer(socket(true), null, "example.com")).toBe("the server for example.com sent no certificate");
  });

  test("neither an error nor a socket that is not authorised is passed over", () => {
    expect(verifyServer(socket(true, sound), undefined, "example.com")).toBeNull();
    expect(verifyServer(socket(false, sound), null, "example.com")).toEndWith("could not be verified");
    expect(verifyServer(socket(true, sound), coded("CERT_REVOKED"), "example.com")).toEndWith("(CERT_REVOKED)");
    expect(verifyServer(socket(true, sound), new Error("odd\nthing"), "example.com")).toEndWith("(odd, thing)");
  });

  test("an expired issuer is not blamed on the certificate", () => {
    expect(verifyServer(socket(false, sound), coded("CERT_HAS_EXPIRED"), "example.com")).toEndWith(
      "depends on one that has expired",
    );
  });

  test("only so many names are listed", () => {
    const many = naming(Array.from({ length: 9 }, (_, i) => `DNS:n${i}.example`).join(", "));
    expect(verifyServer(socket(true, many), null, "x.example")).toEndWith("n3.example, n4.example and 4 more instead");
  });
});
