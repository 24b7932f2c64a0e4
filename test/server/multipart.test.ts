/** Bodies of several parts, as a handler sees them. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { findBody, type IncomingRequest } from "../../src/index.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import { OFFER } from "../support/sip-messages.ts";

setDefaultTimeout(20_000);

const BODY = `--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\n${OFFER}\r\n--b--\r\n`;

test("a call with a multipart body is taken by who accepts it, and its parts are there", async () => {
  const seen: unknown[] = [];
  using all = await serverAndClient({
    accept: ["application/sdp", "multipart/mixed"],
    invite(call) {
      seen.push(
        call.parts?.map(({ type }) => type),
        new TextDecoder().decode(findBody(call.message, "application/sdp")!.body),
      );
      call.reject(486);
    },
  });
  await all.client.invite({ body: BODY, contentType: "multipart/mixed;boundary=b" }, 486);
  expect(seen).toEqual([["text/plain", "application/sdp"], OFFER]);
});

test("any other body is its own part, none is none, and a malformed one is null", async () => {
  const seen: unknown[] = [];
  using all = await serverAndClient({
    accept: ["*"],
    message(request: IncomingRequest) {
      seen.push(request.parts?.map(({ type }) => type) ?? null);
      request.reply(200);
    },
  });
  await all.client.ask("MESSAGE", { body: "hello", contentType: "Text/Plain" });
  await all.client.ask("MESSAGE");
  await all.client.ask("MESSAGE", { body: BODY, contentType: "multipart/mixed;boundary=c" });
  expect(seen).toEqual([["text/plain"], [], null]);
});

test("who does not accept it refuses it with 415", async () => {
  using all = await serverAndClient({ invite: (call) => void call.answer(OFFER) });
  const { response } = await all.client.invite({ body: BODY, contentType: "multipart/mixed;boundary=b" }, 415);
  expect(response.list("Accept")).toEqual(["application/sdp"]);
});
