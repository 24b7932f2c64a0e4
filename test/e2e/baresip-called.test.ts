/** baresip, a phone that is none of ours, is called by `server.call`: it answers, holds, is held, hangs up, refuses. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, Dialog, DialogHandlers } from "../../src/index.ts";
import { Baresip, baresipPath } from "../support/baresip.ts";
import { callFailure } from "../support/call-failure.ts";
import { peerVerdict } from "../support/sipp.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

const verdict = peerVerdict(baresipPath(), process.env.CI);

/** What is described to the phone: a media line at the discard port. */
function description(version: number, direction = "sendrecv"): string {
  const lines = ["v=0", `o=- 4711 ${version} IN IP4 127.0.0.1`, "s=-", "c=IN IP4 127.0.0.1", "t=0 0"];
  return [...lines, "m=audio 9 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", `a=${direction}`, ""].join("\r\n");
}

let phone: Baresip | null = null;
let running: TestServer | null = null;
afterEach(async () => {
  running?.[Symbol.dispose]();
  await phone?.[Symbol.asyncDispose]();
  phone = running = null;
});

/** A phone that can be called, and a server. */
async function ready(transport: string) {
  const [bell, port] = await Baresip.listening();
  phone = bell;
  running = await testServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
  return { bell, server: running.server, uri: `sip:tester@127.0.0.1:${port};transport=${transport}` };
}

/** Waits until nothing of any call is left but what absorbs repetitions, and every call was as it should be. */
async function expectAllOver({ server, log }: TestServer): Promise<void> {
  await until("the end of all dialogs", () => server.stats().dialogs === 0);
  expect(server.stats()).toMatchObject({ malformed: 0, unframed: 0, byesUndelivered: 0, timeouts: 0, strayAcks: 0 });
  expect(log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
}

test("where tests run unattended, baresip is there", () => {
  expect(verdict, "CI is set and there is no baresip on the PATH: install it (apt-get install baresip-core)").not.toBe(
    "fail",
  );
});

describe.skipIf(verdict !== "run").each(["udp", "tcp"])("baresip, called over %s", (transport) => {
  test("rings, answers, holds and resumes, and is hung up", async () => {
    const { bell, server, uri } = await ready(transport);
    const directions: string[] = [];
    const acknowledged: Promise<Dialog>[] = [];
    let version = 1;
    const handlers: DialogHandlers = {
      invite(again: Call) {
        const asked = /^a=(sendonly|recvonly|inactive|sendrecv)/m.exec(Buffer.from(again.body).toString())?.[1];
        directions.push(asked ?? "sendrecv");
        acknowledged.push(again.answer(description(++version, asked === "sendonly" ? "recvonly" : "sendrecv")));
      },
    };
    const statuses: number[] = [];
    const call = server.call(uri, {
      sdp: description(1),
      handlers,
      progress: ({ status }, early) => statuses.push(early === null ? -status : status),
    });
    await bell.event("INCOMING");
    await until("the 180", () => statuses.length > 0);
    expect(statuses[0]).toBe(180);
    bell.accept();
    const dialog = await call.answered;
    await bell.event("ESTABLISHED");
    expect(server.stats()).toMatchObject({ callsPlaced: 1, dialogs: 1 });
    bell.hold();
    await until("its hold", () => directions.length === 1);
    bell.resume();
    await until("its resumption", () => directions.length === 2);
    expect(directions).toEqual(["sendonly", "sendrecv"]);
    await Promise.all(acknowledged);
    dialog.bye();
    await bell.event("CLOSED");
    expect(await dialog.ended).toBe("local");
    await expectAllOver(running!);
    const trace = await bell.stop();
    expect(trace).toMatch(new RegExp(`^INVITE sip:tester@[\\s\\S]*^Via: SIP/2\\.0/${transport.toUpperCase()} `, "m"));
    expect(trace).toMatch(/^BYE sip:[\s\S]*^SIP\/2\.0 200 OK/m);
    expect(server.stats().connectionsOpened).toBe(transport === "tcp" ? 1 : 0);
  });

  test("is put on hold and taken off again by us, and hangs up", async () => {
    const { bell, server, uri } = await ready(transport);
    const call = server.call(uri, { sdp: description(1) });
    await bell.event("INCOMING");
    bell.accept();
    const dialog = await call.answered;
    const held = await dialog.invite(description(2, "sendonly"));
    expect([held.status, Buffer.from(held.body).toString()]).toEqual([200, expect.stringContaining("a=recvonly")]);
    const resumed = await dialog.invite(description(3));
    expect([resumed.status, Buffer.from(resumed.body).toString()]).toEqual([
      200,
      expect.stringContaining("a=sendrecv"),
    ]);
    const options = await dialog.request("OPTIONS");
    expect(options.status).toBe(200);
    bell.hangup();
    expect(await dialog.ended).toBe("bye");
    await bell.event("CLOSED");
    await expectAllOver(running!);
  });

  test("is offered nothing: its own offer is answered in the ACK", async () => {
    const { bell, server, uri } = await ready(transport);
    const offers: string[] = [];
    const call = server.call(uri, {
      answer(offer) {
        offers.push(Buffer.from(offer).toString());
        return description(1);
      },
    });
    await bell.event("INCOMING");
    bell.accept();
    const dialog = await call.answered;
    await bell.event("ESTABLISHED");
    expect(offers).toHaveLength(1);
    expect(offers[0]).toContain("m=audio");
    dialog.bye();
    await bell.event("CLOSED");
    await expectAllOver(running!);
  });

  test("rings and is cancelled", async () => {
    const { bell, server, uri } = await ready(transport);
    const abort = new AbortController();
    const early = Promise.withResolvers<Dialog | null>();
    const call = server.call(uri, {
      sdp: description(1),
      signal: abort.signal,
      progress: (_, dialog) => early.resolve(dialog),
    });
    const ringing = await early.promise;
    abort.abort();
    expect((await callFailure(call)).status).toBe(487);
    await bell.event("CLOSED");
    expect(await ringing!.ended).toBe("failed");
    await expectAllOver(running!);
    // Our ACK may still lie before it.
    await bell.idle();
    expect(await bell.stop()).toMatch(/^CANCEL sip:[\s\S]*^SIP\/2\.0 487 [\s\S]*^ACK sip:/m);
  });

  test("refuses", async () => {
    const { bell, server, uri } = await ready(transport);
    const call = server.call(uri, { sdp: description(1) });
    await bell.event("INCOMING");
    bell.hangup();
    const failure = await callFailure(call);
    expect([failure.status, failure.response?.status]).toEqual([486, 486]);
    await expectAllOver(running!);
  });
});
