/** Sends a request inside a dialog (RFC 3261 s12.2.1.1). */
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { writeRequest } from "../message/request.ts";
import type { TokenSource } from "../message/token-source.ts";
import { Uri } from "../message/uri.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import { isNumericHost, SIP_PORT } from "../transport/address.ts";
import type { Dialog } from "./dialog.ts";

const COOKIE = ascii("z9hG4bK");
const BRANCH_LETTERS = 16;

/**
 * Sends a request without a body through a transaction of its own.
 * @returns the transaction's slot, or -1 when there is none left
 */
export function sendInDialog(layer: TransactionLayer, tokens: TokenSource, dialog: Dialog, method: string): number {
  const { channel, invite } = dialog;
  const routes = dialog.routeSet;
  let uri = dialog.remoteTarget;
  const first = routes[0] === undefined ? null : Uri.parse(routes[0]);
  // A strict router as first hop takes its own URI as Request-URI and finds the target last in Route.
  if (first !== null && !first.lr) {
    routes.push(uri);
    uri = routes.shift()!;
  }
  const hop = hopOf(first ?? Uri.parse(uri), dialog);
  const branch = tokens.token(BRANCH_LETTERS, COOKIE);
  const to = invite.first(Header.From);
  const from = invite.first(Header.To);
  const callId = invite.first(Header.CallId);
  const start = writeRequest(channel.arena, {
    method,
    uri,
    transport: channel.transport,
    sentBy: channel.sentByFor(hop.address),
    branch,
    from: withTag(invite.bytes.subarray(invite.valueStart(from), invite.valueEnd(from)), dialog.localTag),
    to: invite.bytes.subarray(invite.valueStart(to), invite.valueEnd(to)),
    callId: invite.bytes.subarray(invite.valueStart(callId), invite.valueEnd(callId)),
    cseq: ++dialog.localCSeq,
    headers: routes.length === 0 ? undefined : ascii(routes.map((route) => `Route: <${route}>\r\n`).join("")),
  });
  return layer.request(channel, hop.address, hop.port, start, branch, method, dialog);
}

function withTag(to: Uint8Array, tag: Uint8Array): Uint8Array {
  const mark = ascii(";tag=");
  const value = new Uint8Array(to.length + mark.length + tag.length);
  value.set(to);
  value.set(mark, to.length);
  value.set(tag, to.length + mark.length);
  return value;
}

/** Where the next hop listens. A host that is a name is not looked up: such a request goes where the INVITE came from. */
function hopOf(uri: Uri | null, dialog: Dialog): { address: string; port: number } {
  const host = uri?.maddr ?? uri?.host;
  if (uri === null || host === undefined || !isNumericHost(host)) return { address: dialog.address, port: dialog.port };
  return { address: host.replace(/^\[|\]$/g, ""), port: uri.port ?? SIP_PORT };
}
