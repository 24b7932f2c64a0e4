/**
 * The messages that the microbenchmarks rotate through: eight shapes of INVITE that differ in the order of their header
 * fields, in case, compact names, folds and addresses, each filled in with several sets of random words. One message
 * alone would be learned by heart by the processor's branch predictor, and measure nothing.
 */
import { ascii, latin1 } from "../../src/message/bytes.ts";

/** Messages in a set: all shapes, filled in eight times. */
export const SET = 64;

/** The random words of one message. */
interface Words {
  readonly branch: string;
  readonly tag: string;
  readonly callId: string;
  readonly user: string;
  readonly callee: string;
  readonly host: string;
  readonly proxy: string;
  readonly port: number;
  readonly cseq: number;
}

interface Shape {
  /** Header lines but for the Content fields and To, which stands where `TO` does. */
  lines(words: Words): string[];
  /** The callee's address, to which a response adds its tag. */
  to(words: Words): string;
  readonly contentType: string;
  readonly contentLength: string;
}

const TO = "";
const LONG = { contentType: "Content-Type", contentLength: "Content-Length" };

const SHAPES: readonly Shape[] = [
  {
    // A traffic generator.
    ...LONG,
    to: (w) => `To: ${w.callee} <sip:${w.callee}@${w.proxy}:5060>`,
    lines: (w) => [
      `Via: SIP/2.0/UDP ${w.host}:${w.port};branch=z9hG4bK-${w.branch}`,
      `From: ${w.user} <sip:${w.user}@${w.host}:${w.port}>;tag=${w.tag}`,
      TO,
      `Call-ID: ${w.callId}@${w.host}`,
      `CSeq: ${w.cseq} INVITE`,
      `Contact: <sip:${w.user}@${w.host}:${w.port}>`,
      "Max-Forwards: 70",
    ],
  },
  {
    // Compact names throughout, no blank after the colon.
    contentType: "c",
    contentLength: "l",
    to: (w) => `t:<sip:${w.callee}@${w.proxy}>`,
    lines: (w) => [
      `v:SIP/2.0/UDP ${w.host}:${w.port};rport;branch=z9hG4bK${w.branch}`,
      `f:"${w.user}"<sip:${w.user}@${w.proxy}>;tag=${w.tag}`,
      TO,
      `i:${w.callId}`,
      `CSeq:${w.cseq} INVITE`,
      "Max-Forwards:70",
      `m:<sip:${w.user}@${w.host}:${w.port};ob>`,
      "k:replaces,100rel,timer,norefersub",
    ],
  },
  {
    // A softphone: Contact before To and From, a long Allow.
    ...LONG,
    to: (w) => `To: <sip:${w.callee}@${w.proxy}>`,
    lines: (w) => [
      `Via: SIP/2.0/UDP ${w.host}:${w.port};branch=z9hG4bK-524287-1---${w.branch};rport`,
      "Max-Forwards: 70",
      `Contact: <sip:${w.user}@${w.host}:${w.port};transport=UDP>`,
      TO,
      `From: <sip:${w.user}@${w.proxy};transport=UDP>;tag=${w.tag}`,
      `Call-ID: ${w.callId}`,
      `CSeq: ${w.cseq} INVITE`,
      "Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, OPTIONS",
    ],
  },
  {
    // Came through a proxy.
    ...LONG,
    to: (w) => `To: <sip:${w.callee}@${w.proxy};user=phone>`,
    lines: (w) => [
      `Record-Route: <sip:${w.proxy};lr;ftag=${w.tag}>`,
      `Via: SIP/2.0/UDP ${w.proxy};branch=z9hG4bK${w.branch}.0`,
      `Via: SIP/2.0/UDP ${w.host}:${w.port};received=${w.host};rport=${w.port};branch=z9hG4bK${w.tag}`,
      "Max-Forwards: 69",
      `From: <sip:${w.user}@${w.proxy}>;tag=${w.tag}`,
      TO,
      `Call-ID: ${w.callId}`,
      `CSeq: ${w.cseq} INVITE`,
      `Contact: <sip:${w.user}@${w.host}:${w.port}>`,
    ],
  },
  {
    // Names in lower case, the CSeq first.
    contentType: "content-type",
    contentLength: "content-length",
    to: (w) => `to: sip:${w.callee}@${w.proxy}`,
    lines: (w) => [
      `cseq: ${w.cseq} INVITE`,
      `via: SIP/2.0/UDP ${w.host}:${w.port};branch=z9hG4bK.${w.branch};rport`,
      `from: sip:${w.user}@${w.proxy};tag=${w.tag}`,
      TO,
      "max-forwards: 70",
      `call-id: ${w.callId}`,
      `contact: <sip:${w.user}@${w.host}:${w.port}>;+sip.instance="<urn:uuid:${w.branch}>"`,
      "supported: outbound, path, gruu",
    ],
  },
  {
    // A gateway: quoted names with escapes, parameters before the tag, capitals.
    contentType: "CONTENT-TYPE",
    contentLength: "CONTENT-LENGTH",
    to: (w) => `TO: "+${w.port}${w.cseq}" <sip:+${w.port}${w.cseq}@${w.proxy}>`,
    lines: (w) => [
      `VIA: SIP/2.0/UDP ${w.host}:${w.port};x-route-tag="cid:${w.callee}@${w.host}";branch=z9hG4bK${w.branch}`,
      `FROM: "${w.user} \\"${w.callee}\\"" <sip:${w.user}@${w.host}>;isup-oli=0;tag=${w.tag}`,
      TO,
      `CALL-ID: ${w.callId}@${w.host}`,
      `CSEQ: ${w.cseq} INVITE`,
      "MAX-FORWARDS: 70",
      `CONTACT: <sip:${w.user}@${w.host}:${w.port}>`,
      "EXPIRES: 180",
    ],
  },
  {
    // Folded lines, blanks before the colon, Vias joined by a comma.
    ...LONG,
    to: (w) => `To : <sip:${w.callee}@${w.proxy}>`,
    lines: (w) => [
      `Via : SIP/2.0/UDP ${w.host}:${w.port};branch=z9hG4bK${w.branch} ,\r\n SIP/2.0/UDP ${w.proxy}:5061`,
      `Call-ID : ${w.callId}`,
      `From : ${w.user}\r\n\t<sip:${w.user}@${w.proxy}> ; tag=${w.tag}`,
      TO,
      `CSeq : ${w.cseq}  INVITE`,
      "Max-Forwards : 68",
      `Contact : <sip:${w.user}@${w.host}:${w.port}>`,
      "Subject : a call\r\n over two lines",
    ],
  },
  {
    // IPv6 and telephone numbers.
    ...LONG,
    to: (w) => `To: <tel:+${w.port}${w.cseq};phone-context=${w.proxy}>`,
    lines: (w) => [
      `Via: SIP/2.0/UDP [2001:db8::${w.port.toString(16)}]:${w.port};branch=z9hG4bK_${w.branch}`,
      TO,
      `From: "${w.user}" <sips:${w.user}@[2001:db8::${w.port.toString(16)}]>;tag=${w.tag}`,
      `P-Asserted-Identity: <sip:+${w.port}@${w.proxy};user=phone>`,
      `Call-ID: ${w.callId}`,
      "Max-Forwards: 70",
      `CSeq: ${w.cseq} INVITE`,
      `Contact: <sip:${w.user}@[2001:db8::${w.port.toString(16)}]:${w.port}>`,
    ],
  },
];

/** What a large INVITE carries besides; each shape begins the list elsewhere. */
const MORE = [
  "User-Agent: Example Desk Phone/7.9.12 (build 20417; firmware 3.1)",
  "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, PRACK, UPDATE",
  "Session-Expires: 1800;refresher=uac",
  "Min-SE: 90",
  "Allow-Events: presence, dialog, message-summary, refer, talk, hold",
  "Accept: application/sdp, application/dtmf-relay, multipart/mixed",
  "Date: Sat, 13 Nov 2010 23:29:00 GMT",
  "X-Account-Code: 0049-2214-77810",
];

const OFFER = ["s=-", "t=0 0", "m=audio 11784 RTP/AVP 8 0"];
const MORE_OFFER = [
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=ptime:20",
  "a=sendrecv",
  "m=video 11786 RTP/AVP 97",
  "a=rtpmap:97 H264/90000",
  "a=fmtp:97 profile-level-id=42801F",
];
/** How far the lengths of a set stand from the one asked for; nought on average. */
const SPREAD = [-28, -19, -11, -4, 4, 11, 19, 28];

/** `SET` INVITEs of about `length` octets (600 or more), each in a buffer of its own as a socket hands them over. */
export function invites(length: number): Uint8Array[] {
  return set(length, (words) => `INVITE sip:${words.callee}@${words.proxy} SIP/2.0`, "");
}

/** `SET` 200 responses to INVITEs. */
export function successes(length: number): Uint8Array[] {
  return set(length, () => "SIP/2.0 200 OK", ";tag=as58f4201b");
}

/** The octets of a message on average. */
export function meanLength(messages: readonly Uint8Array[]): number {
  return messages.reduce((sum, message) => sum + message.length, 0) / messages.length;
}

/** Digits that tell one call from another; they stand in every branch, From tag and Call-ID. */
const NUMBER = "00000000";
/** Stands where ACK and BYE have the To tag. */
const TAG = "tttttttttttt";
const ZERO = 0x30;

/** A request that is made again and again with another number and tag. */
class Template {
  readonly #octets: Uint8Array;
  readonly #numbers: number[];
  readonly #tag: number;

  constructor(text: string) {
    this.#octets = ascii(text);
    this.#numbers = [...text.matchAll(new RegExp(NUMBER, "g"))].map(({ index }) => index + NUMBER.length - 1);
    this.#tag = text.indexOf(TAG);
  }

  /** The request in a buffer of its own. */
  make(number: number, tag: Uint8Array | null): Uint8Array {
    const octets = this.#octets.slice();
    for (const last of this.#numbers) {
      for (let at = last, rest = number; rest > 0; at--, rest = Math.floor(rest / 10)) octets[at] = ZERO + (rest % 10);
    }
    if (tag !== null) octets.set(tag, this.#tag);
    return octets;
  }
}

/** The requests of calls of one shape, fresh as from a socket. */
export class CallTemplate {
  /** Octets that the To tag of a response must have. */
  static readonly tagLength = TAG.length;
  readonly #invite: Template;
  readonly #ack: Template;
  readonly #bye: Template;
  readonly #options: Template;

  /** @param index which of the shapes; any whole number */
  constructor(index: number) {
    const shape = index % SHAPES.length;
    const words = wordsFrom(generator(index + 1));
    const numbered = (kind: string): Words => ({
      ...words,
      branch: `${words.branch.slice(0, 8)}${kind}${NUMBER}`,
      tag: `${words.tag}${NUMBER}`,
      callId: `${NUMBER}${words.callId}`,
    });
    const request = (method: string, cseq: number): string => {
      const own = { ...numbered(method[0]!), cseq: words.cseq + cseq };
      const { lines, to, contentLength } = SHAPES[shape]!;
      const tag = method === "OPTIONS" ? "" : `;tag=${TAG}`;
      const fields = lines(own).map((line) => (line === TO ? to(words) + tag : line.replace(/ INVITE$/, ` ${method}`)));
      return [`${method} sip:${words.callee}@${words.proxy} SIP/2.0`, ...fields, `${contentLength}: 0\r\n\r\n`].join(
        "\r\n",
      );
    };
    const startLine = `INVITE sip:${words.callee}@${words.proxy} SIP/2.0`;
    this.#invite = new Template(latin1Text(message(600, shape, startLine, "", numbered("I"))));
    this.#ack = new Template(request("ACK", 0));
    this.#bye = new Template(request("BYE", 1));
    this.#options = new Template(request("OPTIONS", 0));
  }

  invite(number: number): Uint8Array {
    return this.#invite.make(number, null);
  }

  ack(number: number, tag: Uint8Array): Uint8Array {
    return this.#ack.make(number, tag);
  }

  bye(number: number, tag: Uint8Array): Uint8Array {
    return this.#bye.make(number, tag);
  }

  /** A request outside of dialogs, which the server answers by itself. */
  options(number: number): Uint8Array {
    return this.#options.make(number, null);
  }
}

function latin1Text(octets: Uint8Array): string {
  return latin1(octets, 0, octets.length);
}

function set(length: number, startLine: (words: Words) => string, toTag: string): Uint8Array[] {
  const random = generator(length);
  return Array.from({ length: SET }, (_, i) => {
    const turn = Math.floor(i / SHAPES.length);
    const words = wordsFrom(random);
    // Each round goes through the shapes with another step, so that none always follows the same one.
    const shape = (i * (turn * 2 + 1)) % SHAPES.length;
    return message(length + SPREAD[(i + turn) % SPREAD.length]!, shape, startLine(words), toTag, words);
  });
}

function message(length: number, index: number, startLine: string, toTag: string, words: Words): Uint8Array {
  const shape = SHAPES[index]!;
  const isLarge = length > 1000;
  const lines = shape.lines(words).map((line) => (line === TO ? shape.to(words) + toTag : line));
  if (isLarge) lines.push(...MORE.slice(index), ...MORE.slice(0, index));
  const address = `IN IP4 192.0.2.${words.cseq % 250}`;
  const offer = ["v=0", `o=- ${words.port} ${words.cseq} ${address}`, `c=${address}`, ...OFFER];
  if (isLarge) offer.push(...MORE_OFFER);
  let sdp = `${offer.join("\r\n")}\r\n`;
  const head = [startLine, ...lines, `${shape.contentType}: application/sdp`, `${shape.contentLength}: `].join("\r\n");
  // Three digits of Content-Length and two line ends follow the head.
  sdp += filling(length - head.length - 7 - sdp.length);
  return ascii(`${head}${sdp.length}\r\n\r\n${sdp}`);
}

/** Attribute lines of so many octets together; none when there is no room for one. */
function filling(octets: number): string {
  let lines = "";
  while (octets - lines.length >= 10) {
    const line = Math.min(48, octets - lines.length);
    lines += `a=x-a:${"0123456789".repeat(5).slice(0, line - 8)}\r\n`;
  }
  return lines;
}

/** The same numbers in every run: 0 up to `below`. */
function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function wordsFrom(random: (below: number) => number): Words {
  const word = (least: number, most: number): string => {
    let text = "";
    for (let left = least + random(most - least + 1); left > 0; left--) text += random(36).toString(36);
    return text;
  };
  return {
    branch: word(10, 22),
    tag: word(8, 12),
    callId: word(16, 30),
    user: word(4, 10),
    callee: word(4, 10),
    host: `192.0.2.${10 + random(240)}`,
    proxy: ["example.com", "sip.example.net", "pbx.example.org", "198.51.100.7"][random(4)]!,
    port: 5060 + random(50_000),
    cseq: 1 + random(60_000),
  };
}
