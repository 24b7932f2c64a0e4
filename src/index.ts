/** Viaduct: a SIP server and library for Bun. */
export { type FullUasSettings, fullUas } from "./apps/full-uas.ts";
export { minimal } from "./apps/minimal.ts";
export type { Dialog, DialogEnd } from "./dialog/dialog.ts";
export type { Limits } from "./message/limits.ts";
export type { Message } from "./message/message.ts";
export type { NameAddr } from "./message/name-addr.ts";
export { Uri } from "./message/uri.ts";
export { equalUris } from "./message/uri-compare.ts";
export type { Via } from "./message/via.ts";
export { type Call, CallEnded, type DialogHandlers } from "./server/call.ts";
export type { HeaderFields } from "./server/header-lines.ts";
export type { IncomingRequest, ReplyOptions, Source } from "./server/incoming-request.ts";
export { ListenError } from "./server/listen.ts";
export type { Handlers, Log, RequestHandler, ServeOptions } from "./server/options.ts";
export { type BoundAddress, type Server, type StopOptions, serve } from "./server/serve.ts";
export type { ServerStats } from "./server/stats.ts";
export type { TimerSettings } from "./transaction/timers.ts";
export type { UdpSettings } from "./transport/udp.ts";
