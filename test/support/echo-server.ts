/** A server that sends the body of every MESSAGE back, asked one datagram after the other. */
import { DatagramClient } from "./datagram-client.ts";
import { exchange } from "./exchange.ts";
import { requestText } from "./sip-messages.ts";
import { readSip, type SipText } from "./sip-text.ts";
import { type TestServer, testServer } from "./test-server.ts";

/** Starts it. @param limits the ceilings on messages */
export function echoServer(limits = {}): Promise<TestServer> {
  return testServer({
    limits,
    accept: ["*"],
    message(request) {
      request.reply(200, { contentType: "x/y", body: request.body });
    },
  });
}

/** A MESSAGE that is answered at the port it is sent from. */
export function echoRequest(headers: readonly string[] = [], body = "", uri?: string): string {
  return requestText("MESSAGE", { sentBy: "127.0.0.1", viaParams: ";rport", headers, body, contentType: "x/y", uri });
}

/** What each datagram gets from the server. */
export async function answersTo(
  datagrams: readonly (string | Uint8Array)[],
  { address }: TestServer,
): Promise<SipText[][]> {
  using client = await DatagramClient.open("127.0.0.1");
  const answers: SipText[][] = [];
  for (const datagram of datagrams) {
    answers.push((await exchange(client, datagram, address.port)).map((answer) => readSip(answer)));
  }
  return answers;
}

/** Status and reason of each answer, those to one datagram joined by commas. */
export function brief(answers: readonly SipText[][]): string[] {
  return answers.map((list) => list.map(({ status, reason }) => `${status} ${reason}`).join(", "));
}
