/**
 * What can be wrong with a message. A fault carries the status and the reason phrase a request is answered with, so that
 * the sender is told what to mend. Responses with a fault are dropped.
 */
export const Fault = {
  None: 0,
  /** Not SIP at all: nothing to answer. */
  NotSip: 1,
  StartLine: 2,
  Version: 3,
  HeaderLine: 4,
  Incomplete: 5,
  TooManyHeaders: 6,
  HeaderTooLong: 7,
  UriTooLong: 8,
  MessageTooLarge: 9,
  BodyTooLarge: 10,
  TooManyVias: 11,
  ContentLength: 12,
  ContentLengthDiffers: 13,
  BodyShort: 14,
  Via: 15,
  NoVia: 16,
  From: 17,
  To: 18,
  CallId: 19,
  CSeq: 20,
  CSeqMethod: 21,
  NoFrom: 22,
  NoTo: 23,
  NoCallId: 24,
  NoCSeq: 25,
  Repeated: 26,
  MaxForwards: 27,
  RequestUri: 28,
  UriHeaders: 29,
  Scheme: 30,
  Contact: 31,
  RecordRoute: 32,
  Branch: 33,
  StatusCode: 34,
  NoContentLength: 35,
} as const;
/** The number of a fault. */
export type Fault = (typeof Fault)[keyof typeof Fault];

const TEXT: readonly (readonly [number, string])[] = [
  [200, "OK"],
  [400, "Not A SIP Message"],
  [400, "Malformed Request Line"],
  [505, "Version Not Supported"],
  [400, "Malformed Header Line"],
  [400, "Message Ends Before The Blank Line"],
  [400, "Too Many Header Fields"],
  [400, "Header Field Too Long"],
  [414, "Request-URI Too Long"],
  [513, "Message Too Large"],
  [413, "Request Entity Too Large"],
  [400, "Too Many Via Values"],
  [400, "Malformed Content-Length"],
  [400, "Content-Length Values Differ"],
  [400, "Content-Length Exceeds The Datagram"],
  [400, "Malformed Via"],
  [400, "Missing Via"],
  [400, "Malformed From"],
  [400, "Malformed To"],
  [400, "Malformed Call-ID"],
  [400, "Malformed CSeq"],
  [400, "CSeq Method Differs From Request Method"],
  [400, "Missing From"],
  [400, "Missing To"],
  [400, "Missing Call-ID"],
  [400, "Missing CSeq"],
  [400, "Repeated Header Field That Must Be Single"],
  [400, "Malformed Max-Forwards"],
  [400, "Malformed Request-URI"],
  [400, "Request-URI Must Not Carry Headers"],
  [416, "Unsupported URI Scheme"],
  [400, "Malformed Contact"],
  [400, "Malformed Record-Route"],
  [400, "Empty Branch After The Magic Cookie"],
  [400, "Malformed Status Code"],
  [400, "Missing Content-Length"],
];

/** The status a request with this fault is answered with. */
export function faultStatus(fault: number): number {
  return TEXT[fault]?.[0] ?? 400;
}

/** The reason phrase that names the fault. */
export function faultReason(fault: number): string {
  return TEXT[fault]?.[1] ?? "Bad Request";
}
