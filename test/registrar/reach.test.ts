/** Requests of ours to registered contacts: back over the flow that they came by, or by their Path. */
import { describe, expect, test } from "bun:test";
import { registrar } from "../../src/index.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

const BOB = "sip:bob@example.com";

describe("a request to a binding", () => {
  test.each(["tcp", "ws"] as const)("that came over %s goes back over its connection", async (transport) => {
    const phones = registrar({ domains: ["example.com"] });
    using on = await serverAndStream({ listen: `${transport}://127.0.0.1:0`, plugins: [phones] }, { transport });
    const contact = `<sip:bob@hidden.invalid;transport=${transport}>`;
    await on.client.ask("REGISTER", { uri: "sip:example.com", to: `<${BOB}>`, headers: [`Contact: ${contact}`] });
    const [binding] = phones.lookup(BOB);
    const sent = on.server.request("MESSAGE", binding!.contact, {
      binding,
      to: BOB,
      body: "hello",
      contentType: "text/plain",
    });
    const message = await on.client.next("MESSAGE");
    expect([message.startLine, message.body]).toEqual([`MESSAGE ${contact.slice(1, -1)} SIP/2.0`, "hello"]);
    on.client.respond(message, 202);
    expect((await sent).status).toBe(202);
  });

  test("with a Path goes by it, with the whole of it in Route", async () => {
    const phones = registrar({ domains: ["example.com"] });
    using running = await testServer({ plugins: [phones] });
    using edge = await WireClient.open(running.address);
    const path = `<sip:${edge.sentBy};lr>,<sip:p1.example.com;lr>`;
    await edge.ask("REGISTER", {
      uri: "sip:example.com",
      to: `<${BOB}>`,
      headers: ["Supported: path", `Path: ${path}`, "Contact: <sip:bob@192.0.2.4>"],
    });
    const [binding] = phones.lookup(BOB);
    const sent = running.server.request("OPTIONS", binding!.contact, { binding });
    const options = await edge.next("OPTIONS");
    expect([options.startLine, options.header("Route")]).toEqual(["OPTIONS sip:bob@192.0.2.4 SIP/2.0", path]);
    edge.respond(options, 200);
    expect((await sent).status).toBe(200);
  });
});
