import { describe, expect, test } from "bun:test";
import { OptionsTemplate, openAndAsk, optionsRequest } from "../../bench/load/options-request.ts";
import { latin1 } from "../../src/message/bytes.ts";
import { readFields } from "../../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { standIn } from "./stand-in.ts";

const ENDS = { transport: "tcp", server: "127.0.0.1:5060", local: "127.0.0.2:6000" } as const;

describe("the OPTIONS of the generator", () => {
  test("is well formed", () => {
    const message = new Scanner().scanDatagram(optionsRequest(ENDS, 17));
    expect(readFields(message, DEFAULT_LIMITS)).toBe(true);
    expect(message.methodName).toBe("OPTIONS");
    expect(message.header("Via")).toBe("SIP/2.0/TCP 127.0.0.2:6000;branch=z9hG4bK-vo-000000017");
  });

  test("a template patched is the request written anew", () => {
    const template = new OptionsTemplate(ENDS);
    for (const number of [1, 123_456_789, 0, 2_000_000]) {
      template.next(number);
      expect(latin1(template.bytes, 0, template.bytes.length)).toBe(
        Buffer.from(optionsRequest(ENDS, number)).toString(),
      );
    }
  });

  test("is answered over a lane that stays open, from the address asked for", async () => {
    const server = await standIn("tcp");
    const target = { transport: "tcp", host: "127.0.0.1", port: server.port, localAddress: "127.0.0.9" } as const;
    const lost = Promise.withResolvers<string>();
    const lane = await openAndAsk(target, 5, lost.resolve);
    expect(lane.local).toStartWith("127.0.0.9:");
    expect(server.requests[0]).toContain("Call-ID: 000000005@127.0.0.9:");
    server.close();
    expect(await lost.promise).toBe("connection closed");
  });

  test("nobody there: the reason is the system's word", async () => {
    const server = await standIn("tcp");
    server.close();
    const asked = openAndAsk({ transport: "tcp", host: "127.0.0.1", port: server.port }, 1);
    await expect(asked).rejects.toThrow("ECONNREFUSED");
  });
});
