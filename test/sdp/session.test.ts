/** Offers and answers of one session, as a user of the library has them written. */
import { describe, expect, test } from "bun:test";
import { ascii } from "../../src/message/bytes.ts";
import { PCMA } from "../../src/sdp/codec.ts";
import { SdpRefused, SdpSession } from "../../src/sdp/session.ts";
import { textOf } from "../support/sip-text.ts";

const OFFER = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

function origin(sdp: Uint8Array): [id: number, version: number] {
  const [, id, version] = /^o=- (\d+) (\d+) /m.exec(textOf(sdp))!;
  return [Number(id), Number(version)];
}

function refused(run: () => unknown): SdpRefused {
  try {
    run();
  } catch (error) {
    return error as SdpRefused;
  }
  throw new Error("Nothing was refused");
}

describe("a session", () => {
  test("keeps its origin, and counts its version up with each description", () => {
    const session = new SdpSession({ address: "192.0.2.2", port: 5004 });
    const all = [session.offer(), session.answer(ascii(OFFER)), session.offer("sendonly")].map(origin);
    const [id, first] = all[0]!;
    expect(all).toEqual([
      [id, first],
      [id, first + 1],
      [id, first + 2],
    ]);
    expect(origin(new SdpSession().offer())[0]).not.toBe(id);
  });

  test("offers a direction: hold is sendonly or inactive", () => {
    const session = new SdpSession({ port: 5004 });
    expect(textOf(session.offer())).not.toContain("a=send");
    for (const direction of ["sendonly", "recvonly", "inactive"] as const) {
      const sdp = textOf(session.offer(direction));
      expect(sdp).toMatch(new RegExp(`^m=audio 5004 [^]*\\r\\na=${direction}\\r\\n$`, "m"));
    }
  });

  test("answers a hold by its mirror", () => {
    const session = new SdpSession();
    expect(textOf(session.answer(ascii(`${OFFER}a=sendonly\r\n`)))).toContain("a=recvonly\r\n");
    expect(textOf(session.answer(ascii(`${OFFER}a=inactive\r\n`)))).toContain("a=inactive\r\n");
  });

  test("hands out octets of their own", () => {
    const session = new SdpSession();
    const first = session.offer();
    const before = textOf(first);
    session.offer("inactive");
    expect(textOf(first)).toBe(before);
  });

  test("an offer that does not fit is 488 with the warn-code, a malformed one 400", () => {
    const session = new SdpSession({ codecs: [PCMA] });
    expect(refused(() => session.answer(ascii(OFFER.replace("AVP 8", "AVP 3"))))).toMatchObject({
      status: 488,
      warnCode: 305,
    });
    const malformed = refused(() => session.answer(ascii("v=1\r\n")));
    expect(malformed).toBeInstanceOf(SdpRefused);
    expect(malformed).toMatchObject({ status: 400, warnCode: null });
    expect(malformed.message).toStartWith("Bad SDP: ");
  });
});
