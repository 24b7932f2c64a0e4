/** Whose turn it is to offer and to answer: RFC 3264, RFC 3261 s13.2.1, RFC 3311 s5. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { descriptionOf, type Exchange, ownDescription, Session, type Side } from "../../src/dialog/offer-answer.ts";
import { has100rel, rackOf, rseqOf } from "../../src/dialog/rack.ts";
import { ascii } from "../../src/message/bytes.ts";
import { Header } from "../../src/message/header.ts";
import { scanned } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

const text = (octets: Uint8Array | null) => (octets === null ? null : Buffer.from(octets).toString());
const brief = (session: Session) => [session.state, session.turn, text(session.local), text(session.remote)];
const A = ascii("a");
const B = ascii("b");
const C = ascii("c");

describe("an exchange", () => {
  test("offer in the INVITE, answer in its response", () => {
    const session = new Session();
    expect(brief(session)).toEqual(["none", null, null, null]);
    session.begin("INVITE", "remote", A);
    expect(brief(session)).toEqual(["remote-offer", "local", null, null]);
    expect(text(session.offer)).toBe("a");
    expect(session.say("INVITE", "local", B)).toBe("answer");
    expect(brief(session)).toEqual(["stable", null, "b", "a"]);
    expect(session.offer).toBeNull();
  });

  test("INVITE without an offer: the other side offers, and the first one answers", () => {
    const session = new Session();
    session.begin("INVITE", "local", null);
    expect(brief(session)).toEqual(["none", "remote", null, null]);
    expect(session.isAsked).toBe(true);
    expect(session.say("INVITE", "local", C)).toBeNull();
    expect(session.say("INVITE", "remote", A)).toBe("offer");
    expect(brief(session)).toEqual(["remote-offer", "local", null, null]);
    expect(session.isAsked).toBe(false);
    expect(session.say("INVITE", "local", B)).toBe("answer");
    expect(brief(session)).toEqual(["stable", null, "b", "a"]);
  });

  test("what follows the answer counts for nothing", () => {
    const session = new Session();
    session.begin("INVITE", "local", A);
    session.say("INVITE", "remote", B);
    expect(session.say("INVITE", "remote", C)).toBeNull();
    expect(session.say("INVITE", "remote", null)).toBeNull();
    expect(brief(session)).toEqual(["stable", null, "a", "b"]);
  });

  test("is refused while another one is open, whoever's turn it is", () => {
    for (const side of ["local", "remote"] as const) {
      for (const offer of [A, null]) {
        const session = new Session();
        session.begin("INVITE", side, offer);
        expect(() => session.begin("UPDATE", "local", B)).toThrow("under way");
        expect(() => session.begin("UPDATE", "remote", B)).toThrow("under way");
      }
    }
  });

  test("that fails leaves everything as it was", () => {
    const session = new Session();
    session.begin("INVITE", "remote", A);
    session.say("INVITE", "local", B);
    session.begin("UPDATE", "local", C);
    expect(session.state).toBe("local-offer");
    session.end("INVITE", "failed");
    expect(session.state).toBe("local-offer");
    session.end("UPDATE", "failed");
    expect(brief(session)).toEqual(["stable", null, "b", "a"]);
  });

  test("that is never answered says so, and another one may begin", () => {
    const session = new Session();
    session.begin("INVITE", "remote", A);
    session.say("INVITE", "local", null);
    expect(brief(session)).toEqual(["unanswered", null, null, null]);
    session.begin("UPDATE", "remote", B);
    session.say("UPDATE", "local", C);
    expect(brief(session)).toEqual(["stable", null, "c", "b"]);
  });

  test("an INVITE in which nobody offers leaves everything as it was", () => {
    const session = new Session();
    session.begin("INVITE", "remote", null);
    session.say("INVITE", "local", null);
    expect(brief(session)).toEqual(["none", null, null, null]);
  });

  test("whatever happens, one offer is open at most, and both sides or neither have a description", () => {
    const side = fc.constantFrom<Side>("local", "remote");
    const exchange = fc.constantFrom<Exchange>("INVITE", "PRACK", "UPDATE");
    const body = fc.option(fc.constantFrom(A, B, C), { nil: null });
    const steps = fc.array(fc.tuple(fc.constantFrom("begin", "say", "failed", "unanswered"), exchange, side, body));
    fc.assert(
      fc.property(steps, (all) => {
        const session = new Session();
        for (const [what, by, who, description] of all) {
          const before = brief(session);
          const { turn } = session;
          if (what === "begin") {
            if (turn === null) session.begin(by, who, description);
            else expect(() => session.begin(by, who, description)).toThrow();
          } else if (what === "say") session.say(by, who, description);
          else session.end(by, what as "failed" | "unanswered");
          expect(session.local === null).toBe(session.remote === null);
          expect(session.state.endsWith("offer")).toBe(session.offer !== null);
          if (session.offer !== null) {
            expect(session.turn).toBe(session.state === "local-offer" ? "remote" : "local");
          }
          // Nobody but the one whose turn it is changes what was agreed.
          if (what === "say" && turn !== who) expect(brief(session)).toEqual(before);
        }
      }),
    );
  });
});

describe("the description in a message", () => {
  const found = (headers: readonly string[], body = "v=0\r\n", contentType: string | null = "application/sdp") =>
    text(descriptionOf(scanned(requestText("INVITE", { headers, body, contentType }))));

  test("is its body, when that is SDP for the session", () => {
    expect(found([])).toBe("v=0\r\n");
    expect(found([], "v=0\r\n", "Application/SDP;charset=utf-8")).toBe("v=0\r\n");
    expect(found([], "v=0\r\n", null)).toBe("v=0\r\n");
    expect(found(["Content-Disposition: Session;handling=optional"])).toBe("v=0\r\n");
  });

  test("is none where there is no body, another type, or another disposition", () => {
    expect(found([], "", null)).toBeNull();
    expect(found([], "hello", "text/plain")).toBeNull();
    expect(found([], "v=0\r\n", "application/sdpx")).toBeNull();
    expect(found(["Content-Disposition: early-session"])).toBeNull();
    expect(found(["Content-Disposition: sessions"])).toBeNull();
  });

  test("of ours is a copy", () => {
    const body = ascii("v=0");
    const kept = ownDescription({ body })!;
    body[0] = 0;
    expect(text(kept)).toBe("v=0");
    expect(text(ownDescription({ body: "v=0" }))).toBe("v=0");
    expect(ownDescription({ body: "" })).toBeNull();
    expect(ownDescription({})).toBeNull();
    expect(ownDescription({ body: "v=0", contentType: "text/plain" })).toBeNull();
    expect(text(ownDescription({ body: "v=0", contentType: "application/sdp;x=y" }))).toBe("v=0");
  });
});

describe("RAck and RSeq (RFC 3262 s7)", () => {
  const message = (...headers: string[]) => scanned(requestText("PRACK", { headers }));

  test("are read", () => {
    expect(rackOf(message("RAck: 776656 1 INVITE"))).toEqual({ rseq: 776656, cseq: 1, method: "INVITE" });
    expect(rackOf(message("rack:\t4294967295  \r\n 007\t invite"))).toEqual({
      rseq: 4294967295,
      cseq: 7,
      method: "invite",
    });
    expect(rseqOf(message("RSeq: 4294967295"))).toBe(4294967295);
  });

  test("are none when they are wrong, missing, or there twice", () => {
    const wrong = ["", "1", "1 INVITE", "1 1", "-1 1 INVITE", "1 1 INVITE x", "1 1 IN/VITE", "4294967296 1 INVITE"];
    wrong.push(
      "1 4294967296 INVITE",
      "1,1 INVITE",
      "x 1 INVITE",
      "1 1INVITE",
      "1.0 1 INVITE",
      `${"9".repeat(400)} 1 A`,
    );
    for (const value of wrong) expect([value, rackOf(message(`RAck: ${value}`))]).toEqual([value, null]);
    expect(rackOf(message())).toBeNull();
    expect(rackOf(message("RAck: 1 1 INVITE", "RAck: 1 1 INVITE"))).toBeNull();
    for (const value of ["", "0", "x", "-1", "4294967296", "1 2"]) {
      expect([value, rseqOf(message(`RSeq: ${value}`))]).toEqual([value, 0]);
    }
    expect(rseqOf(message("RSeq: 1", "RSeq: 1"))).toBe(0);
  });

  test("whatever a RAck says, it is read or it is none", () => {
    fc.assert(
      fc.property(
        fc.string().map((value) => value.replace(/[\r\n\0]/g, "")),
        (value) => {
          const rack = rackOf(message(`RAck: ${value}`));
          if (rack !== null)
            expect(
              value
                .trim()
                .split(/[ \t]+/)
                .map(Number)
                .slice(0, 2),
            ).toEqual([rack.rseq, rack.cseq]);
        },
      ),
    );
  });

  test("100rel is found among other tags, in any case", () => {
    expect(has100rel(message("Supported: timer, 100REL"), Header.Supported)).toBe(true);
    expect(has100rel(message("Require: 100rel"), Header.Supported)).toBe(false);
    expect(has100rel(message("Supported: 100relx, x100rel"), Header.Supported)).toBe(false);
  });
});
