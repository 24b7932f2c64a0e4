/** The mode `minimal`, as a monitor meets it. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { minimal } from "../../src/index.ts";
import { OFFER } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

test("OPTIONS is answered with what there is, and everything else refused", async () => {
  using running = await testServer(minimal());
  using client = await WireClient.open(running.address);
  const options = await client.ask("OPTIONS");
  expect(options.status).toBe(200);
  expect(options.list("Allow")).toEqual(["OPTIONS"]);
  expect(options.list("Accept")).toEqual(["application/sdp"]);
  const call = await client.invite({ body: OFFER }, 405);
  call.ack();
  expect(call.response.list("Allow")).toEqual(["OPTIONS"]);
  // In a dialog that cannot be: the method is looked at first (RFC 3261 s8.2.1).
  for (const method of ["BYE", "INFO", "INVITE"]) {
    const { status } = await client.ask(method, { to: "<sip:x@127.0.0.1>;tag=none" });
    expect([method, status]).toEqual([method, 405]);
  }
  expect(running.server.stats()).toMatchObject({ callsStarted: 0, dialogs: 0 });
});
