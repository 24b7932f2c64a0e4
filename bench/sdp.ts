/**
 * SDP on the path of an INVITE: scan of the offer, scan and answer, and an offer of ours. Run: `bun bench/sdp.ts`.
 */

import { bench, do_not_optimize, group, run, summary } from "mitata";
import { ascii } from "../src/message/bytes.ts";
import { writeAnswer, writeOffer } from "../src/sdp/answer.ts";
import { LocalMedia } from "../src/sdp/local.ts";
import { SdpScan } from "../src/sdp/scan.ts";

const lines = (...text: string[]) => ascii(`${text.join("\r\n")}\r\n`);

/** What SIPp and the RFCs' examples send: one stream, one codec. */
const short = lines(
  "v=0",
  "o=alice 2890844526 2890844526 IN IP4 192.0.2.101",
  "s=-",
  "c=IN IP4 192.0.2.101",
  "t=0 0",
  "m=audio 49172 RTP/AVP 0",
  "a=rtpmap:0 PCMU/8000",
);

/** What a desk phone sends: several codecs, telephone events, and a video stream that is refused. */
const phone = lines(
  "v=0",
  "o=- 1730470117 1730470117 IN IP4 192.0.2.55",
  "s=-",
  "c=IN IP4 192.0.2.55",
  "t=0 0",
  "a=sendrecv",
  "m=audio 11784 RTP/AVP 96 9 8 0 101",
  "a=rtpmap:96 opus/48000/2",
  "a=fmtp:96 useinbandfec=1",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-15",
  "a=ptime:20",
  "m=video 11786 RTP/AVP 97",
  "a=rtpmap:97 H264/90000",
  "a=fmtp:97 profile-level-id=42801F",
);

const out = new Uint8Array(1024);
const scan = new SdpScan();
const local = new LocalMedia({ port: 49_920, sessionId: 1_730_470_117, version: 1 });

function both(name: string, body: Uint8Array): void {
  // Compiled before it is measured: mitata times one call at a time where the first ones take long.
  for (let i = 0; i < 200_000; i++) {
    scan.scan(body, 0, body.length);
    writeAnswer(scan, out, 0, local);
  }
  group(`${name}, ${body.length} bytes`, () => {
    summary(() => {
      bench("scan", () => do_not_optimize(scan.scan(body, 0, body.length)));
      bench("scan + answer", () => {
        scan.scan(body, 0, body.length);
        do_not_optimize(writeAnswer(scan, out, 0, local));
      });
    });
  });
}

/** Registers and runs the benchmarks. */
export default async function sdp(): Promise<void> {
  both("one stream", short);
  both("desk phone", phone);
  bench("offer of our own", () => do_not_optimize(writeOffer(out, 0, local)));
  await run();
}

if (import.meta.main) await sdp();
