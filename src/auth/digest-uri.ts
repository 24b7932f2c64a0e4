/** Whether the `uri` of credentials is the Request-URI (RFC 7616 s3.4.6, RFC 8760 s2.6 point 6). */
import { equalRanges } from "../message/bytes.ts";
import { URI_END, URI_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Uri } from "../message/uri.ts";
import { equalUris } from "../message/uri-compare.ts";
import { type Credentials, Param } from "./credentials.ts";

/**
 * Octet by octet first, then by RFC 3261 s19.1.4. A URI without a user also fits when it names the server that the
 * Request-URI names: some clients, SIPp among them, write no more than that.
 */
export function namesRequestUri(message: Message, credentials: Credentials): boolean {
  const { bytes, table } = message;
  const start = table[URI_START]!;
  const end = table[URI_END]!;
  const isPlain = !credentials.isQuoted(Param.Uri);
  if (isPlain && equalRanges(bytes, start, end, bytes, credentials.start(Param.Uri), credentials.end(Param.Uri))) {
    return true;
  }
  const given = Uri.parse(credentials.octets(Param.Uri));
  const wanted = Uri.parse(bytes, start, end);
  if (given === null || wanted === null) return false;
  return equalUris(given, wanted) || isServerOf(given, wanted);
}

function isServerOf(server: Uri, uri: Uri): boolean {
  return (
    server.user === undefined &&
    server.host !== "" &&
    server.scheme === uri.scheme &&
    server.host === uri.host &&
    server.port === uri.port
  );
}
