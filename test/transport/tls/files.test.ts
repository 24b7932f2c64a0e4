import { afterAll, describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadCa, loadTls, TlsFileError } from "../../../src/transport/tls/files.ts";
import { CA_FILE, CERTIFICATES, UNTRUSTED_CA_FILE } from "../../support/certificates.ts";

const { server, renewed, chain, expired, future } = CERTIFICATES;
const folder = mkdtempSync(join(tmpdir(), "viaduct-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
function file(content: string | Uint8Array): string {
  const path = join(folder, `${++written}.pem`);
  writeFileSync(path, content);
  return path;
}

function text(path: string): string {
  return readFileSync(path, "utf8");
}

function faultOf(action: () => unknown): TlsFileError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(TlsFileError);
    return error as TlsFileError;
  }
  throw new Error("no fault was found");
}

function der(path: string): Uint8Array {
  return new X509Certificate(text(path)).raw;
}

describe("a certificate and its key", () => {
  test("are given as they stand, with the names and the end of the certificate", () => {
    const material = loadTls({ ...server, ca: [CA_FILE] })!;
    expect(new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key))).toBe(true);
    expect(material.identities).toEqual(["example.com"]);
    expect(material.notAfter).toEqual(new Date("2125-01-01T00:00:00Z"));
    expect(material.warnings).toEqual([]);
    expect(material.ca!.map((pem) => new X509Certificate(pem).subject)).toEqual(["CN=Viaduct test ca"]);
  });

  test("may be absent, then there is nothing to listen with", () => {
    expect(loadTls({})).toBeNull();
    expect(loadTls({ ca: [CA_FILE] })).toBeNull();
  });

  test("may share one file", () => {
    const both = file(text(server.privateKey) + text(server.certificate));
    const material = loadTls({ certificate: both, privateKey: both })!;
    expect(material.cert).not.toContain("PRIVATE");
    expect(material.key).not.toContain("CERTIFICATE");
  });

  test("keep the issuers that follow", () => {
    const material = loadTls(chain)!;
    expect(material.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(material.warnings).toEqual([]);
    expect(material.ca).toBeUndefined();
  });

  test("may have the key in its older form, with parameters before it", () => {
    const sec1 = createPrivateKey(text(server.privateKey)).export({ type: "sec1", format: "pem" });
    const key = file(`-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1}`);
    expect(loadTls({ ...server, privateKey: key })!.key).toStartWith("-----BEGIN EC PRIVATE KEY-----");
  });
});

describe("a file at fault is named with its fault:", () => {
  const absent = join(folder, "absent.pem");
  const garbage = file("hello\n");
  const binary = file(der(server.certificate));
  const cut = file(text(server.certificate).slice(0, 300));
  const scratched = file(text(server.certificate).replace(/^MII/m, "M!I"));
  const damaged = file(text(server.certificate).replace(/^MII.{21}/m, "MIIAAAAAAAAAAAAAAAAAAAAA"));
  const damagedKey = file("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  const request = file("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
  const plain = createPrivateKey(text(server.privateKey));
  const secret = { cipher: "aes-256-cbc", passphrase: "secret", format: "pem" } as const;
  const pkcs8 = file(plain.export({ ...secret, type: "pkcs8" }));
  const sec1 = file(plain.export({ ...secret, type: "sec1" }));
  const [leaf, intermediate] = text(chain.certificate).split(/(?<=-----END CERTIFICATE-----\n)/) as [string, string];
  const upside = file(intermediate + leaf);

  const certificates: [string, string, string][] = [
    ["not there", absent, "does not exist"],
    ["under a file", join(garbage, "x.pem"), "does not exist"],
    ["a folder", folder, "is a directory, not a PEM file"],
    ["a device", "/dev/null", "is not a regular file"],
    ["no PEM", garbage, 'holds no certificate: it has no "-----BEGIN" line, so it is not in PEM form'],
    ["binary", binary, 'holds no certificate: it has no "-----BEGIN" line, so it is not in PEM form'],
    ["empty", file(""), 'holds no certificate: it has no "-----BEGIN" line, so it is not in PEM form'],
    ["a key instead", server.privateKey, "holds a private key, not a certificate"],
    ["a request instead", request, "holds no certificate, only CERTIFICATE REQUEST"],
    ["cut short", cut, 'has a "-----BEGIN CERTIFICATE-----" without its END line'],
    ["not base64", scratched, "has a damaged CERTIFICATE block: what stands in it is not base64"],
    ["no certificate inside", damaged, "holds a damaged certificate"],
    [
      "a damaged second one",
      file(text(server.certificate) + text(damaged)),
      "holds a damaged certificate (number 2 in it)",
    ],
  ];
  test.each(certificates)("the certificate is %s", (_, certificate, expected) => {
    const fault = faultOf(() => loadTls({ ...server, certificate }));
    expect(fault).toMatchObject({ setting: "certificate", file: certificate, message: `${certificate} ${expected}` });
    expect(faultOf(() => loadCa([CA_FILE, certificate]))).toMatchObject({
      setting: "ca",
      file: certificate,
      message: `${certificate} ${expected}`,
    });
  });

  const keys: [string, string, string][] = [
    ["not there", absent, "does not exist"],
    ["a certificate instead", server.certificate, "holds a certificate, not a private key"],
    ["no PEM", garbage, 'holds no private key: it has no "-----BEGIN" line, so it is not in PEM form'],
    ["another thing", request, "holds no private key, only CERTIFICATE REQUEST"],
    ["damaged", damagedKey, "holds a private key that is damaged or of an unknown kind"],
    ["encrypted", pkcs8, "is encrypted with a passphrase; only a plain key can be used"],
    ["encrypted the older way", sec1, "is encrypted with a passphrase; only a plain key can be used"],
  ];
  test.each(keys)("the key is %s", (_, privateKey, expected) => {
    const fault = faultOf(() => loadTls({ ...server, privateKey }));
    expect(fault).toMatchObject({ setting: "private-key", file: privateKey, message: `${privateKey} ${expected}` });
  });

  test("the two do not belong together", () => {
    const fault = faultOf(() => loadTls({ ...server, privateKey: renewed.privateKey }));
    expect(fault.setting).toBe("private-key");
    expect(fault.message).toBe(
      `the private key in ${renewed.privateKey} does not belong to the certificate in ${server.certificate}`,
    );
  });

  test("the issuer comes before the certificate", () => {
    expect(faultOf(() => loadTls({ ...chain, certificate: upside })).message).toBe(
      `${upside} holds its certificates in the wrong order: number 2 has the private key in ${chain.privateKey} and must come first`,
    );
  });

  test("one is set without the other", () => {
    const { certificate, privateKey } = server;
    expect(faultOf(() => loadTls({ certificate }))).toMatchObject({
      setting: "private-key",
      message: `the certificate ${certificate} is set without its private key`,
    });
    expect(faultOf(() => loadTls({ privateKey }))).toMatchObject({
      setting: "certificate",
      message: `the private key ${privateKey} is set without its certificate`,
    });
  });

  test("the authorities are read with the rest", () => {
    expect(faultOf(() => loadTls({ ...server, ca: [absent] }))).toMatchObject({ setting: "ca", file: absent });
  });

  test("it has expired, or its time has not come", () => {
    expect(faultOf(() => loadTls(expired)).message).toBe(`${expired.certificate} expired on 2021-01-01`);
    expect(faultOf(() => loadTls(future)).message).toBe(`${future.certificate} is not valid before 2124-01-01`);
    expect(faultOf(() => loadTls(server, new Date("2125-01-01T00:00:00Z"))).message).toEndWith("expired on 2125-01-01");
    expect(loadTls(expired, new Date("2020-06-01T00:00:00Z"))).not.toBeNull();
  });

  test("the TLS library does not take it", () => {
    const { oddCurve } = CERTIFICATES;
    expect(faultOf(() => loadTls(oddCurve)).message).toStartWith(`${oddCurve.certificate} cannot be used for TLS: `);
  });

  // Root may read everything: there is nothing to be tried then.
  if (process.getuid?.() !== 0) {
    test("it may not be read", () => {
      const locked = file(text(server.privateKey));
      chmodSync(locked, 0);
      expect(faultOf(() => loadTls({ ...server, privateKey: locked })).message).toBe(
        `${locked} may not be read by this user`,
      );
    });
  }
});

describe("warnings", () => {
  function warnings(files: { certificate: string; privateKey: string }, now?: string): string[] {
    return loadTls(files, now === undefined ? undefined : new Date(now))!.warnings;
  }

  test("tell of an end that is near", () => {
    const { certificate } = server;
    expect(warnings(server, "2124-12-18T00:00:00Z")).toEqual([]);
    expect(warnings(server, "2124-12-18T00:00:01Z")).toEqual([`${certificate} expires in 13 days`]);
    expect(warnings(server, "2124-12-30T12:00:00Z")).toEqual([`${certificate} expires in 1 day`]);
    expect(warnings(server, "2124-12-31T12:00:00Z")).toEqual([`${certificate} expires in less than a day`]);
  });

  test("tell of issuers that do not belong or have expired", () => {
    const stray = file(text(server.certificate) + text(UNTRUSTED_CA_FILE));
    expect(warnings({ ...server, certificate: stray })).toEqual([
      `${stray} is out of order: certificate number 2 did not issue the one before it`,
    ]);
    const old = file(text(server.certificate) + text(expired.certificate));
    expect(warnings({ ...server, certificate: old })).toContain(`certificate number 2 in ${old} expired on 2021-01-01`);
    const complete = file(text(chain.certificate) + text(CA_FILE));
    expect(warnings({ ...chain, certificate: complete })).toEqual([]);
  });

  test("tell of a key that is too short", () => {
    const { shortKey } = CERTIFICATES;
    expect(warnings(shortKey)).toEqual([
      `${shortKey.certificate} has an RSA key of 1024 bits, which many peers refuse`,
    ]);
  });

  test("tell of a certificate that no server can be recognised by", () => {
    const { wildcard, client } = CERTIFICATES;
    expect(warnings(wildcard)).toEqual([
      `${wildcard.certificate} names no SIP domain, so peers that check (RFC 5922) will refuse it`,
    ]);
    expect(warnings(client)).toEqual([
      `${client.certificate} is not meant for servers: its extended key usage lacks serverAuth`,
    ]);
  });
});

describe("authorities", () => {
  test("come one a string, from any number of files", () => {
    const bundle = file(`# two\n${text(CA_FILE)}\n# and\n${text(UNTRUSTED_CA_FILE)}`);
    const all = loadCa([bundle, CA_FILE])!;
    expect(all.map((pem) => new X509Certificate(pem).subject)).toEqual([
      "CN=Viaduct test ca",
      "CN=Viaduct test untrusted-ca",
      "CN=Viaduct test ca",
    ]);
  });

  test("are those of the system where none is named", () => {
    expect(loadCa(undefined)).toBeUndefined();
    expect(loadCa([])).toBeUndefined();
  });
});
