import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../../src/message/bytes.ts";
import { findUriParam, Uri } from "../../src/message/uri.ts";
import {
  scanUri,
  URI_HEADERS_START,
  URI_HOST_END,
  URI_HOST_START,
  URI_PARAMS_END,
  URI_PARAMS_START,
  URI_PASSWORD_END,
  URI_PASSWORD_START,
  URI_PORT,
  URI_SCHEME,
  URI_SIZE,
  URI_USER_END,
  URI_USER_START,
  UriResult,
} from "../../src/message/uri-scan.ts";

const out = new Int32Array(URI_SIZE);

function scan(text: string): UriResult {
  const bytes = ascii(text);
  return scanUri(bytes, 0, bytes.length, out);
}

function good(text: string): Uri {
  const uri = Uri.parse(text);
  if (!uri) throw new Error(`refused: ${text}`);
  return uri;
}

describe("scanUri", () => {
  test("takes the examples of RFC 3261 s19.1.3", () => {
    for (const text of [
      "sip:alice@atlanta.com",
      "sip:alice:secretword@atlanta.com;transport=tcp",
      "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
      "sip:+1-212-555-1212:1234@gateway.com;user=phone",
      "sips:1212@gateway.com",
      "sip:alice@192.0.2.4",
      "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
      "sip:alice;day=tuesday@atlanta.com",
    ]) {
      expect([text, scan(text)]).toEqual([text, UriResult.OK]);
    }
  });

  test("takes an underscore in a host name: the grammar has none, names inside many networks do", () => {
    for (const text of ["sip:a@b_c", "sip:sip_proxy.example.com:5070", "sip:a@_sip.example.com"]) {
      expect([text, scan(text)]).toEqual([text, UriResult.OK]);
    }
    expect(good("sip:a@My_Host;lr").host).toBe("my_host");
  });

  test("says where each part lies, inside a longer buffer", () => {
    const text = "sips:alice:pw@[2001:db8::1]:5061;lr;transport=tcp?to=x";
    const bytes = ascii(`INVITE ${text} SIP/2.0`);
    expect(scanUri(bytes, 7, 7 + text.length, out)).toBe(UriResult.OK);
    const part = (start: number, end: number) => new TextDecoder().decode(bytes.subarray(out[start]!, out[end]!));
    expect(out[URI_SCHEME]).toBe(2);
    expect(part(URI_USER_START, URI_USER_END)).toBe("alice");
    expect(part(URI_PASSWORD_START, URI_PASSWORD_END)).toBe("pw");
    expect(part(URI_HOST_START, URI_HOST_END)).toBe("[2001:db8::1]");
    expect(out[URI_PORT]).toBe(5061);
    expect(part(URI_PARAMS_START, URI_PARAMS_END)).toBe(";lr;transport=tcp");
    expect(bytes[out[URI_HEADERS_START]!]).toBe(0x3f);
  });

  test("says -1 for each part that is not there, whatever was there before", () => {
    scan("sip:a:b@c.d:1;e?f=g");
    scan("sip:c.d");
    expect([...out]).toEqual([1, -1, -1, -1, -1, 4, 7, -1, -1, -1, -1, -1]);
    scan("sip:a:b@c.d:1;e?f=g");
    scan("tel:+1");
    expect([...out]).toEqual([3, 4, 6, -1, -1, -1, -1, -1, -1, -1, -1, -1]);
  });

  test("takes what the torture messages of RFC 4475 and RFC 5118 hold to be valid", () => {
    for (const text of [
      "sip:null-%00-null@example.com",
      "sip:%00%00@host5.example.com",
      "sip:sips%3Auser%40example.com@example.net",
      "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31",
      "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
      "sip:user;par=u%40example.net@example.com",
      "sip:user@example.com?Route=%3Csip:example.com%3E",
      "sip:vivekg@chair-dnrc.example.com;unknownparam",
      "sip:services.example.com;lr;unknownwith=value;unknown-no-value",
      "sip:user@[2001:db8:::192.0.2.1]",
      "sip:user@[2001:db8::192.0.2.1]",
      "sip:ted@[::ffff:192.0.2.2]",
    ]) {
      expect([text, scan(text)]).toEqual([text, UriResult.OK]);
    }
  });

  test("an address in brackets keeps all that looks like a port (RFC 5118 s4.3)", () => {
    const inside = good("sip:[2001:db8::10:5070]");
    expect([inside.host, inside.port]).toEqual(["[2001:db8::10:5070]", undefined]);
    const outside = good("sip:[2001:db8::10]:5070");
    expect([outside.host, outside.port]).toEqual(["[2001:db8::10]", 5070]);
  });

  test("knows a URI of another scheme from rubbish", () => {
    for (const text of [
      "nobodyKnowsThisScheme:totallyopaquecontent",
      "soap.beep://192.0.2.103:3002",
      "isbn:2983792873",
      "name:John_Smith",
      "http://[2001:db8::1]/index.html?a=b",
      "urn:service:sos",
      "mailto:a@b",
      "si:p",
      "sipx:a@b",
      "six:ab",
      "xip:ab",
      "tex:ab",
      "a:b",
    ]) {
      expect([text, scan(text)]).toEqual([text, UriResult.UNKNOWN_SCHEME]);
    }
    for (const text of [
      "",
      ":",
      "a",
      "a:",
      "http",
      "1a:b",
      "a b:c",
      "a:b c",
      "a:b%2",
      "a:<b>",
      "a:<",
      "a:<b",
      "a:b#c",
      "a_b:c",
      "a:\u00e9",
    ]) {
      expect([text, scan(text)]).toEqual([text, UriResult.BAD]);
    }
  });

  test("refuses what the grammar refuses", () => {
    for (const text of [
      "sip:",
      "sips:",
      "sip:@example.com",
      "sip::pw@example.com",
      "sip:a@",
      "sip:a@b@c",
      "sip:a b@c",
      "sip:%4@b",
      "sip:%zz@b",
      "sip:a%",
      "sip:\u00e9@b",
      "sip:a\0@b",
      "<sip:user@example.com>",
      " sip:user@example.com",
      "sip:user@example.com ",
      "sip:user@example.com; lr",
      "sip: user@example.com",
      "sip:2001:db8::10",
      "sip:[2001:db8::10",
      "sip:[]",
      "sip:[1:2]",
      "sip:[fe80::1%25eth0]",
      "sip:[::g]",
      "sip:a@444.555.666.777",
      "sip:a@1.2.3",
      "sip:a@1.2.3.4.5",
      "sip:a@1.2.3.04",
      "sip:a@.b",
      "sip:a@b..c",
      "sip:a@-b",
      "sip:a@b-",
      "sip:a@b-.c",
      "sip:a@b.1",
      "sip:a@b%63",
      "sip:a@b:",
      "sip:a@b:65536",
      "sip:a@b:99999999999999999999",
      "sip:a@b:5060x",
      "sip:a@b:-1",
      "sip:a@b;",
      "sip:a@b;;lr",
      "sip:a@b;=c",
      "sip:a@b;c=",
      "sip:a@b;c=d=e",
      'sip:a@b;c="d"',
      "sip:a@b;c=d@e",
      "sip:a@b;c=d,e",
      "sip:a@b;c`=d",
      "sip:a@b;c=d`",
      "sip:a@b?",
      "sip:a@b?c",
      "sip:a@b?=c",
      "sip:a@b?c=d&",
      "sip:a@b?c=d&&e=f",
      "sip:a@b?c=d;e",
      "sip:a@b/c",
      "sip:a@b#c",
      "tel:1",
      "tel:1;phone-context=a;phone-context=a",
      "tel:+1;ext=1;isub=1",
      "tel:+1;x=%",
    ]) {
      expect([text, scan(text)]).toEqual([text, UriResult.BAD]);
    }
  });

  test("takes the corners of the grammar", () => {
    for (const text of [
      "SIP:a@b",
      "SiPs:b",
      "sip:a:@b",
      "sip:a@b.",
      "sip:a@3com.com",
      "sip:a@1.2.3.4.e5",
      "sip:a@255.255.255.255:0",
      "sip:a@b:65535",
      "sip:a@b:005060",
      "sip:a--b.c--d",
      "sip:a:5060;c=d:e",
      "sip:b;c=d:e",
      "sip:;@b",
      "sip:a@b;method=!x`%y;lr",
      "sip:a@b;Transport=%`?c=d",
      "sip:a@b;user=`",
      "sip:a@b?c=",
      "sip:a@b?c=d?e/f:g",
    ]) {
      expect([text, scan(text)]).toEqual([text, UriResult.OK]);
    }
  });

  test("takes a hostile buffer of any octets and never reads past its end", () => {
    const pieces = fc.constantFrom(
      ..."sip:",
      ..."@;=?&%[].-:+",
      "sip:",
      "sips:",
      "tel:",
      "%41",
      "[::1]",
      "1.2.3.4",
      ";lr",
    );
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 16 }).map((parts) => ascii(parts.join(""))),
    );
    fc.assert(
      fc.property(hostile, fc.constantFrom(...ascii("1a;:@?&=%.]`")), (bytes, around) => {
        const longer = new Uint8Array(bytes.length + 40).fill(around);
        longer.set(bytes, 20);
        const inside = new Int32Array(URI_SIZE);
        const result = scanUri(bytes, 0, bytes.length, out);
        expect(scanUri(longer, 20, 20 + bytes.length, inside)).toBe(result);
        if (result === UriResult.BAD) return;
        for (let slot = 1; slot < URI_SIZE; slot++) {
          expect(inside[slot]).toBe(slot === URI_PORT || out[slot] === -1 ? out[slot]! : out[slot]! + 20);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("judges a range by what is in it, wherever it is cut", () => {
    for (const text of [
      "sips:al%41ice:p%41w@[2001:db8::1]:5061;lr;transport=t`%x;x=%41;y?to=%41b&c=d",
      "sip:a.b-c.example.com.:5060;maddr=1.2.3.4;user=phone",
      "sip:192.0.2.111:50",
      "tel:+1-2;ext=12;phone-context=+1;isub=a?b%41;x;y=%41",
      "tel:1a#;phone-context=a.b-c.com.;x",
      "soap.b+e-ep://a%41b",
    ]) {
      const bytes = ascii(text);
      for (let end = 0; end <= bytes.length; end++) {
        const cut = scanUri(bytes, 0, end, out);
        const parts = [...out];
        expect([text.slice(0, end), cut]).toEqual([text.slice(0, end), scanUri(bytes.slice(0, end), 0, end, out)]);
        if (cut !== UriResult.BAD) expect(parts).toEqual([...out]);
      }
    }
  });

  test("takes every URI that the grammar makes, and finds its parts again", () => {
    const text = (alphabet: string, min: number) =>
      fc
        .array(fc.oneof(fc.constantFrom(...alphabet), fc.constantFrom("%00", "%aF", "%40")), {
          minLength: min,
          maxLength: 8,
        })
        .map((parts) => parts.join(""));
    const unreserved = "azAZ09-_.!~*'()";
    const host = fc.constantFrom("a", "a.b-c.d9", "EXAMPLE.com.", "1.2.3.4", "[::1]", "[2001:db8::192.0.2.1]");
    const param = fc.tuple(text(`${unreserved}[]/:&+$`, 1), fc.option(text(`${unreserved}[]/:&+$`, 1)));
    const header = fc.tuple(text(`${unreserved}[]/?:+$`, 1), text(`${unreserved}[]/?:+$`, 0));
    fc.assert(
      fc.property(
        fc.constantFrom("sip", "sips", "SIP"),
        fc.option(text(`${unreserved}&=+$,;?/`, 1)),
        fc.option(text(`${unreserved}&=+$,`, 0)),
        host,
        fc.option(fc.integer({ min: 0, max: 65535 })),
        fc.array(param, { maxLength: 4 }),
        fc.array(header, { maxLength: 3 }),
        (scheme, user, password, host, port, params, headers) => {
          const secret = password === null ? "" : `:${password}`;
          const tail = params.map(([name, value]) => (value === null ? `;${name}` : `;${name}=${value}`)).join("");
          const question = headers.length > 0 ? `?${headers.map((pair) => pair.join("=")).join("&")}` : "";
          const whole = `${scheme}:${user === null ? "" : `${user}${secret}@`}${host}${port === null ? "" : `:${port}`}${tail}${question}`;
          const uri = good(whole);
          expect(uri.toString()).toBe(whole);
          expect(uri.scheme).toBe(scheme.toLowerCase());
          expect(uri.rawUser ?? null).toBe(user);
          expect(uri.password !== undefined).toBe(user !== null && password !== null);
          expect(uri.host).toBe(host.toLowerCase());
          expect(uri.port ?? null).toBe(port);
          expect([...uri.params].length).toBe(params.length);
          expect([...uri.headers].length).toBe(headers.length);
          for (const [name] of params) expect(uri.params.has(unescapedName(name))).toBe(true);
          expect(good(uri.with({}).toString()).toString()).toBe(whole.replace(/^SIP/, "sip"));
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** A parameter's name as its readers see it: escapes undone, and what is no UTF-8 as the class says. */
function unescapedName(text: string): string {
  return good(`sip:${text.replace(/[[\]:]/g, (c) => encodeURIComponent(c))}@b`).user!;
}

describe("Uri", () => {
  test("undoes escapes once (RFC 4475 s3.1.1.3)", () => {
    expect(good("sip:%75se%72@example.com").user).toBe("user");
    expect(good("sip:sips%3Auser%40example.com@example.net").user).toBe("sips:user@example.com");
    expect(good("sip:I%20have%20spaces@example.net").user).toBe("I have spaces");
    const contact = good("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
    expect(contact.lr).toBe(true);
    expect(contact.params.get("name")).toBe("value%41");
    expect(contact.params.raw("NAME")).toBe("v%61lue%25%34%31");
    expect([...contact.params]).toEqual([
      ["lr", ""],
      ["name", "value%41"],
    ]);
  });

  test("keeps a NUL, and keeps users apart that differ in octets", () => {
    expect(good("sip:null-%00-null@example.com").user).toBe("null-\0-null");
    expect(good("sip:%D0%B4@b").user).toBe("д");
    const users = ["%FF", "%25FF", "%FE", "%ef%bf%bd", "%C3%BF", "%ED%B3%BF"].map((user) => good(`sip:${user}@b`).user);
    expect(new Set(users).size).toBe(users.length);
    for (const user of users) expect(good("sip:a@b").with({ user: user! }).user).toBe(user);
  });

  test("semiuri: what looks like a parameter may be the user's", () => {
    const uri = good("sip:user;par=u%40example.net@example.com");
    expect(uri.user).toBe("user;par=u@example.net");
    expect(uri.params.has("par")).toBe(false);
  });

  test("reads the parameters that SIP knows", () => {
    const uri = good("sip:example.com;Transport=TCP;MADDR=239.255.255.1;ttl=15;method=REGISTER;lr=on");
    expect([uri.transport, uri.maddr, uri.ttl, uri.method, uri.lr]).toEqual([
      "tcp",
      "239.255.255.1",
      15,
      "REGISTER",
      true,
    ]);
    const bare = good("sip:lr@lr.example.com;lrx;xlr;l;ttl=256;x=lr");
    expect([bare.transport, bare.maddr, bare.ttl, bare.method, bare.lr]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      false,
    ]);
  });

  test("gives headers for a request", () => {
    const uri = good("sips:alice@atlanta.com?subject=project%20x&Priority=urgent&body=");
    expect(uri.headers.get("Subject")).toBe("project x");
    expect([...uri.headers.entries()]).toEqual([
      ["subject", "project x"],
      ["priority", "urgent"],
      ["body", ""],
    ]);
    expect(uri.params.get("subject")).toBeUndefined();
  });

  test("the host is in lower case, the text as it came", () => {
    const uri = good("sip:Bob@Example.COM");
    expect(uri.host).toBe("example.com");
    expect(uri.user).toBe("Bob");
    expect(JSON.stringify({ uri })).toBe('{"uri":"sip:Bob@Example.COM"}');
  });

  test("of another scheme has a scheme and its text", () => {
    const uri = good("Soap.Beep://192.0.2.103:3002");
    expect([uri.scheme, uri.host, uri.user, uri.port]).toEqual(["soap.beep", "", undefined, undefined]);
    expect([...uri.params]).toEqual([]);
    expect(uri.toString()).toBe("Soap.Beep://192.0.2.103:3002");
  });

  test("owns its octets", () => {
    const bytes = ascii("x sip:a@b y");
    const uri = Uri.parse(bytes, 2, 9)!;
    bytes.fill(0);
    expect(uri.toString()).toBe("sip:a@b");
  });

  test("with() changes what it is told and nothing else", () => {
    const uri = good("sip:al%69ce:pw@example.com:5060;transport=tcp;x=%41?subject=hi");
    const original = uri.toString();
    expect(uri.with({ port: null }).toString()).toBe("sip:al%69ce:pw@example.com;transport=tcp;x=%41?subject=hi");
    expect(uri.with({ user: null, headers: null }).toString()).toBe("sip:example.com:5060;transport=tcp;x=%41");
    expect(uri.with({ params: { TRANSPORT: "udp", lr: true }, headers: { subject: null } }).toString()).toBe(
      "sip:al%69ce:pw@example.com:5060;x=%41;TRANSPORT=udp;lr",
    );
    expect(uri.with({ scheme: "sips", host: "[::1]", password: null, params: null }).toString()).toBe(
      "sips:al%69ce@[::1]:5060?subject=hi",
    );
    expect(uri.toString()).toBe(original);
  });

  test("with() escapes what a part may not hold", () => {
    const uri = Uri.from({ host: "b", user: "a@b:c d%é", params: { "x;": "y=?z" }, headers: { to: "<sip:a&b>" } });
    expect(uri.toString()).toBe("sip:a%40b%3Ac%20d%25%C3%A9@b;x%3B=y%3D%3Fz?to=%3Csip:a%26b%3E");
    expect(uri.user).toBe("a@b:c d%é");
    expect(uri.params.get("x;")).toBe("y=?z");
    expect(uri.headers.get("to")).toBe("<sip:a&b>");
  });

  test("with() makes no URI that says something else than asked", () => {
    const uri = good("sip:a@b");
    for (const changes of [
      { host: "c@d" },
      { host: "c:5060" },
      { host: "c;lr" },
      { host: "c?x=y" },
      { host: "c d" },
      { host: "" },
      { user: "" },
      { port: 65536 },
      { port: 1.5 },
      { port: -1 },
      { params: { "": "x" } },
    ]) {
      expect(() => uri.with(changes)).toThrow(TypeError);
    }
    expect(() => good("tel:+1").with({ host: "b" })).toThrow(TypeError);
  });

  test("what from() was given comes back, whatever it is", () => {
    const name = fc.string({ minLength: 1, unit: "binary" });
    fc.assert(
      fc.property(name, fc.string({ unit: "binary" }), name, name, (user, password, key, value) => {
        const uri = Uri.from({ host: "b", user, password, params: { [key]: value }, headers: { [key]: value } });
        expect([uri.user, uri.password]).toEqual([user, password]);
        expect(uri.params.get(key)).toBe(value);
        expect(uri.headers.get(key)).toBe(value);
      }),
    );
  });
});

describe("findUriParam", () => {
  test("finds a name whole, whatever its case and escapes, and never in a value", () => {
    const bytes = ascii(";xlr;lrx;a=lr;%4Cr=1");
    expect(findUriParam(bytes, 0, bytes.length, ascii("lr"))).toBe(18);
    expect(findUriParam(bytes, 0, 13, ascii("lr"))).toBe(-1);
    expect(findUriParam(bytes, -1, -1, ascii("lr"))).toBe(-1);
  });
});
