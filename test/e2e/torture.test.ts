/** The messages of RFC 4475 and RFC 5118 over UDP, each to a server that has seen nothing else. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fullUas, type Handlers, type IncomingRequest } from "../../src/index.ts";
import { expectCopiedFields } from "../support/copied-fields.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { exchange } from "../support/exchange.ts";
import { type TortureCase, torture } from "../support/fixtures.ts";
import { listOf, looseFields, onlyValueOf, readSip, type SipText, valuesOf } from "../support/sip-text.ts";
import { testServer } from "../support/test-server.ts";

// Longer than a client waits, so that a failure says what did not come.
setDefaultTimeout(15_000);

const CLIENT = "127.0.0.9";
/** A request without `rport` is answered at the port its Via names: that is where the client has to be. */
const VIA_PORTS: Readonly<Record<string, number>> = {
  quotbal: 5050,
  mpart01: 0,
  "ipv4-mapped-ipv6": 19823,
  "mult-ip-in-header": 6050,
};
/** Offers of nothing but G726-32 and H.263, which `full-uas` does not speak: RFC 3261 s13.3.1.3 has 488. */
const NO_COMMON_CODEC = new Set(["ipv6-in-sdp", "ipv4-mapped-ipv6"]);

const messages = torture();
const named = (name: string) => messages.find((message) => message.name === name)!;

/** What the message gets from a server with these handlers, oldest first. */
/** Calls and OPTIONS: the methods of RFC 3261 that the set was written for. */
const CALLS_ALONE = fullUas({
  messages: false,
  prack: false,
  sessionTimers: false,
  subscriptions: false,
  refer: false,
});

async function ask({ name, bytes }: TortureCase, handlers: Handlers = CALLS_ALONE): Promise<SipText[]> {
  using server = await testServer(handlers);
  using client = await DatagramClient.open(CLIENT, VIA_PORTS[name] ?? 5060);
  const answers = await exchange(client, bytes, server.address.port);
  expect(server.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  return answers.map((answer) => expectCopiedFields(answer, bytes, CLIENT, client.port));
}

/** The one final response among the answers. */
function finalOf(answers: readonly SipText[]): SipText {
  const finals = answers.filter(({ status }) => status >= 200);
  expect(finals.map(({ startLine }) => startLine)).toHaveLength(1);
  expect(answers.at(-1)).toBe(finals[0]!);
  return finals[0]!;
}

/** What a well-formed request of this kind gets from `full-uas`. */
function normalStatus({ name, kind, bytes }: TortureCase): number {
  if (NO_COMMON_CODEC.has(name)) return 488;
  const inDialog = looseFields(bytes).some(([field, value]) => field === "to" && /;\s*tag\s*=/.test(value));
  if (inDialog) return 481;
  switch (kind.slice("req ".length)) {
    case "INVITE":
    case "OPTIONS":
      return 200;
    case "BYE":
      return 481;
    case "MESSAGE":
    case "REGISTER":
      return 405;
    default:
      return 501;
  }
}

/** The status codes the lists allow; null for silence. */
function allowed(message: TortureCase): (number | null)[] {
  const { acceptCodes, parser, valid } = message;
  if (acceptCodes === null) return [null];
  if (acceptCodes === undefined) {
    if (parser === "reject") return [400];
    return valid === "valid" ? [normalStatus(message)] : [normalStatus(message), 400];
  }
  return (acceptCodes === "normal" ? ["normal"] : acceptCodes).flatMap((code) => {
    if (code === "forward") return [];
    return [typeof code === "string" ? normalStatus(message) : code];
  });
}

test("there are 49 messages of RFC 4475 and 12 of RFC 5118", () => {
  expect(messages.filter(({ rfc }) => rfc === "rfc4475")).toHaveLength(49);
  expect(messages.filter(({ rfc }) => rfc === "rfc5118")).toHaveLength(12);
});

describe("full-uas", () => {
  for (const message of messages) {
    const isRegister = message.kind === "req REGISTER";
    // It is no registrar: a REGISTER without a fault of its own gets 405 (RFC 4475 s3.3.7).
    const codes = isRegister && message.parser !== "reject" ? [405] : allowed(message);
    test(`${message.rfc} s${message.section} ${message.name}: ${codes.map((code) => code ?? "silence").join(" or ")}`, async () => {
      const answers = await ask(message);
      if (answers.length === 0) expect(codes).toContain(null);
      else expect(codes).toContain(finalOf(answers).status);
      if (answers.at(-1)?.status === 405 || answers.at(-1)?.status === 501) {
        expect(listOf(answers.at(-1)!, "allow")).toEqual(["INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS"]);
      }
    });
  }
});

const AOR_SCHEMES = new Set(["sip", "sips", "tel"]);

/** A registrar in small, on the public API alone. Contacts go back as they were read. */
function echoRegistrar(): Handlers & { seen: IncomingRequest[] } {
  const seen: IncomingRequest[] = [];
  return {
    ...CALLS_ALONE,
    seen,
    register(request) {
      seen.push(request);
      const { contacts } = request;
      if (!AOR_SCHEMES.has(request.to.uri?.scheme ?? ""))
        return request.reply(400, { reason: "Malformed Address-Of-Record" });
      if (contacts === null || contacts === "*" || contacts.some(({ uri }) => uri === null)) {
        return request.reply(400, { reason: "Malformed Contact" });
      }
      return request.reply(200, { headers: { Contact: contacts.map(String) } });
    },
  };
}

describe("a server with a register handler", () => {
  for (const message of messages.filter(({ kind }) => kind === "req REGISTER")) {
    const codes = message.acceptCodes === undefined && message.parser !== "reject" ? [200] : allowed(message);
    test(`${message.rfc} s${message.section} ${message.name}: ${codes.join(" or ")}`, async () => {
      expect(codes).toContain(finalOf(await ask(message, echoRegistrar())).status);
    });
  }

  async function contactsFor(name: string): Promise<string[]> {
    return valuesOf(finalOf(await ask(named(name), echoRegistrar())), "contact");
  }

  test("escnull: %00 ends nothing; the two Contacts are two bindings of an AOR with its whole name", async () => {
    const registrar = echoRegistrar();
    const answer = finalOf(await ask(named("escnull"), registrar));
    expect(valuesOf(answer, "contact")).toEqual(["<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"]);
    const { contacts, to } = registrar.seen[0]!;
    if (contacts === null || contacts === "*") throw new Error("no contacts");
    expect(to.uri!.user).toBe("null-\0-null");
    expect(contacts.map(({ uri }) => uri!.user)).toEqual(["\0", "\0\0"]);
  });

  test("cparam01: a parameter behind a bare address is the Contact's", async () => {
    expect(await contactsFor("cparam01")).toEqual(["<sip:+19725552222@gw1.example.net>;unknownparam"]);
  });

  test("cparam02: a parameter inside the brackets is the URI's", async () => {
    expect(await contactsFor("cparam02")).toEqual(["<sip:+19725552222@gw1.example.net;unknownparam>"]);
  });

  test("regescrt: the escaped Route stays in the URI of the binding", async () => {
    expect(await contactsFor("regescrt")).toEqual(["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"]);
  });

  test("regbadct: a ? outside brackets is a malformed Contact", async () => {
    expect(finalOf(await ask(named("regbadct"), echoRegistrar())).status).toBe(400);
  });

  test("unksm2: an AOR of scheme isbn cannot be registered", async () => {
    expect(finalOf(await ask(named("unksm2"), echoRegistrar())).status).toBe(400);
  });

  test("regaut01: without Contact it asks, and is answered without authentication", async () => {
    const answer = finalOf(await ask(named("regaut01"), echoRegistrar()));
    expect(answer.status).toBe(200);
    expect(valuesOf(answer, "contact")).toEqual([]);
  });

  test("dblreq: one answer, to the REGISTER; the INVITE behind it is not read", async () => {
    const registrar = echoRegistrar();
    const invites: unknown[] = [];
    const answers = await ask(named("dblreq"), { ...registrar, invite: (call) => invites.push(call) });
    expect(answers).toHaveLength(1);
    expect(answers[0]!.status).toBe(200);
    expect(onlyValueOf(answers[0]!, "cseq")).toBe("8 REGISTER");
    expect(invites).toEqual([]);
  });

  test("ipv6-good, port-ambiguous, port-unambiguous: where the Request-URI's host ends and its port begins", async () => {
    for (const [name, host, port] of [
      ["ipv6-good", "[2001:db8::10]", undefined],
      ["port-ambiguous", "[2001:db8::10:5070]", undefined],
      ["port-unambiguous", "[2001:db8::10]", 5070],
    ] as const) {
      const registrar = echoRegistrar();
      await ask(named(name), registrar);
      const { uri } = registrar.seen[0]!;
      expect([uri!.host, uri!.port]).toEqual([host, port]);
    }
  });
});

describe("what can be seen beside the status", () => {
  test("wsinv: folded and spaced Vias come back as they were, 481 for a To tag nobody gave", async () => {
    const answer = finalOf(await ask(named("wsinv")));
    expect(answer.status).toBe(481);
    expect(valuesOf(answer, "via")).toHaveLength(2);
    expect(onlyValueOf(answer, "to")).toBe("sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n");
  });

  test("intmeth: To, From and Call-ID are echoed octet for octet, NUL and UTF-8 too", async () => {
    const answer = finalOf(await ask(named("intmeth")));
    expect(answer.status).toBe(501);
    expect(onlyValueOf(answer, "to")).toContain('"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f"');
    const from = Buffer.from(onlyValueOf(answer, "from"), "latin1").toString("utf8");
    expect(from).toContain('="работающий";tag=_token');
    expect(onlyValueOf(answer, "call-id")).toBe("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
  });

  test("esc01: the octets of an escaped user are compared, values are unescaped once", async () => {
    const seen: string[] = [];
    const uas = CALLS_ALONE;
    await ask(named("esc01"), {
      ...uas,
      invite(call) {
        const { contacts } = call;
        if (contacts !== null && contacts !== "*") seen.push(contacts[0]!.uri!.params.get("name") as string);
        seen.push(call.to.uri!.user!, call.uri!.user!);
        uas.invite!(call);
      },
    });
    expect(seen).toEqual(["value%41", "user", "sips:user@example.com"]);
  });

  test("esc02: an escaped method is no REGISTER, an escaped name no Contact", async () => {
    const registrar = echoRegistrar();
    const others: IncomingRequest[] = [];
    const request = (other: IncomingRequest) => {
      others.push(other);
      other.reply(501);
    };
    expect(finalOf(await ask(named("esc02"), { ...registrar, request })).status).toBe(501);
    expect(registrar.seen).toEqual([]);
    expect(others[0]!.method).toBe("RE%47IST%45R");
    expect((others[0]!.contacts as unknown[]).map(String)).toEqual([
      "<sip:alias1@host1.example.com>",
      "<sip:alias3@host3.example.com>",
    ]);
  });

  test("longreq: all 34 Vias are copied in order", async () => {
    for (const answer of await ask(named("longreq"))) {
      const vias = valuesOf(answer, "via").map((via) => via.replace(/^.*\s/, "").replace(/;.*$/, ""));
      const proxies = Array.from({ length: 33 }, (_, index) => `sip${33 - index}.example.com`);
      expect(vias).toEqual([...proxies, "host.example.com"]);
    }
  });

  test("transports: the answer goes by the top Via alone; the five come back in order", async () => {
    const answer = finalOf(await ask(named("transports")));
    expect(valuesOf(answer, "via").map((via) => via.split(" ")[0])).toEqual([
      "SIP/2.0/UDP",
      "SIP/2.0/SCTP",
      "SIP/2.0/TLS",
      "SIP/2.0/UNKNOWN",
      "SIP/2.0/TCP",
    ]);
  });

  test("semiuri: the user holds a semicolon and an escaped @", async () => {
    let user: string | undefined;
    const answers = await ask(named("semiuri"), {
      options(request) {
        // The probe behind the message asks too.
        user ??= request.uri!.user;
        request.reply(200);
      },
    });
    expect(finalOf(answers).status).toBe(200);
    expect(user).toBe("user;par=u@example.net");
  });

  test("mpart01: a server that takes any body gets all 553 octets", async () => {
    const bodies: Uint8Array[] = [];
    const message = (request: IncomingRequest) => {
      bodies.push(request.body);
      request.reply(200);
    };
    expect(finalOf(await ask(named("mpart01"), { accept: ["*"], message })).status).toBe(200);
    const { bytes } = named("mpart01");
    expect(bodies).toEqual([bytes.subarray(bytes.length - 553)]);
  });

  test("mpart01: a server that reads SDP alone says so with 415", async () => {
    const message = (request: IncomingRequest) => request.reply(200);
    const answer = finalOf(await ask(named("mpart01"), { accept: ["application/sdp"], message }));
    expect(answer.status).toBe(415);
    expect(onlyValueOf(answer, "accept")).toBe("application/sdp");
  });

  test("zeromf: Max-Forwards 0 is a proxy's business", async () => {
    expect(finalOf(await ask(named("zeromf"))).status).toBe(200);
  });

  test("baddate: a Date that cannot be read harms nothing", async () => {
    expect(finalOf(await ask(named("baddate"))).status).toBe(200);
  });

  test("bext01: Unsupported lists the tags of Require, not those of Proxy-Require", async () => {
    const answer = finalOf(await ask(named("bext01")));
    expect(listOf(answer, "unsupported")).toEqual(["nothingSupportsThis", "nothingSupportsThisEither"]);
  });

  test("invut: 415 says which types are read", async () => {
    const answer = finalOf(await ask(named("invut")));
    expect(answer.status).toBe(415);
    expect(onlyValueOf(answer, "accept")).toBe("application/sdp");
  });

  test("sdp01: 406 with Warning 399", async () => {
    const answer = finalOf(await ask(named("sdp01")));
    expect(answer.status).toBe(406);
    expect(onlyValueOf(answer, "warning")).toMatch(/^399 127\.0\.0\.1 "/);
  });

  test("inv2543: a call without branch, From tag, Content-Length and Max-Forwards is answered with its Record-Route", async () => {
    const answer = finalOf(await ask(named("inv2543")));
    expect(answer.status).toBe(200);
    expect(onlyValueOf(answer, "record-route")).toBe("<sip:UserB@example.com;maddr=ss1.example.com>");
    expect(answer.body).toContain("\r\nm=audio 9 RTP/AVP 0\r\n");
  });

  test("mult-ip-in-sdp: the audio stream is taken, the video stream refused", async () => {
    const answer = finalOf(await ask(named("mult-ip-in-sdp")));
    expect(answer.body.match(/^m=.*$/gm)).toEqual([
      expect.stringMatching(/^m=audio [1-9]\d* RTP\/AVP 0\b/),
      expect.stringMatching(/^m=video 0 RTP\/AVP 107\b/),
    ]);
  });

  test("via-received-param-no-delim, -with-delim: what the sender says of itself is not believed", async () => {
    for (const name of ["via-received-param-no-delim", "via-received-param-with-delim"]) {
      const answer = finalOf(await ask(named(name)));
      expect(onlyValueOf(answer, "via")).toContain(`;received=${CLIENT}`);
      expect(onlyValueOf(answer, "via")).not.toContain("9:255");
    }
  });

  test("every refusal of a malformed message says in its reason what is wrong", async () => {
    for (const [name, reason] of [
      ["badinv01", "Malformed Via"],
      ["clerr", "Content-Length Exceeds The Datagram"],
      ["ncl", "Malformed Content-Length"],
      ["scalar02", "Malformed CSeq"],
      ["quotbal", "Malformed To"],
      ["ltgtruri", "Malformed Request-URI"],
      ["lwsruri", "Malformed Request Line"],
      ["escruri", "Request-URI Must Not Carry Headers"],
      ["baddn", "Message Ends Before The Blank Line"],
      ["badvers", "Version Not Supported"],
      ["mismatch01", "CSeq Method Differs From Request Method"],
      ["badbranch", "Empty Branch After The Magic Cookie"],
      ["insuf", "Missing From"],
      ["multi01", "Repeated Header Field That Must Be Single"],
      ["mcl01", "Content-Length Values Differ"],
      ["ipv6-bad", "Malformed Request-URI"],
    ] as const) {
      expect([name, finalOf(await ask(named(name))).reason]).toEqual([name, reason]);
    }
  });

  test("a retransmission gets the answer of the first again", async () => {
    const { bytes } = named("zeromf");
    using server = await testServer();
    using client = await DatagramClient.open(CLIENT, 5060);
    const [first] = await exchange(client, bytes, server.address.port);
    const [second] = await exchange(client, bytes, server.address.port);
    expect(readSip(first!).status).toBe(200);
    expect(second).toEqual(first!);
  });
});
