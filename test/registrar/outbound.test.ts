/** Client-initiated connections as a registrar sees them: instance, reg-id and Path (RFC 5626 s6, RFC 3327). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { outcome, Registering, type RegisterShape } from "../support/registering.ts";
import { requestText, SipMessage } from "../support/sip-messages.ts";
import { bytesOf } from "../support/sip-text.ts";

const BOB = "sip:bob@example.com";
const ONE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';
const TWO = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"';
const OUTBOUND = ["Supported: path, outbound"];
const EDGE = "<sip:token@ep1.example.com;lr;ob>";
const PLAIN = "<sip:p.example.com;lr>";

let on: Registering;
beforeEach(async () => {
  on = await Registering.open({ flowTimer: 90 });
});
afterEach(() => on[Symbol.dispose]());

/** Sends a REGISTER as a proxy passes it on: with a second Via, and a Path. */
async function throughProxy(shape: RegisterShape, ...path: string[]): Promise<SipMessage> {
  const { headers = [], ...rest } = on.bob.shape(shape);
  const text = requestText("REGISTER", {
    sentBy: on.client.sentBy,
    headers: ["Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKclient", ...path.map((value) => `Path: ${value}`), ...headers],
    ...rest,
  });
  on.client.send(text);
  return on.client.next(({ status }) => status >= 200, new SipMessage(bytesOf(text)));
}

function regIds(): number[] {
  return on.phones.lookup(BOB).map(({ regId }) => regId);
}

describe("a Contact with instance and reg-id", () => {
  test("is one by these, whatever its URI, and the last URI is what is kept", async () => {
    await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>;reg-id=1;${ONE}`], headers: OUTBOUND });
    const again = await on.bob.register({ contacts: [`<sip:bob@192.0.2.2>;reg-id=1;${ONE}`], headers: OUTBOUND });
    expect(outcome(again)).toEqual([200, `<sip:bob@192.0.2.2>;reg-id=1;${ONE};expires=3600`]);
    expect(on.phones.lookup(BOB)).toMatchObject([
      { contact: "sip:bob@192.0.2.2", regId: 1, instance: "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>" },
    ]);
    expect(on.phones.stats).toMatchObject({ registered: 1, refreshed: 1 });
  });

  test("of another reg-id, or another instance, is another binding though its URI is the same", async () => {
    for (const params of [`reg-id=1;${ONE}`, `reg-id=2;${ONE}`, `reg-id=1;${TWO}`]) {
      expect((await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>;${params}`], headers: OUTBOUND })).status).toBe(
        200,
      );
    }
    expect(regIds().sort()).toEqual([1, 1, 2]);
  });

  test("and the same URI without them are two bindings", async () => {
    const uri = "<sip:bob@192.0.2.1>";
    await on.bob.register({ contacts: [`${uri};reg-id=1;${ONE}`], headers: OUTBOUND });
    await on.bob.register({ contacts: [uri] });
    expect(regIds().sort()).toEqual([0, 1]);
    await on.bob.register({ contacts: [uri], expires: 0 });
    expect(regIds()).toEqual([1]);
    await on.bob.register({ contacts: [`<sip:other@192.0.2.9>;reg-id=1;${ONE}`], expires: 0 });
    expect(regIds()).toEqual([]);
  });

  test("gets Require: outbound and Flow-Timer where the client supports outbound", async () => {
    const contacts = [`<sip:bob@192.0.2.1>;reg-id=1;${ONE}`];
    const response = await on.bob.register({ contacts, headers: OUTBOUND });
    expect([response.header("Require"), response.header("Flow-Timer")]).toEqual(["outbound", "90"]);
    const removal = await on.bob.register({ contacts, headers: OUTBOUND, expires: 0 });
    expect([removal.status, removal.header("Require")]).toEqual([200, "outbound"]);
    const silent = await on.bob.register({ contacts });
    expect([silent.status, silent.headers("Require"), silent.headers("Flow-Timer")]).toEqual([200, [], []]);
  });

  test("may be required", async () => {
    const contacts = [`<sip:bob@192.0.2.1>;reg-id=1;${ONE}`];
    const response = await on.bob.register({ contacts, headers: ["Require: outbound", ...OUTBOUND] });
    expect([response.status, response.header("Require")]).toEqual([200, "outbound"]);
  });

  test("beside another that stays gets 400: one flow at a time", async () => {
    const contacts = [`<sip:bob@192.0.2.1>;reg-id=1;${ONE}`, `<sip:bob@192.0.2.1>;reg-id=2;${ONE}`];
    const two = await on.bob.register({ contacts, headers: OUTBOUND });
    expect([two.status, two.reason]).toEqual([400, "One Contact With reg-id At A Time"]);
    expect((await on.bob.register({ contacts: [contacts[0]!, "<sip:bob@192.0.2.7>"] })).status).toBe(400);
    expect(on.phones.stats.bindings).toBe(0);
  });

  test("may come with others that go", async () => {
    const old = `<sip:bob@192.0.2.1>;reg-id=1;${ONE}`;
    await on.bob.register({ contacts: [old], headers: OUTBOUND });
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.7>"] });
    const contacts = [`${old};expires=0`, `<sip:bob@192.0.2.1>;reg-id=2;${ONE}`, "<sip:bob@192.0.2.7>;expires=0"];
    expect((await on.bob.register({ contacts, headers: OUTBOUND })).status).toBe(200);
    expect(regIds()).toEqual([2]);
  });

  test("twice in one request is refused, though both go", async () => {
    const contacts = [`<sip:a@192.0.2.1>;reg-id=1;${ONE}`, `<sip:b@192.0.2.2>;reg-id=1;${ONE}`];
    const response = await on.bob.register({ contacts, expires: 0 });
    expect([response.status, response.reason]).toEqual([400, "Same Contact Twice"]);
  });
});

describe("a reg-id is passed over", () => {
  test.each([
    ["without an instance", ";reg-id=1"],
    ["0", `;reg-id=0;${ONE}`],
    ["beyond 2^31-1", `;reg-id=2147483648;${ONE}`],
    ["that is no number", `;reg-id=x;${ONE}`],
    ["without a value", `;reg-id;${ONE}`],
    ["where the instance has no quotes", ";reg-id=1;+sip.instance=urn:uuid:1"],
    ["where the instance has no brackets", ';reg-id=1;+sip.instance="urn:uuid:1"'],
    ["where the instance is empty", ';reg-id=1;+sip.instance="<>"'],
    ["where the instance is endless", `;reg-id=1;+sip.instance="<urn:${"x".repeat(300)}>"`],
    ["where the instance is no URN", ';reg-id=1;+sip.instance="<urn: a>"'],
  ])("%s", async (_, params) => {
    const response = await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>${params}`], headers: OUTBOUND });
    expect(outcome(response)).toEqual([200, `<sip:bob@192.0.2.1>${params};expires=3600`]);
    expect(response.headers("Require")).toEqual([]);
    expect(regIds()).toEqual([0]);
  });

  test("but counts up to 2^31-1", async () => {
    await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>;reg-id=2147483647;${ONE}`], headers: OUTBOUND });
    expect(regIds()).toEqual([2_147_483_647]);
  });
});

describe("through a proxy", () => {
  const contacts = [`<sip:bob@192.0.2.1>;reg-id=1;${ONE}`];

  test("whose Path has ob the flow is the proxy's", async () => {
    const response = await throughProxy({ contacts, headers: OUTBOUND }, EDGE);
    expect(outcome(response)).toEqual([200, `${contacts[0]};expires=3600`]);
    expect([response.header("Require"), response.headers("Flow-Timer"), response.headers("Path")]).toEqual([
      "outbound",
      [],
      [EDGE],
    ]);
    expect(on.phones.lookup(BOB)).toMatchObject([{ regId: 1, path: EDGE, received: "", flow: null }]);
  });

  test.each([
    ["first", [`${EDGE}, ${PLAIN}`]],
    ["last", [PLAIN, EDGE]],
    ["as OB", ["<sip:ep1.example.com;OB;lr>"]],
  ])("ob may stand %s", async (_, path) => {
    expect((await throughProxy({ contacts, headers: OUTBOUND }, ...path)).header("Require")).toBe("outbound");
  });

  test.each([
    ["without Path", []],
    ["whose Path has no ob", [PLAIN]],
    ["whose ob is no URI parameter", ["<sip:p.example.com;lr>;ob"]],
    ["whose ob is another's", ["<sip:p.example.com;lr;obx>"]],
  ])("%s, a client that wants outbound gets 439", async (_, path) => {
    const response = await throughProxy({ contacts, headers: OUTBOUND }, ...path);
    expect([response.status, response.reason]).toEqual([439, "First Hop Lacks Outbound Support"]);
    expect(on.phones.stats).toMatchObject({ bindings: 0, refused: 1 });
  });

  test("without ob, a client that does not ask for outbound is registered as any other", async () => {
    const twice = [contacts[0]!, `<sip:bob@192.0.2.2>;reg-id=2;${ONE}`];
    expect((await throughProxy({ contacts: twice }, PLAIN)).status).toBe(200);
    expect(regIds()).toEqual([0, 0]);
    expect((await throughProxy({ contacts: twice, expires: 0 }, PLAIN)).status).toBe(200);
    expect(regIds()).toEqual([]);
  });

  test("Vias on one line are as good as two", async () => {
    const shape = on.bob.shape({ contacts, headers: OUTBOUND });
    const text = requestText("REGISTER", { ...shape, sentBy: on.client.sentBy });
    const two = text.replace(/^(Via: .*)\r\n/m, "$1, SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKclient\r\n");
    on.client.send(two);
    expect((await on.client.next(({ status }) => status >= 200)).status).toBe(439);
  });

  test("without ob, a client without reg-id may support outbound", async () => {
    expect((await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"], headers: OUTBOUND })).status).toBe(200);
  });
});

describe("Path", () => {
  test("is kept in its order over all lines, and copied into the answer", async () => {
    const path = ["<sip:p3.example.com;lr>,<sip:p2.example.com;lr>;x=y", '"P, 1" <sip:p1.example.com;lr>'];
    const response = await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"], headers: ["Supported: path"] }, ...path);
    expect(response.headers("Path")).toEqual(path);
    expect(on.phones.lookup(BOB)[0]!.path).toBe(path.join(","));
  });

  test("that is folded is kept on one line", async () => {
    await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"] }, "<sip:p3.example.com;lr>,\r\n <sip:p2.example.com;lr>");
    expect(on.phones.lookup(BOB)[0]!.path).toBe("<sip:p3.example.com;lr>,   <sip:p2.example.com;lr>");
  });

  test("is that of the last REGISTER", async () => {
    await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"] }, PLAIN);
    await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"] }, EDGE);
    expect(on.phones.lookup(BOB)).toMatchObject([{ path: EDGE }]);
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>"] });
    expect(on.phones.lookup(BOB)).toMatchObject([{ path: "", received: `udp:127.0.0.1:${on.client.port}` }]);
    await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"] }, PLAIN);
    expect(on.phones.lookup(BOB)).toMatchObject([{ path: PLAIN, received: "", flow: null }]);
  });

  test.each([
    ["", "an empty one"],
    ["sip:p.example.com;lr", "one without brackets, whose lr would be the header field's"],
    ["<sip:p.example.com;lr", "one that does not end"],
    [`${PLAIN},,${PLAIN}`, "one with nothing between two commas"],
    [`${PLAIN}, <sip:@>`, "one with what is no URI"],
    [`${PLAIN} ${PLAIN}`, "one without a comma"],
  ])("%j gets 400: %s", async (value) => {
    const response = await throughProxy({ contacts: ["<sip:bob@192.0.2.1>"] }, value);
    expect([response.status, response.reason]).toEqual([400, "Malformed Path"]);
    expect(on.phones.stats.bindings).toBe(0);
  });
});
