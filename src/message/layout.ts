/**
 * Where things stand in a message's offset table.
 *
 * One `Int32Array` holds all that a scan found, as octet offsets into the message:
 *
 *     0 ..          fixed slots: the start line, the body, the fields that the transaction layer needs
 *     FIRST ..      for each header number, the record of its first occurrence (0: none)
 *     RECORDS ..    a record of RECORD_SIZE for each header field, in the order of the message
 *
 * A scratch table is reused for every datagram. A message that is kept copies the used part, some 600 octets.
 */
import { HEADER_IDS } from "./header.ts";

/** 1 for a request, 2 for a response, 0 when the start line is neither. */
export const KIND = 0;
export const METHOD = 1;
export const METHOD_START = 2;
export const METHOD_END = 3;
export const URI_START = 4;
export const URI_END = 5;
export const STATUS = 6;
export const REASON_START = 7;
export const REASON_END = 8;
/** Where the message begins: after leading CRLFs. */
export const START = 9;
/** Where the first header line begins. */
export const HEADERS_START = 10;
/** After the line end of the last header line; the blank line follows. */
export const HEADERS_END = 11;
export const BODY_START = 12;
export const BODY_END = 13;
export const HEADER_COUNT = 14;
/** Line ends that were a bare LF. */
export const BARE_LFS = 15;
/** The value of Content-Length; -1 when there is none, -2 when it is malformed, -3 when there are two that differ. */
export const CONTENT_LENGTH = 16;
/** The first {@link Fault} found. */
export const FAULT = 17;
/** How much of the table is used. */
export const USED = 18;

// Filled in by readFields: what RFC 3261 s17.2.3 matches on.
export const VIA_TRANSPORT = 19;
export const VIA_HOST_START = 20;
export const VIA_HOST_END = 21;
/** The port of sent-by, or -1. */
export const VIA_PORT = 22;
export const VIA_BRANCH_START = 23;
export const VIA_BRANCH_END = 24;
/** The `rport` parameter with its value, from its name to its end; 0 when absent. */
export const VIA_RPORT_START = 25;
export const VIA_RPORT_END = 26;
/** The `received` parameter with its value, from its name to its end; 0 when absent. */
export const VIA_RECEIVED_START = 27;
export const VIA_RECEIVED_END = 28;
/** The end of the top Via value: its comma or the end of the field. */
export const VIA_END = 29;
export const VIA_MADDR_START = 30;
export const VIA_MADDR_END = 31;
export const FROM_TAG_START = 32;
export const FROM_TAG_END = 33;
export const TO_TAG_START = 34;
export const TO_TAG_END = 35;
export const CSEQ_NUMBER = 36;
export const CSEQ_METHOD_START = 37;
export const CSEQ_METHOD_END = 38;
/** One of `UriResult` for the Request-URI, as the URI scan saw it. */
export const URI_SCHEME_KIND = 39;

export const FIRST = 40;
export const RECORDS = FIRST + HEADER_IDS;

// A record of one header field.
export const RECORD_ID = 0;
export const RECORD_NAME = 1;
export const RECORD_VALUE = 2;
export const RECORD_VALUE_END = 3;
/** The record of the next field with the same number, or 0. */
export const RECORD_NEXT = 4;
export const RECORD_SIZE = 5;

/** The value of KIND for a request. */
export const REQUEST = 1;
/** The value of KIND for a response. */
export const RESPONSE = 2;
