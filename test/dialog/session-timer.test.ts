/** The rules of RFC 4028, on messages as they come. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  agreedTimer,
  answerTimer,
  firstOffer,
  isUnchanged,
  leadOf,
  raisedOffer,
  readTimer,
  refreshOffer,
  screenTimer,
  supportsTimer,
  timerPolicy,
} from "../../src/dialog/session-timer.ts";
import type { Message } from "../../src/message/message.ts";
import { scanned } from "../support/layer-harness.ts";
import { parseSip, requestText, responseText } from "../support/sip-messages.ts";

const POLICY = timerPolicy({});

/** An INVITE with these header lines. */
function invite(...headers: string[]): Message {
  return scanned(requestText("INVITE", { headers })).keep();
}

/** A response to one. */
function response(status: number, ...headers: string[]): Message {
  return scanned(responseText(parseSip(requestText("INVITE")), status, { toTag: "x", headers })).keep();
}

const text = (lines: Uint8Array | undefined) => Buffer.from(lines ?? []).toString();

describe("timerPolicy", () => {
  test("its defaults are those of s4", () => {
    expect(timerPolicy({})).toEqual({ expires: 1800, minSE: 90, refresher: "auto" });
    expect(timerPolicy({ minSE: 3600 })).toEqual({ expires: 3600, minSE: 3600, refresher: "auto" });
    expect(timerPolicy({ expires: 90 }).expires).toBe(90);
  });

  test("takes no interval that the protocol has not", () => {
    for (const settings of [
      { expires: 89 },
      { minSE: 0 },
      { expires: 90.5 },
      { expires: Number.NaN },
      { expires: 2 ** 32 },
      { expires: 100, minSE: 101 },
    ]) {
      expect(() => timerPolicy(settings)).toThrow(RangeError);
    }
  });
});

describe("readTimer (s4, s5)", () => {
  test("long and compact, with and without parameters", () => {
    expect(readTimer(invite())).toEqual({ interval: -1, refresher: null, minSE: 0 });
    for (const [line, interval, refresher] of [
      ["Session-Expires: 1800", 1800, null],
      ["x: 1800", 1800, null],
      ["X:90;refresher=uac", 90, "uac"],
      ["Session-Expires: 4000 ; Refresher = UAS", 4000, "uas"],
      ["Session-Expires: 4000;a=b;refresher=uas;c", 4000, "uas"],
      ["Session-Expires: 4000;\r\n refresher=uac", 4000, "uac"],
      // A word that is neither leaves the choice open.
      ["Session-Expires: 4000;refresher=none", 4000, null],
      ["Session-Expires: 0", 0, null],
      ["Session-Expires: 0000000000000000000120", 120, null],
      ["Session-Expires: 99999999999999999999", 0xffffffff, null],
    ] as const) {
      expect([line, readTimer(invite(line))]).toEqual([line, { interval, refresher, minSE: 0 }]);
    }
    expect(readTimer(invite("Min-SE: 120;lr", "x:300"))).toEqual({ interval: 300, refresher: null, minSE: 120 });
  });

  test("names the one that cannot be read", () => {
    for (const value of ["", ";refresher=uac", "x", "-1", "1e3", "90 90", "90,90", "90;", "90;=", "90;refresher"]) {
      expect([value, readTimer(invite(`Session-Expires: ${value}`))]).toEqual([value, "Session-Expires"]);
      if (!value.includes("refresher")) {
        expect([value, readTimer(invite(`Min-SE: ${value}`))]).toEqual([value, "Min-SE"]);
      }
    }
    expect(readTimer(invite("Session-Expires: 90;refresher=uac;refresher=uas"))).toBe("Session-Expires");
    expect(readTimer(invite("Session-Expires: 90", "x: 90"))).toBe("Session-Expires");
    expect(readTimer(invite("Min-SE: 90", "Min-SE: 90"))).toBe("Min-SE");
  });

  test("whatever the value is, it is read or refused, and every rule takes it", () => {
    const piece = fc.constantFrom(
      "90",
      "1800",
      "refresher",
      "uac",
      "uas",
      ";",
      "=",
      ",",
      '"',
      "\\",
      " ",
      "<",
      "0",
      "a",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.stringMatching(/^[ -~]{1,3}$/)), { maxLength: 8 }), (pieces) => {
        const value = pieces.join("");
        const message = invite(`Session-Expires: ${value}`, `Min-SE: ${value}`, "Supported: timer");
        const fields = readTimer(message);
        const refusal = screenTimer(message, POLICY);
        const answer = answerTimer(message, POLICY, null);
        if (typeof fields === "string") expect([refusal?.status, answer]).toEqual([400, null]);
        else {
          expect(value.trim()).toMatch(/^\d/);
          if (refusal === null) expect(answer!.interval).toBeWithin(Math.max(90, fields.minSE), fields.interval + 1);
          else expect(refusal.status).toBe(422);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("screenTimer (s9)", () => {
  test("lets pass what asks for nothing, or for enough", () => {
    const policy = timerPolicy({ minSE: 300 });
    for (const headers of [
      [],
      ["Supported: timer"],
      ["Supported: timer", "Session-Expires: 300"],
      ["Supported: timer", "Session-Expires: 1800", "Min-SE: 1800"],
      ["Supported: timer", "Min-SE: 90"],
    ]) {
      expect([headers, screenTimer(invite(...headers), policy)]).toEqual([headers, null]);
    }
  });

  test("422 with the least that would do, for who supports the timer alone", () => {
    const policy = timerPolicy({ minSE: 300 });
    for (const tag of ["Supported: 100rel, timer", "k: timer", "Require: timer"]) {
      const refusal = screenTimer(invite(tag, "Session-Expires: 299"), policy)!;
      expect([refusal.status, text(refusal.headers)]).toEqual([422, "Min-SE: 300\r\n"]);
    }
    expect(screenTimer(invite("Session-Expires: 299"), policy)).toBeNull();
    expect(text(screenTimer(invite("k: timer", "x: 0"), POLICY)!.headers)).toBe("Min-SE: 90\r\n");
    // The peer contradicts itself: its own minimum is told back.
    expect(text(screenTimer(invite("k: timer", "x: 500", "Min-SE: 600"), policy)!.headers)).toBe("Min-SE: 600\r\n");
  });

  test("400 names what is malformed", () => {
    expect(screenTimer(invite("Session-Expires: soon"), POLICY)).toEqual({
      status: 400,
      reason: "Malformed Session-Expires",
    });
    expect(screenTimer(invite("Min-SE: soon"), POLICY)).toEqual({ status: 400, reason: "Malformed Min-SE" });
  });
});

describe("answerTimer (s9)", () => {
  const SUPPORTED = "Supported: timer";
  const lines = (message: Message, policy = POLICY, standing: Parameters<typeof answerTimer>[2] = null) => {
    const answer = answerTimer(message, policy, standing);
    return answer === null ? null : text(answer.lines).trimEnd().split("\r\n");
  };

  test("Table 2", () => {
    const free = (refresher: "uac" | "uas" | "auto") => timerPolicy({ refresher });
    for (const [headers, policy, refresher, isRequired] of [
      [["x: 600"], free("uac"), "uas", false],
      [["x: 600;refresher=uac"], free("uac"), "uas", false],
      [["x: 600;refresher=uas"], free("uac"), "uas", false],
      [["x: 600", SUPPORTED], free("uac"), "uac", true],
      [["x: 600", SUPPORTED], free("uas"), "uas", true],
      [["x: 600", SUPPORTED], free("auto"), "uac", true],
      [["x: 600;refresher=uac", SUPPORTED], free("uas"), "uac", true],
      [["x: 600;refresher=uas", SUPPORTED], free("uac"), "uas", true],
      // Not in the table: nothing was asked for, and this end asks.
      [[SUPPORTED], free("auto"), "uas", true],
      [[SUPPORTED], free("uac"), "uac", true],
    ] as const) {
      const interval = headers[0].startsWith("x") ? 600 : 1800;
      const wanted = [`Session-Expires: ${interval};refresher=${refresher}`, ...(isRequired ? ["Require: timer"] : [])];
      expect([headers, policy.refresher, lines(invite(...headers), policy)]).toEqual([
        headers,
        policy.refresher,
        wanted,
      ]);
    }
  });

  test("no timer with who neither asks nor can", () => {
    expect(lines(invite())).toBeNull();
    expect(lines(invite("Min-SE: 100"))).toBeNull();
    expect(lines(invite("Supported: 100rel"))).toBeNull();
  });

  test("no timer where one too short was asked for on behalf of who cannot be told", () => {
    expect(lines(invite("x: 89"))).toBeNull();
    expect(lines(invite("x: 299"), timerPolicy({ minSE: 300 }))).toBeNull();
    expect(lines(invite("x: 299", "Min-SE: 300"))).toBeNull();
    expect(lines(invite("x: 300", "Min-SE: 300"))?.[0]).toBe("Session-Expires: 300;refresher=uas");
  });

  test("the interval is never raised, and lowered to what is wanted here but not under Min-SE", () => {
    const policy = timerPolicy({ expires: 600 });
    for (const [asked, minSE, agreed] of [
      [90, 90, 90],
      [599, 90, 599],
      [7200, 90, 600],
      [7200, 600, 600],
      [7200, 601, 601],
      [7200, 7200, 7200],
    ]) {
      const message = invite(SUPPORTED, `x: ${asked}`, `Min-SE: ${minSE}`);
      expect([asked, minSE, answerTimer(message, policy, null)?.interval]).toEqual([asked, minSE, agreed]);
    }
    expect(answerTimer(invite(SUPPORTED, "Min-SE: 5000"), policy, null)?.interval).toBe(5000);
  });

  test("a refresh keeps interval and roles where it says nothing of them", () => {
    for (const isRefresher of [true, false]) {
      const standing = { interval: 400, isRefresher };
      const role = isRefresher ? "uas" : "uac";
      expect(lines(invite(SUPPORTED), POLICY, standing)?.[0]).toBe(`Session-Expires: 400;refresher=${role}`);
      expect(lines(invite(SUPPORTED, "x: 500"), POLICY, standing)?.[0]).toBe(`Session-Expires: 500;refresher=${role}`);
      const other = isRefresher ? "uac" : "uas";
      expect(lines(invite(SUPPORTED, `x: 500;refresher=${other}`), POLICY, standing)?.[0]).toEndWith(other);
    }
  });
});

describe("offers (s7.1, s7.3, s7.4)", () => {
  test("the first INVITE leaves the refresher open, unless it is set", () => {
    expect(firstOffer(POLICY).fields).toEqual({ "Session-Expires": "1800" });
    expect(firstOffer(timerPolicy({ expires: 600, refresher: "uac" })).fields).toEqual({
      "Session-Expires": "600;refresher=uac",
    });
    expect(firstOffer(timerPolicy({ minSE: 300 })).fields).toEqual({ "Session-Expires": "1800", "Min-SE": "300" });
    expect(firstOffer(POLICY, 3600).fields).toEqual({ "Session-Expires": "3600", "Min-SE": "3600" });
  });

  test("a refresh says the interval that stands, and who refreshes", () => {
    expect(refreshOffer({ interval: 600, isRefresher: true }).fields).toEqual({
      "Session-Expires": "600;refresher=uac",
    });
    expect(refreshOffer({ interval: 600, isRefresher: false }, 700).fields).toEqual({
      "Session-Expires": "700;refresher=uas",
      "Min-SE": "700",
    });
    expect(refreshOffer(null).fields).toEqual({});
    expect(refreshOffer(null, 100).fields).toEqual({ "Min-SE": "100" });
  });

  test("a 422 raises it once for each that asks for more, roles untouched", () => {
    const first = refreshOffer({ interval: 600, isRefresher: true });
    const second = raisedOffer(first, response(422, "Min-SE: 3600"))!;
    expect(second.fields).toEqual({ "Session-Expires": "3600;refresher=uac", "Min-SE": "3600" });
    expect(raisedOffer(second, response(422, "Min-SE: 4000"))?.fields).toEqual({
      "Session-Expires": "4000;refresher=uac",
      "Min-SE": "4000",
    });
    for (const headers of [["Min-SE: 3600"], ["Min-SE: 90"], [], ["Min-SE: x"], ["Min-SE: 5000", "Min-SE: 6000"]]) {
      expect([headers, raisedOffer(second, response(422, ...headers))]).toEqual([headers, null]);
    }
    expect(raisedOffer(refreshOffer(null), response(422, "Min-SE: 100"))).toBeNull();
  });
});

describe("agreedTimer (s7.2)", () => {
  const asked = firstOffer(POLICY);

  test("the 2xx says how long and who", () => {
    for (const refresher of ["uac", "uas"] as const) {
      expect(
        agreedTimer(response(200, `Session-Expires: 600;refresher=${refresher}`, "Require: timer"), asked),
      ).toEqual({ interval: 600, refresher, isAgreed: true });
    }
    // Even when nothing was asked for; and who does not say leaves it to us.
    expect(agreedTimer(response(200, "x: 600"), refreshOffer(null))).toEqual({
      interval: 600,
      refresher: "uac",
      isAgreed: true,
    });
  });

  test("one that says nothing: the timer is ours alone, or none", () => {
    for (const headers of [[], ["Session-Expires: never"]]) {
      expect(agreedTimer(response(200, ...headers), asked)).toEqual({
        interval: 1800,
        refresher: "uac",
        isAgreed: false,
      });
      expect(agreedTimer(response(200, ...headers), refreshOffer(null))).toBeNull();
    }
  });

  test("nobody makes us refresh in a rush (s11.1)", () => {
    expect(agreedTimer(response(200, "x: 1;refresher=uac"), asked)?.interval).toBe(90);
  });
});

test("the lead of the BYE is a third of the interval, 32 s at most (s10)", () => {
  expect([90, 96, 1800].map(leadOf)).toEqual([30, 32, 32]);
});

test("Supported and Require tell who can", () => {
  expect([[], ["k: timer"], ["Require: timer"], ["k: timers"]].map((lines) => supportsTimer(invite(...lines)))).toEqual(
    [false, true, true, false],
  );
});

test("an offer with the origin of the one before changes nothing (s7.4)", () => {
  const sdp = (text: string) => new TextEncoder().encode(text);
  const before = sdp("v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\n");
  expect(isUnchanged(before, before)).toBe(true);
  expect(isUnchanged(sdp("v=0\no=a 1 1 IN IP4 192.0.2.1\ns=other\n"), before)).toBe(true);
  for (const text of [
    "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\n",
    "v=0\r\ns=-\r\n",
    "",
    "o",
    "o=",
    "s=o=a 1 1 IN IP4 192.0.2.1",
  ]) {
    expect([text, isUnchanged(sdp(text), before)]).toEqual([text, false]);
  }
  expect(isUnchanged(before, null)).toBe(false);
  expect(isUnchanged(sdp("v=0\r\n"), sdp("v=0\r\n"))).toBe(false);
});
