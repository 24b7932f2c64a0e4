/** REFERs that are not followed: malformed ones, what the policy is against, and hostile ones; on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { answering, referredServer, told } from "../support/referred-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

describe("400", () => {
  const cases: [name: string, headers: string[]][] = [
    ["no Refer-To", []],
    ["two Refer-To lines", ["Refer-To: <sip:a@192.0.2.7>", "r: <sip:b@192.0.2.7>"]],
    ["two values in one", ["Refer-To: <sip:a@192.0.2.7>, <sip:b@192.0.2.7>"]],
    ["no URI", ["Refer-To: <>"]],
    ["a bare URI with headers", ["Refer-To: sip:a@192.0.2.7?Replaces=x"]],
    ["brackets that do not close", ["Refer-To: <sip:a@192.0.2.7"]],
    ["two Referred-By", ["Refer-To: <sip:a@192.0.2.7>", "Referred-By: <sip:x@y>", "b: <sip:x@y>"]],
    ["a Referred-By that is none", ["Refer-To: <sip:a@192.0.2.7>", "Referred-By: <"]],
    ["Replaces without tags", ["Refer-To: <sip:a@192.0.2.7?Replaces=x>"]],
    ["two Replaces", ["Refer-To: <sip:a@192.0.2.7?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=y>"]],
    ["a line end in a header", ["Refer-To: <sip:a@192.0.2.7?Subject=x%0D%0ARoute:%20%3Csip:evil%3E>"]],
    ["a line end in Replaces", ["Refer-To: <sip:a@192.0.2.7?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2%0D%0AX:y>"]],
  ];
  for (const [name, headers] of cases) {
    test(name, async () => {
      using all = await referredServer();
      const call = await all.call();
      const refused = await call.ask("REFER", { contact: all.contact, headers });
      expect(refused.status).toBe(400);
      expect(await all.client.restBrief()).toEqual([]);
      expect(all.server.stats().dialogs).toBe(1);
    });
  }
});

describe("by default", () => {
  test("only SIP URIs are called: 403", async () => {
    using all = await referredServer();
    const call = await all.call();
    for (const uri of ["http://www.example.com/", "mailto:a@b.example", "tel:+15551234", "urn:service:sos"]) {
      expect((await call.refer(`<${uri}>`)).status).toBe(403);
    }
  });

  test("not this server itself: 403", async () => {
    using all = await referredServer();
    const call = await all.call();
    const { address, port } = all.server.addresses[0]!;
    expect((await call.refer(`<sip:loop@${address}:${port}>`)).status).toBe(403);
    expect((await call.refer(`<sip:loop@example.com:9;maddr=${address}>`)).status).toBe(202);
    expect((await call.refer(`<sip:loop@example.com:${port};maddr=${address}>`)).status).toBe(403);
  });

  test("another method than INVITE: 501", async () => {
    using all = await referredServer();
    const call = await all.call();
    expect((await call.refer(`<${all.uri};method=BYE>`)).status).toBe(501);
    expect((await call.refer(`<${all.uri};method=INVITE>`)).status).toBe(202);
    // RFC 3261 s19.1.5: the method is not part of the Request-URI.
    expect((await all.target.request()).message.uri).toBe(all.uri);
  });
});

describe("a policy of one's own", () => {
  test("is asked with the request and what it refers to", async () => {
    const asked: unknown[] = [];
    using all = await referredServer(answering, {
      allow(request, { uri, method, replaces, referredBy }) {
        asked.push(request.isInDialog, uri.toString(), method, replaces, referredBy);
        return 480;
      },
    });
    const call = await all.call();
    const value = "a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only";
    const refused = await call.refer(`<${all.uri}?Replaces=${value}>`, ["Referred-By: <sip:alice@a>\r\n ;x=y"]);
    expect(refused.status).toBe(480);
    const replaces = { callId: "a@b", localTag: "1", remoteTag: "2", earlyOnly: true };
    expect(asked).toEqual([true, all.uri, "INVITE", replaces, "<sip:alice@a> ;x=y"]);
    expect(all.target.requests).toEqual([]);
  });

  test("that throws answers 500 and is logged", async () => {
    using all = await referredServer(answering, {
      allow() {
        throw new Error("on purpose");
      },
    });
    const call = await all.call();
    expect((await call.refer(`<${all.uri}>`)).status).toBe(500);
    expect(all.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("may take its time", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using all = await referredServer(486, { allow: () => promise });
    const call = await all.call();
    const refer = call.send("REFER", { contact: all.contact, headers: [`Refer-To: <${all.uri}>`] });
    expect(await all.client.restBrief()).toEqual([]);
    resolve(false);
    expect((await all.client.next((message) => message.status >= 200, refer)).status).toBe(403);
  });

  test("that takes too long: 202, pending, then what it says", async () => {
    const verdicts: ((verdict: boolean | number) => void)[] = [];
    using all = await referredServer(486, { allow: () => new Promise((resolve) => verdicts.push(resolve)) });
    const call = await all.call();
    for (const verdict of [false, 480, true]) {
      const refer = call.send("REFER", { contact: all.contact, headers: [`Refer-To: <${all.uri}>`] });
      await until("the question", () => verdicts.length > 0);
      await all.clock.pass(5000);
      await all.client.next(202, refer);
      expect(told(await all.notify()).slice(1)).toEqual(["pending;expires=N", "SIP/2.0 100 Trying\r\n"]);
      verdicts.shift()!(verdict);
      expect(told(await all.notify()).slice(1)).toEqual(
        verdict === true
          ? ["terminated;reason=noresource", "SIP/2.0 486 Whatever\r\n"]
          : [
              "terminated;reason=rejected",
              verdict === false ? "SIP/2.0 603 Decline\r\n" : "SIP/2.0 480 Temporarily Unavailable\r\n",
            ],
      );
    }
  });

  test("that takes too long, and then the call cannot be made out: 500 is told", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using all = await referredServer(486, {
      allow: () => promise,
      call() {
        throw new Error("on purpose");
      },
    });
    const call = await all.call();
    const refer = call.send("REFER", { contact: all.contact, headers: [`Refer-To: <${all.uri}>`] });
    await all.client.rest();
    await all.clock.pass(5000);
    await all.client.next(202, refer);
    await all.notify();
    resolve(true);
    expect(told(await all.notify())[2]).toBe("SIP/2.0 500 Server Internal Error\r\n");
    expect(all.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("the peer hangs up meanwhile: nobody is called, and no dialog is left", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using all = await referredServer(486, { allow: () => promise });
    const call = await all.call();
    const refer = call.send("REFER", { contact: all.contact, headers: [`Refer-To: <${all.uri}>`] });
    expect((await call.ask("BYE")).status).toBe(200);
    resolve(true);
    expect((await all.client.next((message) => message.status >= 200, refer)).status).toBe(481);
    expect(all.target.requests).toEqual([]);
    expect(all.server.stats().dialogs).toBe(0);
    // The slot that the dialog had is given out once.
    const [one, two] = [await all.call(), await all.call()];
    expect(one.dialog.slot).not.toBe(two.dialog.slot);
  });

  test("may let other methods pass: the request is sent, and its answer told", async () => {
    using all = await referredServer(404, { allow: () => true });
    const call = await all.call();
    await call.refer(`<${all.uri};method=OPTIONS>`);
    await all.notify();
    expect(told(await all.notify()).slice(1)).toEqual(["terminated;reason=noresource", "SIP/2.0 404 Whatever\r\n"]);
    expect((await all.target.request()).message.startLine).toBe(`OPTIONS ${all.uri} SIP/2.0`);
  });

  test("that lets pass what cannot be sent: 400 is told", async () => {
    using all = await referredServer(486, { allow: () => true });
    const call = await all.call();
    for (const uri of [`${all.uri};method=BYE`, "tel:+15551234", "http://www.example.com/"]) {
      await call.refer(`<${uri}>`);
      await all.notify();
      expect(told(await all.notify())[2]).toBe("SIP/2.0 400 Bad Request\r\n");
    }
  });
});

test("only what is on the list is taken over from the Refer-To", async () => {
  using all = await referredServer(486);
  const call = await all.call();
  const wanted = "Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&require=replaces%2Cevil&Subject=hi&Route=%3Csip:x%3E";
  await call.refer(`<${all.uri}?${wanted}&P-Asserted-Identity=%3Csip:boss%3E&body=v%3D0>`);
  const { message } = await all.target.request();
  expect(message.header("Replaces")).toBe("a;to-tag=1;from-tag=2");
  expect([message.header("Require"), message.header("Subject")]).toEqual(["replaces", "hi"]);
  expect([message.header("Route"), message.header("P-Asserted-Identity")]).toEqual([undefined, undefined]);
  expect(message.body).toStartWith("v=0\r\n");
  expect(message.uri).toBe(all.uri);
});

test("no more than so many at once: 503", async () => {
  using all = await referredServer(() => "silent", { ceiling: 1 });
  const call = await all.call();
  await call.refer(`<${all.uri}>`);
  await all.notify();
  expect((await call.refer(`<${all.uri}>`)).status).toBe(503);
  const { react } = await all.target.request();
  react(486);
  await all.notify();
  expect((await call.refer(`<${all.uri}>`)).status).toBe(202);
});

test("those that are not decided yet are counted, too, until they are", async () => {
  const verdicts: ((verdict: boolean) => void)[] = [];
  using all = await referredServer(486, { ceiling: 1, allow: () => new Promise((resolve) => verdicts.push(resolve)) });
  const call = await all.call();
  for (let turn = 0; turn < 2; turn++) {
    const refer = call.send("REFER", { contact: all.contact, headers: [`Refer-To: <${all.uri}>`] });
    expect((await call.refer(`<${all.uri}>`)).status).toBe(503);
    verdicts.shift()!(false);
    expect((await all.client.next((message) => message.status >= 200, refer)).status).toBe(403);
  }
});

test("whatever a REFER says, it is answered, and nothing of it is left", async () => {
  using all = await referredServer(486);
  const piece = fc.constantFrom(
    ...[
      "sip:",
      "sips:",
      "tel:",
      "<",
      ">",
      ";",
      "?",
      "&",
      "=",
      "%0D%0A",
      "%",
      "Replaces",
      "to-tag",
      "from-tag",
      "method",
    ],
    ...['"', ",", " ", "a", "@", "127.0.0.1:9", "INVITE", "é", "\\", ":", "0", "%00", "\t", "Require", "early-only"],
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join("")),
    fc
      .array(piece, { maxLength: 12 })
      .map((pieces) => `<${all.uri}?Replaces=${pieces.join("").replace(/[<> \t]/g, "")}>`),
  );
  const header = fc.constantFrom("Refer-To", "Referred-By", "Target-Dialog", "Refer-Sub", "Event");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(header, text), { maxLength: 4 }), async (lines) => {
      const headers = lines.map(([name, value]) => `${name}: ${value}`);
      const answer = await all.client.ask("REFER", {
        contact: all.contact,
        headers: [...headers, "Refer-To: <sip:a@b>"],
      });
      expect(answer.status).toBeOneOf([202, 400, 403, 481, 501]);
      for (const message of await all.client.rest()) if (message.status === 0) all.client.respond(message, 481);
    }),
    { numRuns: 150 },
  );
  for (const message of await all.client.rest()) if (message.status === 0) all.client.respond(message, 481);
  await until("the end of all", async () => {
    for (const message of await all.client.rest()) if (message.status === 0) all.client.respond(message, 481);
    return all.server.stats().dialogs === 0;
  });
  expect(all.log.lines.filter(({ level }) => level === "error")).toEqual([]);
});
