import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HEADER_IDS, Header, headerIdOf } from "../../src/message/header.ts";

/** Long and compact names as RFC 3261 s20 and the RFCs that added some write them. */
const WRITTEN: Readonly<Record<keyof typeof Header, readonly string[]>> = {
  Other: [],
  Via: ["Via", "v"],
  From: ["From", "f"],
  To: ["To", "t"],
  CallId: ["Call-ID", "i"],
  CSeq: ["CSeq"],
  Contact: ["Contact", "m"],
  MaxForwards: ["Max-Forwards"],
  ContentLength: ["Content-Length", "l"],
  ContentType: ["Content-Type", "c"],
  Route: ["Route"],
  RecordRoute: ["Record-Route"],
  Require: ["Require"],
  ProxyRequire: ["Proxy-Require"],
  Supported: ["Supported", "k"],
  Unsupported: ["Unsupported"],
  Allow: ["Allow"],
  Accept: ["Accept"],
  Expires: ["Expires"],
  Date: ["Date"],
  Timestamp: ["Timestamp"],
  UserAgent: ["User-Agent"],
  Server: ["Server"],
  Subject: ["Subject", "s"],
  ContentDisposition: ["Content-Disposition"],
  ContentEncoding: ["Content-Encoding", "e"],
  AcceptEncoding: ["Accept-Encoding"],
  Authorization: ["Authorization"],
  ProxyAuthorization: ["Proxy-Authorization"],
  WwwAuthenticate: ["WWW-Authenticate"],
  ProxyAuthenticate: ["Proxy-Authenticate"],
  RetryAfter: ["Retry-After"],
  Warning: ["Warning"],
  MinExpires: ["Min-Expires"],
  Event: ["Event", "o"],
  AllowEvents: ["Allow-Events", "u"],
  SubscriptionState: ["Subscription-State"],
  ReferTo: ["Refer-To", "r"],
  ReferredBy: ["Referred-By", "b"],
  Replaces: ["Replaces"],
  RSeq: ["RSeq"],
  RAck: ["RAck"],
  SessionExpires: ["Session-Expires", "x"],
  MinSE: ["Min-SE"],
  Reason: ["Reason"],
  SipEtag: ["SIP-ETag"],
  SipIfMatch: ["SIP-If-Match"],
  Path: ["Path"],
  ServiceRoute: ["Service-Route"],
  Privacy: ["Privacy"],
  PAssertedIdentity: ["P-Asserted-Identity"],
  MimeVersion: ["MIME-Version"],
};
const ALL = Object.entries(WRITTEN).flatMap(([key, names]) =>
  names.map((name) => [key as keyof typeof Header, name] as const),
);

describe("headerIdOf", () => {
  test("finds every name, long and compact, in any case", () => {
    for (const [key, name] of ALL) {
      for (const form of [name, name.toLowerCase(), name.toUpperCase()]) {
        expect([form, headerIdOf(form)]).toEqual([form, Header[key]]);
      }
    }
  });

  test("every number has a name, and no two have the same number", () => {
    const numbers = Object.values(Header);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.max(...numbers)).toBe(HEADER_IDS - 1);
    expect(new Set(ALL.map(([key]) => key)).size).toBe(HEADER_IDS - 1);
  });

  test("every other name is Other", () => {
    const known = new Set(ALL.map(([, name]) => name.toLowerCase()));
    for (const name of ["", "a", "Vi", "Viaa", "Content", "Content_Length", "C%6Fntact", "Call-I", "X-Via", "\u212a"]) {
      expect([name, headerIdOf(name)]).toEqual([name, Header.Other]);
    }
    const near = fc
      .tuple(fc.constantFrom(...ALL.map(([, name]) => name)), fc.nat(20), fc.stringMatching(/^[a-z\-.!]?$/))
      .map(([name, at, other]) => name.slice(0, at % name.length) + other + name.slice((at % name.length) + 1));
    fc.assert(
      fc.property(fc.oneof(near, fc.stringMatching(/^[a-zA-Z0-9\-.!%*_+`'~]{1,20}$/)), (name) => {
        fc.pre(!known.has(name.toLowerCase()));
        expect(headerIdOf(name)).toBe(Header.Other);
      }),
    );
  });
});
