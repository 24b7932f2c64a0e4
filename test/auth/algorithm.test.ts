import { describe, expect, test } from "bun:test";
import {
  ALGORITHM_NAMES,
  algorithmNumberOf,
  baseOf,
  ha1Of,
  ha2Of,
  hash,
  responseOf,
  sessionHa1Of,
  strengthOf,
  strongestFirst,
} from "../../src/auth/algorithm.ts";
import { bytesOf } from "../support/sip-text.ts";

describe("names", () => {
  test("are known in any letter case, and have no others beside them (RFC 8760 s2.7)", () => {
    for (const name of ALGORITHM_NAMES) {
      expect(algorithmNumberOf(name)).toBe(strengthOf(name));
      expect(algorithmNumberOf(name.toLowerCase())).toBe(strengthOf(name));
      expect(algorithmNumberOf(name.toUpperCase())).toBe(strengthOf(name));
    }
    for (const name of ["", "MD", "MD55", "SHA-512", "SHA256", "MD5-sess ", "AKAv1-MD5", "MD5_sess"]) {
      expect(algorithmNumberOf(name)).toBe(-1);
    }
  });

  test("the strongest comes first, a session's before its plain form", () => {
    const mixed = ["MD5", "SHA-256", "MD5-sess", "SHA-512-256", "SHA-256", "SHA-256-sess"] as const;
    expect(strongestFirst(mixed)).toEqual(["SHA-512-256", "SHA-256-sess", "SHA-256", "MD5-sess", "MD5"]);
    expect(ALGORITHM_NAMES.map(baseOf)).toEqual(["MD5", "MD5", "SHA-256", "SHA-256", "SHA-512-256", "SHA-512-256"]);
  });
});

describe("the hashes (RFC 8760 s2.2, s2.6)", () => {
  test("of nothing", () => {
    expect(hash("MD5", "")).toBe("d41d8cd98f00b204e9800998ecf8427e");
    expect(hash("SHA-256", new Uint8Array())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(hash("SHA-512-256", "")).toBe("c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a");
  });

  test("text is hashed as UTF-8", () => {
    expect(hash("SHA-256", "J\u00e4s\u00f8n")).toBe(hash("SHA-256", bytesOf("J\xc3\xa4s\xc3\xb8n")));
  });
});

describe("the response", () => {
  const nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
  const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
  const input = { nonce, cnonce, nc: "00000001", qop: "auth" } as const;

  test("of RFC 7616 s3.9.1 with MD5 and SHA-256", () => {
    const responses = (["MD5", "SHA-256"] as const).map((algorithm) => {
      const ha1 = ha1Of(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
      return responseOf(algorithm, ha1, input, ha2Of(algorithm, "GET", "/dir/index.html"));
    });
    expect(responses).toEqual([
      "8ca523f5e9506fed4657c9700eebdbec",
      "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    ]);
  });

  test("of RFC 2617 s3.5", () => {
    const ha1 = ha1Of("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life");
    expect(ha1).toBe("939e7578ed9e3c518a452acee763bce9");
    const ha2 = ha2Of("MD5", "GET", "/dir/index.html");
    expect(ha2).toBe("39aff3a2bab6126f332b942af96d3366");
    const of2617 = {
      nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
      cnonce: "0a4f113b",
      nc: "00000001",
      qop: "auth",
    } as const;
    expect(responseOf("MD5", ha1, of2617, ha2)).toBe("6629fae49393a05397450978507c4ef1");
  });

  test("without qop neither nc nor cnonce is hashed (RFC 2617 s3.2.2.1)", () => {
    const ha1 = ha1Of("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life");
    const ha2 = ha2Of("MD5", "GET", "/dir/index.html");
    const bare = responseOf("MD5", ha1, { nonce, cnonce, nc: "00000001" }, ha2);
    expect(bare).toBe(hash("MD5", `${ha1}:${nonce}:${ha2}`));
    expect(responseOf("MD5", ha1, { nonce }, ha2)).toBe(bare);
  });

  test("auth-int covers the body, none being an empty one (RFC 8760 s2.6)", () => {
    const empty = ha2Of("SHA-256", "REGISTER", "sip:example.com", new Uint8Array());
    const ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    expect(empty).toBe(hash("SHA-256", `REGISTER:sip:example.com:${ofNothing}`));
    expect(ha2Of("SHA-256", "REGISTER", "sip:example.com", bytesOf("x"))).not.toBe(empty);
  });

  test("a session's key is made of H(A1), nonce and cnonce (RFC 7616 s3.4.2)", () => {
    const ha1 = ha1Of("MD5", "bob", "example.com", "secret");
    expect(sessionHa1Of("MD5", ha1, "n", "c")).toBe(hash("MD5", `${ha1}:n:c`));
  });
});
