/** The mode `full-uas`, as a caller meets it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type FullUasSettings, fullUas, type ServeOptions } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import { OFFER } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

function uas(settings: FullUasSettings = {}, options: ServeOptions = {}) {
  return serverAndClient({ ...fullUas(settings), ...options });
}

/** The values of the lines of a type in a description. */
function lines(sdp: string, type: string): string[] {
  return sdp
    .split("\r\n")
    .filter((line) => line.startsWith(`${type}=`))
    .map((line) => line.slice(2));
}

describe("a call", () => {
  test("gets 100, 180 and 200 with an answer, and ends with BYE", async () => {
    using peer = await uas();
    const { client } = peer;
    const invite = client.request("INVITE", { body: OFFER });
    const statuses = [];
    let response = await client.next((message) => message.status > 0, invite);
    for (; response.status < 200; response = await client.next((message) => message.status > 0, invite)) {
      statuses.push(response.status);
      expect(response.body).toBe("");
    }
    expect(statuses).toEqual([100, 180]);
    expect(response.status).toBe(200);
    expect(response.header("Content-Type")).toBe("application/sdp");
    expect(response.list("Allow").join(" ")).toBe(
      "INVITE ACK CANCEL BYE PRACK UPDATE OPTIONS MESSAGE INFO SUBSCRIBE NOTIFY PUBLISH REFER",
    );
    expect(lines(response.body, "m")).toEqual(["audio 9 RTP/AVP 0 101"]);
    expect(lines(response.body, "c")).toEqual(["IN IP4 127.0.0.1"]);
    const call = new ClientCall(client, invite, response);
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
    expect(await client.restBrief()).toEqual([]);
    expect(peer.server.stats()).toMatchObject({ callsStarted: 1, callsAnswered: 1, dialogs: 0, handlerErrors: 0 });
  });

  test("with no offer gets one in the 200 (RFC 3264 s5)", async () => {
    using peer = await uas();
    const call = await peer.client.invite();
    const [media] = lines(call.response.body, "m");
    expect(media).toMatch(/^audio 9 RTP\/AVP 0 8/);
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test("with no codec in common gets 488 with a Warning, and no dialog stays", async () => {
    using peer = await uas();
    const { client } = peer;
    for (const [offer, code] of [
      [OFFER.replace("AVP 0 101", "AVP 3 101").replace("a=rtpmap:0 PCMU/8000\r\n", ""), 305],
      [OFFER.replace("m=audio", "m=video"), 304],
      [OFFER.replace("RTP/AVP", "RTP/SAVP"), 302],
    ] as const) {
      const call = await client.invite({ body: offer }, 488);
      expect(call.response.header("Warning")).toMatch(new RegExp(`^${code} 127\\.0\\.0\\.1 "[^"]+"$`));
      call.ack();
    }
    await client.rest();
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, callsAnswered: 0, handlerErrors: 0 });
  });

  test("with SDP that is none gets 400 and hears why", async () => {
    using peer = await uas();
    for (const body of ["nonsense", "v=1\r\n", OFFER.replace("m=audio 40000", "m=audio 99999")]) {
      const call = await peer.client.invite({ body }, 400);
      expect(call.response.reason).toStartWith("Bad SDP: ");
      call.ack();
    }
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("that does not take SDP gets 406 with a Warning", async () => {
    using peer = await uas();
    const { client } = peer;
    const call = await client.invite({ body: OFFER, headers: ["Accept: text/plain"] }, 406);
    expect(call.response.header("Warning")).toMatch(/^399 127\.0\.0\.1 "/);
    for (const accept of ["application/sdp", "text/plain, application/*", "*/*", "APPLICATION/SDP;level=1"]) {
      (await client.invite({ body: OFFER, headers: [`Accept: ${accept}`] })).ack();
    }
    (await client.invite({ body: OFFER, headers: ["Accept: text/plain", "Accept: application/sdp"] })).ack();
  });

  test("each has a session of its own; a re-INVITE raises the version of its own (RFC 3264 s8)", async () => {
    using peer = await uas();
    const { client } = peer;
    const origins: string[][] = [];
    for (let i = 0; i < 2; i++) {
      const call = await client.invite({ body: OFFER });
      call.ack();
      origins.push(lines(call.response.body, "o")[0]!.split(" "));
      for (let again = 1; again <= 2; again++) {
        const reinvite = call.send("INVITE", { body: OFFER, contact: `<sip:alice@${client.sentBy}>` });
        const response = await client.next(200, reinvite);
        call.ack(reinvite, response);
        const origin = lines(response.body, "o")[0]!.split(" ");
        expect(origin[1]).toBe(origins[i]![1]!);
        expect(Number(origin[2])).toBe(Number(origins[i]![2]) + again);
      }
    }
    expect(origins[0]![1]).not.toBe(origins[1]![1]!);
  });

  test("a re-INVITE with no common codec gets 488, and the session stays as it was", async () => {
    using peer = await uas();
    const { client } = peer;
    const call = await client.invite({ body: OFFER });
    call.ack();
    const bad = call.send("INVITE", { body: OFFER.replace("m=audio", "m=video"), contact: `<sip:a@${client.sentBy}>` });
    call.ack(bad, await client.next(488, bad));
    const good = call.send("INVITE", { contact: `<sip:a@${client.sentBy}>` });
    const response = await client.next(200, good);
    call.ack(good, response);
    // Refused descriptions do not count: the version went up by one.
    const version = (sdp: string) => Number(lines(sdp, "o")[0]!.split(" ")[2]);
    expect(version(response.body)).toBe(version(call.response.body) + 1);
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test("over IPv6 is answered with an IPv6 description", async () => {
    const running = await testServer({ ...fullUas(), listen: "udp://[::1]:0" });
    using _running = running;
    using client = await WireClient.open(running.address, "::1");
    const { response } = await client.invite();
    expect(lines(response.body, "c")).toEqual(["IN IP6 ::1"]);
  });

  test("of 60 KB of SDP is answered or refused, not dropped", async () => {
    using peer = await uas();
    const attribute = `a=x:${"y".repeat(200)}\r\n`;
    const body = OFFER + attribute.repeat(290);
    const response = await peer.client.ask("INVITE", { body });
    expect([200, 413]).toContain(response.status);
    expect(peer.server.stats().handlerErrors).toBe(0);
  });
});

describe("settings", () => {
  test("--final-status: every call is refused with it, after 180", async () => {
    for (const finalStatus of [302, 486, 603]) {
      using peer = await uas({ finalStatus });
      const { client } = peer;
      const call = await client.invite({ body: OFFER }, finalStatus);
      await client.next(180, call.invite);
      call.ack();
      await client.rest();
      expect(peer.server.stats().dialogs).toBe(0);
    }
  });

  test("--ring-time: 180, then the final response that long after, not before", async () => {
    using peer = await uas({ ringTime: 150 });
    const { client } = peer;
    const start = performance.now();
    const call = await client.invite({ body: OFFER }, 180);
    await client.next(200, call.invite);
    // setTimeout may be a millisecond early by this clock.
    expect(performance.now() - start).toBeGreaterThan(148);
  });

  test("CANCEL while it rings: 200 and 487, and no 200 afterwards", async () => {
    using peer = await uas({ ringTime: 500 });
    const { client } = peer;
    const call = await client.invite({ body: OFFER }, 180);
    const cancel = call.cancel();
    await client.next(200, cancel);
    const refused = await client.next(487, call.invite);
    call.ack(call.invite, refused);
    await Bun.sleep(600);
    expect(await client.restBrief()).toEqual([100]);
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, handlerErrors: 0, callsAnswered: 0 });
  });

  test("BYE while it rings: the same", async () => {
    using peer = await uas({ ringTime: 500 });
    const { client } = peer;
    const call = await client.invite({ body: OFFER }, 180);
    expect((await call.ask("BYE")).status).toBe(200);
    call.ack(call.invite, await client.next(487, call.invite));
    await Bun.sleep(600);
    expect(await client.restBrief()).toEqual([100]);
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, handlerErrors: 0 });
  });

  test("a fault found only when the ringing is over: the caller gets 500, and the server goes on", async () => {
    // A host name with an underscore is none, and no SDP can name it.
    using peer = await uas({ ringTime: 20 }, { advertise: "not_a_host" });
    const call = await peer.client.invite({ body: OFFER }, 500);
    call.ack();
    expect(peer.log.lines.map(({ level }) => level)).toEqual(["error"]);
    expect((await peer.client.ask("OPTIONS")).status).toBe(200);
  });
});

describe("beside calls", () => {
  test("OPTIONS is answered, in a dialog too; MESSAGE and INFO too; REGISTER gets 405, unknown methods 501", async () => {
    using peer = await uas();
    const { client } = peer;
    const options = await client.ask("OPTIONS");
    expect(options.status).toBe(200);
    for (const name of ["Allow", "Accept", "Supported"]) expect(options.headers(name)).toHaveLength(1);
    const call = await client.invite({ body: OFFER });
    call.ack();
    expect((await call.ask("OPTIONS")).status).toBe(200);
    expect((await client.ask("REGISTER")).status).toBe(405);
    expect((await client.ask("MESSAGE", { body: "hello", contentType: "text/plain" })).status).toBe(200);
    const dtmf = { body: "Signal=5\r\n", contentType: "application/dtmf-relay" };
    expect((await call.ask("INFO", dtmf)).status).toBe(200);
    expect((await client.ask("FOO")).status).toBe(501);
  });

  test("a caller whose ACK is lost hears the 200 again, then a BYE", async () => {
    const clock = new FakeClock();
    using peer = await uas({}, { clock });
    const { client } = peer;
    const call = await client.invite({ body: OFFER });
    await client.rest();
    await clock.pass(500);
    expect((await client.rest()).map(({ text }) => text)).toEqual([call.response.text]);
    for (let i = 0; i < 12 && peer.server.stats().dialogs > 0; i++) {
      await clock.pass(4000);
      await client.rest();
    }
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, unacknowledged: 1, clientTransactions: 1 });
  });

  test("100 calls at once, each with its own dialog", async () => {
    using peer = await uas();
    const { client } = peer;
    const invites = Array.from({ length: 100 }, () => client.request("INVITE", { body: OFFER }));
    const tags = new Set<string>();
    const calls = [];
    for (const invite of invites) {
      const call = new ClientCall(client, invite, await client.next(200, invite));
      call.ack();
      tags.add(call.response.toTag!);
      calls.push(call);
    }
    expect(tags.size).toBe(100);
    await client.rest();
    expect(peer.server.stats().dialogs).toBe(100);
    for (const call of calls) expect((await call.ask("BYE")).status).toBe(200);
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, callsAnswered: 100 });
  });
});

describe("UPDATE in a call", () => {
  test("with an offer gets an answer, its version counted up; one that does not fit 488, and without a body 200", async () => {
    using peer = await serverAndClient({ ...fullUas() });
    const { client } = peer;
    const call = await client.invite({ body: OFFER });
    call.ack();
    const first = /^o=- \d+ (\d+) /m.exec(call.response.body)![1];
    const changed = await call.ask("UPDATE", { body: `${OFFER}a=sendonly\r\n` });
    expect(changed.status).toBe(200);
    expect(changed.body).toContain("a=recvonly");
    expect(Number(/^o=- \d+ (\d+) /m.exec(changed.body)![1])).toBe(Number(first) + 1);
    expect((await call.ask("UPDATE", { body: OFFER.replace(/RTP\/AVP .*/, "RTP/AVP 77") })).status).toBe(488);
    expect((await call.ask("UPDATE")).status).toBe(200);
    expect((await call.ask("BYE")).status).toBe(200);
  });
});

describe("what is turned off", () => {
  const off = { prack: false, sessionTimers: false, subscriptions: false, refer: false, messages: false } as const;

  test("is not named, and is refused", async () => {
    using peer = await serverAndClient({ ...fullUas(off) });
    const { client } = peer;
    const call = await client.invite({ body: OFFER, headers: ["Supported: timer, 100rel", "Session-Expires: 1800"] });
    call.ack();
    expect(call.response.list("Allow")).toEqual(["INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS"]);
    expect(call.response.header("Session-Expires")).toBeUndefined();
    for (const method of ["SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"]) {
      expect([method, (await client.ask(method)).status]).toEqual([method, 405]);
    }
    expect((await client.ask("INVITE", { body: OFFER, headers: ["Require: 100rel"] })).status).toBe(420);
  });

  test("all of it is on by default", async () => {
    using peer = await serverAndClient({ ...fullUas() });
    const { client } = peer;
    const headers = ["Supported: timer", "Session-Expires: 1800;refresher=uac"];
    const call = await client.invite({ body: OFFER, headers });
    call.ack();
    expect(call.response.header("Session-Expires")).toBe("1800;refresher=uac");
    expect((await client.ask("SUBSCRIBE", { headers: ["Event: nothing"] })).status).toBe(489);
  });
});
