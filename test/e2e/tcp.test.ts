/** SIP over TCP (RFC 3261 s18, s18.3): what is on the wire, and when. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, fullUas } from "../../src/index.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { OFFER, parseSip, unique } from "../support/sip-messages.ts";
import { briefOf, StreamClient } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";
import { cancelShape, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

describe("a call", () => {
  test("INVITE, 100, 180, 200, ACK and BYE over one connection, which stays", async () => {
    using peer = await serverAndStream(fullUas());
    const { client, server } = peer;
    const call = await client.invite({ body: OFFER });
    expect(call.response.header("Via")).toStartWith(`SIP/2.0/TCP ${client.sentBy};branch=`);
    expect(call.response.contactUri).toBe(`sip:127.0.0.1:${peer.address.port};transport=tcp`);
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
    expect(await client.restBrief()).toEqual([100, 180]);
    expect(server.stats()).toMatchObject({
      callsAnswered: 1,
      dialogs: 0,
      connections: 1,
      connectionsAccepted: 1,
      connectionsClosed: 0,
      retransmissionsSent: 0,
    });
  });

  test("a request of the server's goes over the connection that the call came on", async () => {
    using peer = await serverAndStream({ invite: async (call) => (await call.answer("v=0\r\n")).bye() });
    const { client, server, address } = peer;
    const call = await client.invite({ contact: "<sip:alice@127.0.0.1:9;transport=tcp>" });
    call.ack();
    const bye = await client.next("BYE");
    expect(bye.uri).toBe("sip:alice@127.0.0.1:9;transport=tcp");
    expect(bye.header("Via")).toMatch(
      new RegExp(`^SIP/2\\.0/TCP 127\\.0\\.0\\.1:${address.port};rport;branch=z9hG4bK`),
    );
    expect(client.isOverOwn(bye)).toBe(true);
    client.respond(bye, 200);
    await until(
      "the end of the transaction",
      () => server.stats().clientTransactions === 1 && server.stats().dialogs === 0,
    );
    expect(await client.restBrief()).toEqual([]);
    expect(server.stats()).toMatchObject({ connectionsOpened: 0, byesUndelivered: 0 });
  });

  test("a call that began over TCP is ended over UDP, and one over UDP over TCP", async () => {
    using running = await testServer({ ...fullUas(), listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    const [udp, tcp] = running.server.addresses;
    using datagrams = await WireClient.open(udp!);
    using stream = await StreamClient.open(tcp!);
    const overTcp = await stream.invite({ body: OFFER });
    overTcp.ack();
    expect((await datagrams.ask("BYE", overTcp.shape())).header("Via")).toStartWith("SIP/2.0/UDP");
    const overUdp = await datagrams.invite({ body: OFFER });
    overUdp.ack();
    expect((await stream.ask("BYE", overUdp.shape())).header("Via")).toStartWith("SIP/2.0/TCP");
    expect([overUdp.response.contactUri, overTcp.response.contactUri]).toEqual([
      `sip:127.0.0.1:${udp!.port}`,
      `sip:127.0.0.1:${tcp!.port};transport=tcp`,
    ]);
    await until("the end of both", () => running.server.stats().dialogs === 0);
  });

  test("CANCEL over TCP: 200 for it, 487 for the INVITE", async () => {
    using peer = await serverAndStream({ invite: (call) => void call.ring() });
    const call = await peer.client.invite({}, 180);
    const cancel = call.cancel();
    await peer.client.next(200, cancel);
    const refused = await peer.client.next(487, call.invite);
    call.ack(call.invite, refused);
    expect(await peer.client.restBrief()).toEqual([]);
    await until("the end of both", () => peer.server.stats().transactions === 0);
  });
});

describe("several messages in one read", () => {
  test("two", async () => {
    using peer = await serverAndStream({});
    const { client } = peer;
    const texts = [client.text("OPTIONS"), client.text("OPTIONS")];
    client.send(texts.join(""));
    for (const text of texts) expect((await client.next(200)).callId).toBe(parseSip(text).callId);
  });

  test("500 are answered in order, joined into few writes", async () => {
    using peer = await serverAndStream({});
    const { client, server } = peer;
    const texts = Array.from({ length: 500 }, () => client.text("OPTIONS"));
    client.send(texts.join(""));
    const answered: string[] = [];
    for (const _ of texts) answered.push((await client.next(200)).callId);
    expect(answered).toEqual(texts.map((text) => parseSip(text).callId));
    expect(client.reads).toBeLessThan(50);
    expect(server.stats()).toMatchObject({ messagesReceived: 500, messagesSent: 500, transactions: 0 });
  });

  test("an INVITE, its CANCEL and the BYE of nobody's call, behind a ping", async () => {
    using peer = await serverAndStream({ invite: (call) => void call.ring() });
    const { client } = peer;
    const invite = parseSip(client.text("INVITE"));
    const cancel = client.text("CANCEL", cancelShape(invite));
    client.send(`\r\n\r\n${invite.text}${cancel}${client.text("BYE", { to: "<sip:b@h>;tag=none" })}`);
    const seen: string[] = [];
    for (let n = 0; n < 4; n++) {
      const message = await client.next(() => true);
      seen.push(`${message.status} ${message.method}`);
    }
    expect(seen).toEqual(["180 INVITE", "200 CANCEL", "487 INVITE", "481 BYE"]);
    expect(client.pongs).toBe(1);
  });

  test("a message in two reads, the cut anywhere, gets the same answer", async () => {
    using peer = await serverAndStream({});
    const { client, server } = peer;
    const { length } = client.text("OPTIONS");
    for (let cut = 1; cut < length; cut += 11) {
      const text = client.text("OPTIONS");
      await client.sendSlices([text.slice(0, cut), text.slice(cut)]);
      expect((await client.next(200)).callId).toBe(parseSip(text).callId);
    }
    expect(server.stats().malformed).toBe(0);
  });
});

describe("between messages", () => {
  test("a double CRLF is answered by one, however it is cut; a single one is not", async () => {
    using peer = await serverAndStream({});
    const { client, server } = peer;
    client.send("\r\n\r\n");
    await client.until("the first pong", () => client.pongs === 1);
    await client.sendSlices([..."\r\n\r\n"]);
    await client.until("the second pong", () => client.pongs === 2);
    client.send(`\r\n${client.text("OPTIONS")}\r\n`);
    await client.next(200);
    client.send(client.text("OPTIONS"));
    await client.next(200);
    expect(client.pongs).toBe(2);
    expect(server.stats()).toMatchObject({ keepAlives: 2, messagesReceived: 2, malformed: 0, connections: 1 });
  });

  test("1,000 pings in one write get 1,000 pongs", async () => {
    using peer = await serverAndStream({});
    peer.client.send("\r\n\r\n".repeat(1000));
    await peer.client.until("all pongs", () => peer.client.pongs === 1000);
    expect(peer.server.stats()).toMatchObject({ keepAlives: 1000, connections: 1 });
  });
});

describe("what a server says of itself", () => {
  async function contactAt(listen: string | string[], at = 0, host = "127.0.0.1"): Promise<string> {
    using running = await testServer({ ...fullUas(), listen });
    using client = await StreamClient.open(running.server.addresses[at]!, { host });
    const call = await client.invite({ body: OFFER });
    const { port } = running.server.addresses[at]!;
    return call.response.contactUri!.replace(`:${port};`, ":PORT;");
  }

  test("with every address listened on: the one that the caller reached", async () => {
    expect(await contactAt("tcp://0.0.0.0:0")).toBe("sip:127.0.0.1:PORT;transport=tcp");
    expect(await contactAt("tcp://[::]:0")).toBe("sip:127.0.0.1:PORT;transport=tcp");
    expect(await contactAt("tcp://[::]:0", 0, "::1")).toBe("sip:[::1]:PORT;transport=tcp");
  });

  test("with every address listened on, each of the machine's own is told to those who use it", async () => {
    using running = await testServer({ ...fullUas(), listen: "tcp://0.0.0.0:0" });
    const { port } = running.address;
    using client = await StreamClient.open({ address: "127.0.0.5", port });
    const call = await client.invite({ body: OFFER });
    expect(call.response.contactUri).toBe(`sip:127.0.0.5:${port};transport=tcp`);
    expect(call.response.body).toContain("c=IN IP4 127.0.0.5\r\n");
  });

  test("the advertised address of the listener it came to, with its port where none is given", async () => {
    const listen = [
      "udp://127.0.0.1:0?advertise=192.0.2.1",
      "tcp://127.0.0.1:0?advertise=sip.example.com",
      "tcp://0.0.0.0:0?advertise=192.0.2.7:5080",
      "tcp://127.0.0.1:0",
    ];
    expect(await contactAt(listen, 1)).toBe("sip:sip.example.com:PORT;transport=tcp");
    expect(await contactAt(listen, 2)).toBe("sip:192.0.2.7:5080;transport=tcp");
    expect(await contactAt(listen, 3)).toBe("sip:127.0.0.1:PORT;transport=tcp");
  });

  test("a sips call: a sips Contact without a transport parameter (RFC 5630 s3.1.4)", async () => {
    using peer = await serverAndStream(fullUas());
    const call = await peer.client.invite({ body: OFFER, uri: "sips:bob@127.0.0.1" });
    expect(call.response.contactUri).toBe(`sips:127.0.0.1:${peer.address.port}`);
  });

  test("the Via of its own requests names the advertised address", async () => {
    using running = await testServer({
      listen: "tcp://0.0.0.0:0?advertise=sip.example.com:5099",
      invite: async (call) => (await call.answer("v=0\r\n")).bye(),
    });
    using client = await StreamClient.open(running.address);
    (await client.invite()).ack();
    expect((await client.next("BYE")).header("Via")).toStartWith("SIP/2.0/TCP sip.example.com:5099;rport;branch=");
  });

  test("received is added where sent-by is not where the request came from; a port in Via changes nothing", async () => {
    using peer = await serverAndStream({});
    const answer = await peer.client.ask("OPTIONS", { sentBy: "pc33.example.com:5999", viaParams: ";rport" });
    expect(answer.header("Via")).toContain(`;received=127.0.0.1`);
    expect(answer.header("Via")).toContain(`;rport=${peer.client.localPort}`);
  });
});

describe("the end of a server", () => {
  test("stop(): every connection is ended, with what was asked answered before", async () => {
    const calls: Call[] = [];
    using running = await testServer({
      listen: "tcp://127.0.0.1:0",
      invite(call) {
        call.ring();
        calls.push(call);
      },
    });
    using caller = await StreamClient.open(running.address);
    using idle = await StreamClient.open(running.address);
    const { invite } = await caller.invite({}, 180);
    await until("both connections", () => running.server.stats().connections === 2);
    const stopped = running.server.stop({ graceMs: 60_000 });
    expect((await idle.ask("OPTIONS")).status).toBe(503);
    calls[0]!.reject(480);
    const refused = await caller.next(480, invite);
    caller.call(invite, refused).ack();
    await stopped;
    expect((await caller.restAtEnd()).map(briefOf)).toEqual([]);
    expect(await idle.restAtEnd()).toEqual([]);
    expect(running.server.stats()).toMatchObject({ connections: 0, connectionsClosed: 2, transactions: 0 });
    expect(
      await StreamClient.open(running.address).then(
        () => "open",
        () => "refused",
      ),
    ).toBe("refused");
  });

  test("closeNow(): what was written in the same turn still arrives", async () => {
    const close = { now: () => {} };
    using peer = await serverAndStream({
      message(request) {
        request.reply(200);
        close.now();
      },
    });
    close.now = () => peer.server.closeNow();
    peer.client.request("MESSAGE", { callId: unique("last") });
    expect((await peer.client.restAtEnd()).map(briefOf)).toEqual([200]);
    expect(peer.server.stats().connections).toBe(0);
  });
});
