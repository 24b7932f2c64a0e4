/** One message to a server and all that comes back for it, without waiting for a silence to last. */
import type { DatagramClient } from "./datagram-client.ts";
import { textOf } from "./sip-text.ts";

let probes = 0;

/** An OPTIONS of its own that any server answers, at the port it is sent from. @param host the sender's address */
export function probe(host: string): { text: string; callId: string } {
  const callId = `probe-${++probes}-${process.pid}`;
  const text =
    `OPTIONS sip:probe@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ${host};rport;branch=z9hG4bK${callId}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.1>;tag=p\r\nTo: <sip:probe@127.0.0.1>\r\nCall-ID: ${callId}\r\n` +
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  return { text, callId };
}

/**
 * Sends `bytes` and a probe behind it, and waits for the probe's answer. A server answers in the order it is asked, so
 * what came before is what `bytes` got at once: nothing, if it got nothing.
 */
export async function exchange(
  client: DatagramClient,
  bytes: Uint8Array | string,
  port: number,
): Promise<Uint8Array[]> {
  const from = client.received.length;
  const { text, callId } = probe(client.address);
  client.send(bytes, port);
  client.send(text, port);
  const answered = await client.until((answer) => textOf(answer).includes(callId), from);
  return client.received.slice(from, answered);
}
