/**
 * A response written into the arena from its request's ranges, as the UAS core has it done: 100, 180 with Contact, 200
 * with Contact, Allow and an SDP answer. Run: `bun run bench response`.
 */
import { Arena } from "../src/message/arena.ts";
import { ascii } from "../src/message/bytes.ts";
import { readFields } from "../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../src/message/limits.ts";
import { type ResponseParts, writeResponse } from "../src/message/response.ts";
import { Scanner } from "../src/message/scanner.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { invites, SET } from "./micro/messages.ts";
import { timeOf } from "./micro/sample.ts";

const toTag = ascii("k3v9x2m4p7ab");
const contact = ascii("Contact: <sip:192.0.2.1:5060>\r\n");
const capabilities = ascii(
  "Contact: <sip:192.0.2.1:5060>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nSupported: \r\nAccept: application/sdp\r\n",
);
const body = ascii(
  [
    "v=0",
    "o=- 1730470117000 0 IN IP4 192.0.2.1",
    "s=-",
    "c=IN IP4 192.0.2.1",
    "t=0 0",
    "m=audio 9 RTP/AVP 8",
    "a=rtpmap:8 PCMA/8000",
    "",
  ].join("\r\n"),
);

/** Made anew for each response, as the core does. */
const RESPONSES: readonly [name: string, parts: () => ResponseParts][] = [
  ["100", () => ({ status: 100, toTag: null })],
  ["180 with Contact", () => ({ status: 180, toTag, headers: contact, recordRoute: true })],
  [
    "200 with SDP",
    () => ({ status: 200, toTag, headers: capabilities, contentType: "application/sdp", body, recordRoute: true }),
  ],
];

export default async function response({ effort, figure }: Bench): Promise<void> {
  const arena = new Arena();
  const scanner = new Scanner();
  const requests = invites(600).map((octets) => {
    const message = scanner.scanDatagram(octets);
    readFields(message, DEFAULT_LIMITS);
    return message.keep();
  });
  for (const [name, parts] of RESPONSES) {
    let octets = 0;
    const times = await timeOf(
      SET,
      () => {
        octets = 0;
        for (let i = 0; i < SET; i++) {
          const start = writeResponse(arena, requests[i]!, parts(), "203.0.113.77", 40_000 + i);
          octets += arena.at - start;
        }
        arena.reset();
      },
      effort,
    );
    figure({ name, unit: "ns", ...times, note: `${Math.round(octets / SET)} bytes on average` });
  }
  const all = await timeOf(
    SET,
    () => {
      for (let i = 0; i < SET; i++) {
        for (const [, parts] of RESPONSES) writeResponse(arena, requests[i]!, parts(), "203.0.113.77", 40_000 + i);
      }
      arena.reset();
    },
    effort,
  );
  figure({ name: "the three of them to one INVITE", unit: "ns", ...all });
}

if (import.meta.main) await runOne("response", response);
