/** `tel` URIs (RFC 3966) wherever a URI may stand: in requests that come, in ours, and in what we answer. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallFailed } from "../../src/index.ts";
import { telOf } from "../../src/message/tel.ts";
import { SipServer } from "../support/sip-server.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const TEL = "tel:+49-30-123456;ext=7";
const LOCAL = "tel:112;phone-context=+49";

let peer: SipServer;
let running: TestServer;
let calls: Call[];

beforeEach(async () => {
  calls = [];
  peer = await SipServer.start();
  running = await testServer({
    invite(call) {
      calls.push(call);
      void call.answer("v=0\r\n");
    },
    request: (request) => request.reply(200),
  });
});

afterEach(() => {
  running[Symbol.dispose]();
  peer[Symbol.dispose]();
});

test("a request of ours for a number goes by its route, the number as it was given", async () => {
  for (const uri of [TEL, LOCAL]) {
    const response = await running.server.request("MESSAGE", uri, {
      route: `sip:${peer.at}`,
      from: "tel:+4940987",
      contentType: "text/plain",
      body: "hello",
    });
    expect(response.status).toBe(200);
    const { message } = peer.requests.at(-1)!;
    expect(message.startLine).toBe(`MESSAGE ${uri} SIP/2.0`);
    expect(message.header("To")).toBe(`<${uri}>`);
    expect(message.header("From")).toStartWith("<tel:+4940987>;tag=");
    expect(message.header("Route")).toBe(`<sip:${peer.at};lr>`);
  }
});

test("a call of ours, and what follows in its dialog", async () => {
  peer.onRequest = ({ message }) =>
    message.method === "INVITE" ? { status: 200, headers: [`Contact: <sip:gateway@${peer.at}>`] } : 200;
  const dialog = await running.server.call(TEL, { route: `sip:${peer.at}`, sdp: "v=0\r\n" }).answered;
  dialog.bye();
  const [invite, ack, bye] = [await peer.request(0), await peer.request(1), await peer.request(2)];
  expect(invite.message.startLine).toBe(`INVITE ${TEL} SIP/2.0`);
  expect(invite.message.contactUri).toStartWith("sip:127.0.0.1");
  for (const { message } of [ack, bye]) {
    expect(message.uri).toBe(`sip:gateway@${peer.at}`);
    expect(message.header("To")).toBe(`<${TEL}>;tag=peer`);
  }
  expect([ack.message.method, bye.message.method]).toEqual(["ACK", "BYE"]);
});

test("without a route nobody knows where a number is", () => {
  expect(() => running.server.request("MESSAGE", TEL)).toThrow(TypeError);
  expect(() => running.server.call(TEL)).toThrow(TypeError);
  expect(() => running.server.call(`sip:bob@${peer.at}`, { route: TEL })).toThrow(TypeError);
  expect(peer.requests).toEqual([]);
});

test("a number that is none is no URI", () => {
  for (const uri of ["tel:", "tel:abc", "tel:112", "tel:+", "tel:+1 2", "tel:+1;ext=1;ext=2"]) {
    expect(() => running.server.request("MESSAGE", uri, { route: `sip:${peer.at}` })).toThrow(TypeError);
  }
});

test("a redirection to a number alone leads nowhere: the caller is told", async () => {
  peer.onRequest = () => ({ status: 302, headers: [`Contact: <${TEL}>`] });
  const failure = await running.server
    .call(`sip:bob@${peer.at}`, { sdp: "v=0\r\n", redirects: 3 })
    .answered.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CallFailed);
  expect((failure as CallFailed).response?.header("Contact")).toBe(`<${TEL}>`);
});

test("a call for a number comes in: what names whom is read", async () => {
  using client = await WireClient.open(running.address);
  const call = await client.invite({ uri: TEL, to: `<${TEL}>`, from: `"Alice" <${LOCAL}>;tag=a` });
  call.ack();
  expect((await call.ask("BYE")).status).toBe(200);
  const [{ uri, to, from }] = calls as [Call];
  expect([String(uri), to.uriText, from.uriText, from.displayName, from.tag]).toEqual([TEL, TEL, LOCAL, "Alice", "a"]);
  expect([telOf(uri!)?.digits, telOf(uri!)?.ext, telOf(from.uri!)?.phoneContext]).toEqual(["+4930123456", "7", "+49"]);
  expect(call.response.contactUri).toStartWith("sip:");
});

test("any method for a number, without brackets too", async () => {
  using client = await WireClient.open(running.address);
  for (const method of ["OPTIONS", "MESSAGE", "SUBSCRIBE", "WHATEVER"]) {
    expect((await client.ask(method, { uri: TEL, to: "tel:+4930123456", contact: null })).status).toBe(200);
  }
  expect((await client.ask("OPTIONS", { uri: "tel:nobody" })).status).toBe(400);
});

test("a caller is sent on to a number", async () => {
  using other = await testServer({ invite: (call) => void call.redirect(TEL, `sip:bob@${peer.at}`) });
  using client = await WireClient.open(other.address);
  const call = await client.invite({}, 302);
  expect(call.response.header("Contact")).toBe(`<${TEL}>`);
  call.ack();
});
