/** Which message belongs to which transaction: RFC 3261 s9.2, s17.1.3, s17.2.3, s8.2.2.2. */
import { describe, expect, test } from "bun:test";
import { LayerHarness, scanned } from "../support/layer-harness.ts";
import { parseSip, type RequestShape, requestText, responseText } from "../support/sip-messages.ts";

const SHAPE: RequestShape = {
  branch: "z9hG4bKmatching",
  sentBy: "client.example.com:5080",
  from: "<sip:alice@example.com>;tag=alice",
  callId: "matching@example.com",
};

function invite(more: RequestShape = {}): string {
  return requestText("INVITE", { ...SHAPE, ...more });
}

/** Whether the second message is taken for the first one come again. */
function isSame(first: string, second: string): boolean {
  const harness = new LayerHarness();
  harness.offer(first);
  harness.receive(second);
  return harness.requests.length === 1;
}

describe("requests with the magic cookie", () => {
  test("branch, sent-by and method are all that counts", () => {
    const first = invite();
    expect(isSame(first, first)).toBe(true);
    // What a proxy may have changed on the way, and what only looks different.
    expect(isSame(first, invite({ uri: "sip:other@192.0.2.1", headers: ["Subject: again"] }))).toBe(true);
    expect(isSame(first, invite({ viaParams: ";rport" }))).toBe(true);
    expect(isSame(first, invite({ sentBy: "CLIENT.Example.COM:5080" }))).toBe(true);
    expect(isSame(first, invite({ transport: "TCP" }))).toBe(true);
  });

  test("another branch, host, port or method is another transaction", () => {
    const first = invite();
    expect(isSame(first, invite({ branch: "z9hG4bKmatchinG" }))).toBe(false);
    expect(isSame(first, invite({ branch: "z9hG4bKmatching1" }))).toBe(false);
    expect(isSame(first, invite({ sentBy: "client2.example.com:5080" }))).toBe(false);
    expect(isSame(first, invite({ sentBy: "client.example.com:5081" }))).toBe(false);
    expect(isSame(first, invite({ sentBy: "client.example.com" }))).toBe(false);
    expect(isSame(first, requestText("OPTIONS", SHAPE))).toBe(false);
    expect(isSame(requestText("FOO", SHAPE), requestText("BAR", SHAPE))).toBe(false);
    expect(isSame(requestText("FOO", SHAPE), requestText("FOO", SHAPE))).toBe(true);
  });

  test("branch and host cannot run into each other", () => {
    expect(isSame(invite({ branch: "z9hG4bKab", sentBy: "c" }), invite({ branch: "z9hG4bKa", sentBy: "bc" }))).toBe(
      false,
    );
  });

  test("an ACK belongs to the INVITE with its branch", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(invite());
    harness.respond(slot, 486);
    harness.receive(requestText("ACK", { ...SHAPE, branch: "z9hG4bKother" }));
    expect(harness.acks).toHaveLength(1);
    harness.takeSent();
    harness.pass(500);
    expect(harness.takeSent()).toEqual([[500, 486]]);
    harness.receive(requestText("ACK", SHAPE));
    expect(harness.acks).toHaveLength(1);
    harness.pass(4000);
    expect(harness.takeSent()).toEqual([]);
  });

  test("an ACK never makes a transaction", () => {
    const harness = new LayerHarness();
    harness.receive(requestText("ACK", SHAPE));
    expect(harness.requests).toEqual([]);
    expect(harness.live).toBe(0);
    expect(harness.acks).toHaveLength(1);
  });

  test("branches and Call-IDs of 60,000 octets are told apart at their last octet", () => {
    const long = "b".repeat(60_000);
    expect(isSame(invite({ branch: `z9hG4bK${long}x` }), invite({ branch: `z9hG4bK${long}x` }))).toBe(true);
    expect(isSame(invite({ branch: `z9hG4bK${long}x` }), invite({ branch: `z9hG4bK${long}y` }))).toBe(false);
    const old = (callId: string) => invite({ branch: null, callId });
    expect(isSame(old(`${long}x`), old(`${long}x`))).toBe(true);
    expect(isSame(old(`${long}x`), old(`${long}y`))).toBe(false);
  });
});

describe("requests without the cookie (RFC 2543)", () => {
  const old: RequestShape = { ...SHAPE, branch: "1" };

  for (const branch of ["1", null, "Z9HG4BKnot-the-cookie"]) {
    test(`an INVITE with ${branch === null ? "no branch" : `branch ${branch}`} that comes again is the same`, () => {
      expect(isSame(invite({ branch }), invite({ branch }))).toBe(true);
    });
  }

  test("Request-URI, From tag, Call-ID, CSeq and top Via each make another transaction", () => {
    const first = invite(old);
    for (const difference of [
      { uri: "sip:bob@192.0.2.2" },
      { from: "<sip:alice@example.com>;tag=other" },
      { callId: "other@example.com" },
      { cseq: 2 },
      { branch: "2" },
      { sentBy: "client2.example.com:5080" },
      { viaParams: ";hidden" },
    ]) {
      expect([difference, isSame(first, invite({ ...old, ...difference }))]).toEqual([difference, false]);
    }
  });

  test("the ACK with the To tag of our response belongs to its INVITE", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(invite(old));
    harness.respond(slot, 404, "ours");
    harness.receive(requestText("ACK", { ...old, to: "<sip:bob@192.0.2.1>;tag=ours" }));
    expect(harness.acks).toEqual([]);
    harness.takeSent();
    harness.pass(4000);
    expect(harness.takeSent()).toEqual([]);
    harness.pass(1000);
    expect(harness.live).toBe(0);
  });

  test("a non-INVITE request that comes again gets the response again", () => {
    const harness = new LayerHarness();
    const options = requestText("OPTIONS", old);
    const slot = harness.offer(options);
    harness.respond(slot, 200);
    harness.receive(options);
    expect(harness.takeSent().map(([, status]) => status)).toEqual([200, 200]);
  });

  test("a CANCEL finds its INVITE", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(invite(old));
    expect(harness.layer.inviteOf(scanned(requestText("CANCEL", old)))).toBe(slot);
    expect(harness.layer.inviteOf(scanned(requestText("CANCEL", { ...old, cseq: 2 })))).toBe(-1);
  });
});

describe("CANCEL", () => {
  test("it is a transaction of its own, and finds the INVITE with its branch", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(invite());
    const cancel = requestText("CANCEL", SHAPE);
    const own = harness.offer(cancel);
    expect(own).not.toBe(slot);
    expect(harness.layer.inviteOf(scanned(cancel))).toBe(slot);
    expect(harness.layer.inviteOf(scanned(requestText("CANCEL", { ...SHAPE, branch: "z9hG4bKother" })))).toBe(-1);
    expect(harness.layer.inviteOf(scanned(requestText("CANCEL", { ...SHAPE, sentBy: "elsewhere.example.com" })))).toBe(
      -1,
    );
    harness.respond(own, 200);
    harness.receive(cancel);
    expect(harness.requests).toHaveLength(2);
  });

  test("it never finds a request other than INVITE", () => {
    const harness = new LayerHarness();
    harness.offer(requestText("MESSAGE", SHAPE));
    expect(harness.layer.inviteOf(scanned(requestText("CANCEL", SHAPE)))).toBe(-1);
  });

  test("an INVITE that is over is not found", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(invite());
    harness.respond(slot, 486);
    harness.receive(requestText("ACK", SHAPE));
    harness.pass(5000);
    expect(harness.layer.inviteOf(scanned(requestText("CANCEL", SHAPE)))).toBe(-1);
  });
});

describe("merged requests (s8.2.2.2)", () => {
  const elsewhere = { branch: "z9hG4bKsecond-path" };

  test("the same From tag, Call-ID and CSeq by another path are merged, for as long as the first is here", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(invite());
    const second = harness.offer(invite(elsewhere));
    expect(harness.requests.map(({ merged }) => merged)).toEqual([false, true]);
    expect(harness.layer.counters.merged).toBe(1);
    for (const each of [slot, second]) harness.respond(each, 486);
    harness.pass(32_000);
    expect(harness.live).toBe(0);
    harness.offer(invite({ branch: "z9hG4bKthird" }));
    expect(harness.requests.at(-1)!.merged).toBe(false);
  });

  test("the end of the second does not let a third through", () => {
    const harness = new LayerHarness();
    harness.offer(invite());
    harness.respond(harness.offer(invite(elsewhere)), 482);
    harness.pass(32_000);
    harness.offer(invite({ branch: "z9hG4bKthird" }));
    expect(harness.requests.map(({ merged }) => merged)).toEqual([false, true, true]);
  });

  test("another CSeq, Call-ID, From tag or method is no merger, nor is a request in a dialog", () => {
    for (const [method, more] of [
      ["INVITE", { cseq: 2 }],
      ["INVITE", { callId: "other@example.com" }],
      ["INVITE", { from: "<sip:alice@example.com>;tag=other" }],
      ["INVITE", { to: "<sip:bob@192.0.2.1>;tag=x" }],
      ["OPTIONS", {}],
      ["CANCEL", {}],
    ] as const) {
      const harness = new LayerHarness();
      harness.offer(invite());
      harness.offer(requestText(method, { ...SHAPE, ...elsewhere, ...more }));
      expect([method, more, harness.requests.at(-1)!.merged]).toEqual([method, more, false]);
    }
  });
});

describe("responses (s17.1.3)", () => {
  test("branch and CSeq method find the client transaction", () => {
    const harness = new LayerHarness();
    const text = requestText("INVITE", { sentBy: "192.0.2.1:5060", branch: "z9hG4bKmine" });
    const slot = harness.request(text);
    const request = parseSip(text);
    const answer = responseText(request, 180, { toTag: "x" });
    harness.receive(answer.replace("z9hG4bKmine", "z9hG4bKyours"));
    harness.receive(answer.replace("1 INVITE", "1 OPTIONS"));
    expect(harness.responses).toEqual([]);
    expect(harness.strayResponses).toEqual([180, 180]);
    expect(harness.layer.counters.strayResponses).toBe(2);
    harness.receive(answer);
    expect(harness.responses).toEqual([{ slot, status: 180 }]);
  });

  test("a response is not taken for one to a server transaction of the same branch", () => {
    const harness = new LayerHarness();
    harness.offer(invite());
    harness.receive(responseText(parseSip(invite()), 200, { toTag: "x" }));
    expect(harness.strayResponses).toEqual([200]);
  });

  test("two requests with one branch and different methods are told apart", () => {
    const harness = new LayerHarness();
    const shape = { sentBy: "192.0.2.1:5060", branch: "z9hG4bKone" };
    const first = requestText("INVITE", shape);
    const second = requestText("CANCEL", shape);
    const slots = [harness.request(first), harness.request(second)];
    harness.receive(responseText(parseSip(second), 200));
    harness.receive(responseText(parseSip(first), 487, { toTag: "x" }));
    expect(harness.responses).toEqual([
      { slot: slots[1]!, status: 200 },
      { slot: slots[0]!, status: 487 },
    ]);
  });
});
