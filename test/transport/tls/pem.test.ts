import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isCertificate, isPrivateKey, PemFault, pemBlocks } from "../../../src/transport/tls/pem.ts";

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAECAwQF\nBgcI\n-----END CERTIFICATE-----\n";

function faultOf(text: string): string {
  try {
    pemBlocks(text);
  } catch (error) {
    expect(error).toBeInstanceOf(PemFault);
    return (error as PemFault).message;
  }
  throw new Error("no fault was found");
}

describe("PEM blocks", () => {
  test("explanations between blocks, CRLF, a byte order mark and blanks at line ends are no matter", () => {
    const blocks = pemBlocks(
      `\ufeffBag Attributes: none\r\n${CERTIFICATE.replaceAll("\n", " \r\n")}text\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----`,
    );
    expect(blocks.map((block) => block.label)).toEqual(["CERTIFICATE", "PRIVATE KEY"]);
    expect(blocks[0]!.text).toBe("-----BEGIN CERTIFICATE-----\nAAECAwQFBgcI\n-----END CERTIFICATE-----\n");
    expect(blocks.map(isCertificate)).toEqual([true, false]);
    expect(blocks.map(isPrivateKey)).toEqual([false, true]);
    expect(blocks.map((block) => block.isEncrypted)).toEqual([false, false]);
  });

  test("lines are broken at 64 characters", () => {
    const [block] = pemBlocks(`-----BEGIN X-----\n${"A".repeat(132)}\n-----END X-----\n`);
    expect(block!.text.split("\n").map((line) => line.length)).toEqual([17, 64, 64, 4, 15, 0]);
  });

  test("both ways to encrypt a key are seen", () => {
    const old =
      "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,07\n\nAAAA\n-----END EC PRIVATE KEY-----";
    expect(pemBlocks(old)[0]!.isEncrypted).toBe(true);
    expect(pemBlocks(pemBlocks(old)[0]!.text)).toEqual(pemBlocks(old));
    const recent = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    expect(pemBlocks(recent)[0]!.isEncrypted).toBe(true);
  });

  const faults: [string, string, string][] = [
    ["an end that is missing", CERTIFICATE.slice(0, 40), 'has a "-----BEGIN CERTIFICATE-----" without its END line'],
    [
      "an end missing before the next block",
      CERTIFICATE.slice(0, 37) + CERTIFICATE,
      'has a "-----BEGIN CERTIFICATE-----" without',
    ],
    ["a begin that is missing", CERTIFICATE.slice(28), 'has an "-----END CERTIFICATE-----" without its BEGIN line'],
    [
      "another block's end",
      CERTIFICATE.replace("END CERTIFICATE", "END PRIVATE KEY"),
      "begins as CERTIFICATE and ends as PRIVATE KEY",
    ],
    ["a character that is not base64", CERTIFICATE.replace("AwQ", "A*Q"), "damaged CERTIFICATE block"],
    ["a lost character", CERTIFICATE.replace("AwQ", "AQ"), "damaged CERTIFICATE block"],
    ["padding in the middle", CERTIFICATE.replace("AwQF", "Aw=="), "damaged CERTIFICATE block"],
    ["nothing inside", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "empty CERTIFICATE block"],
  ];
  test.each(faults)("%s is told", (_, text, expected) => {
    expect(faultOf(text)).toContain(expected);
  });

  test("any text gives blocks or a fault", () => {
    const line = fc.constantFrom(
      "-----BEGIN A-----",
      "-----END A-----",
      "-----BEGIN B-----",
      "AAAA",
      "=",
      "",
      "k: v",
      "-----",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 8 }), (lines) => {
        const text = lines.join("\n");
        try {
          const blocks = pemBlocks(text);
          expect(blocks.length).toBe(
            text.split("\n").filter((each) => /^-----BEGIN .*-----$/.test(each.trim())).length,
          );
          expect(pemBlocks(blocks.map((block) => block.text).join(""))).toEqual(blocks);
        } catch (error) {
          if (!(error instanceof PemFault)) throw error;
        }
      }),
    );
  });
});
