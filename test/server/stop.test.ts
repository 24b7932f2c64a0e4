/** How a server ends: in order, at once, and by `await using`. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, type DialogEnd, serve } from "../../src/index.ts";
import { OFFER } from "../support/sip-messages.ts";
import { KeptLog, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

/** Long enough that no test sees it end. */
const LONG = 60_000;

/** Whether a port of the loopback can be bound. */
async function isFree(port: number): Promise<boolean> {
  try {
    (await Bun.udpSocket({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

describe("stop()", () => {
  test("new requests get 503 with Retry-After; a running call is answered and acknowledged; then the port is free", async () => {
    const calls: Call[] = [];
    using running = await testServer({
      invite(call) {
        calls.push(call);
        call.ring();
      },
      message: (request) => request.reply(200),
    });
    const { port } = running.address;
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 180);
    let stopped = false;
    const stopping = running.server.stop({ graceMs: LONG, retryAfter: 33 }).then(() => {
      stopped = true;
    });

    for (const method of ["INVITE", "MESSAGE", "OPTIONS"]) {
      const refused = await client.ask(method, { body: method === "INVITE" ? OFFER : "" });
      expect([method, refused.status, refused.header("Retry-After")]).toEqual([method, 503, "33"]);
    }
    expect(calls).toHaveLength(1);
    void calls[0]!.answer("v=0\r\n");
    const answered = await client.next(200, call.invite);
    await client.rest();
    // It waits for the ACK too.
    expect(stopped).toBe(false);
    call.ack(call.invite, answered);
    await stopping;
    expect(await isFree(port)).toBe(true);
  });

  test("in-dialog requests are served to the end, and CANCEL too", async () => {
    const calls: Call[] = [];
    using running = await testServer({
      invite(call) {
        calls.push(call);
        if (calls.length === 1) void call.answer("v=0\r\n");
        else call.ring();
      },
    });
    using client = await WireClient.open(running.address);
    const standing = await client.invite();
    standing.ack();
    const ringing = await client.invite({}, 180);
    const stopping = running.server.stop({ graceMs: LONG });
    expect((await standing.ask("BYE")).status).toBe(200);
    ringing.cancel();
    await client.next(487, ringing.invite);
    await stopping;
    expect(calls[1]!.signal.aborted).toBe(true);
  });

  test("with nothing running it is done at once; a second call waits for the same end", async () => {
    using running = await testServer();
    const [one, two] = [running.server.stop({ graceMs: LONG }), running.server.stop()];
    expect(one).toBe(two);
    await one;
    await running.server.stop();
  });

  test("after the grace it closes all the same, and the dialogs are told", async () => {
    const ends: DialogEnd[] = [];
    const calls: Call[] = [];
    using running = await testServer({
      invite(call) {
        calls.push(call);
        call.ring();
        void call.dialog!.ended.then((end) => ends.push(end));
      },
    });
    const { port } = running.address;
    using client = await WireClient.open(running.address);
    await client.invite({}, 180);
    await running.server.stop({ graceMs: 50 });
    expect(await isFree(port)).toBe(true);
    expect(ends).toEqual(["closed"]);
    expect(calls[0]!.ring()).toBe(false);
    expect(calls[0]!.reject(486)).toBe(false);
  });

  test("dialogs that stand are not hung up", async () => {
    using running = await testServer({ invite: (call) => void call.answer("v=0\r\n") });
    using client = await WireClient.open(running.address);
    (await client.invite()).ack();
    await client.rest();
    await running.server.stop();
    // What a third one sends after that comes behind whatever the server sent.
    using third = await WireClient.open({ address: "127.0.0.1", port: client.port });
    third.request("MESSAGE");
    expect((await client.next((message) => message.status === 0)).method).toBe("MESSAGE");
  });
});

describe("closeNow()", () => {
  test("frees the port at once, ends dialogs with `closed`, and may be called again", async () => {
    const ends: DialogEnd[] = [];
    using running = await testServer({
      invite(call) {
        void call.answer("v=0\r\n").then(({ ended }) => ended.then((end) => ends.push(end)));
      },
    });
    const { port } = running.address;
    using client = await WireClient.open(running.address);
    (await client.invite()).ack();
    await client.rest();
    running.server.closeNow();
    expect(await isFree(port)).toBe(true);
    await until("the end of the dialog", () => ends.length > 0);
    expect(ends).toEqual(["closed"]);
    running.server.closeNow();
    await running.server.stop();
    expect(running.server.stats().dialogs).toBe(0);
  });

  test("who waits in answer() is not left waiting", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    using running = await testServer({
      invite(call) {
        call.answer("v=0\r\n").then(
          () => resolve("resolved"),
          () => resolve("rejected"),
        );
      },
    });
    using client = await WireClient.open(running.address);
    await client.invite();
    running.server.closeNow();
    expect(await Promise.race([promise, Bun.sleep(2000).then(() => "pending")])).not.toBe("pending");
  });

  test("a handler that answers after it is harmed by nothing", async () => {
    const calls: Call[] = [];
    using running = await testServer({ invite: (call) => void calls.push(call) });
    using client = await WireClient.open(running.address);
    await client.invite({}, 100);
    running.server.closeNow();
    calls[0]!.answer("v=0\r\n").catch(() => {});
    calls[0]!.reject(486);
    expect(running.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("`await using` stops the server at the end of the block", async () => {
  let port = 0;
  {
    await using server = await serve({ listen: "udp://127.0.0.1:0", log: new KeptLog() });
    port = server.addresses[0]!.port;
    expect(await isFree(port)).toBe(false);
    using client = await WireClient.open(server.addresses[0]!);
    expect((await client.ask("OPTIONS")).status).toBe(200);
  }
  expect(await isFree(port)).toBe(true);
});

test("a closed server keeps the process from nothing: no timer is left", async () => {
  const child = Bun.spawn({
    cmd: [
      process.execPath,
      "-e",
      `import { serve, fullUas } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).pathname)};
       const server = await serve({ listen: ["udp://127.0.0.1:0", "udp://[::1]:0"], ...fullUas() });
       await server.stop();
       console.log("stopped");`,
    ],
    stdout: "pipe",
    stderr: "inherit",
  });
  expect(await new Response(child.stdout).text()).toBe("stopped\n");
  expect(await child.exited).toBe(0);
});
