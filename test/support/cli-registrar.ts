/** The `viaduct` command in mode `registrar` for tests, and a client that registers with it. */

import { type LogRecord, startOn } from "./cli-child.ts";
import { credentials, paramsOf } from "./digest-client.ts";
import type { SipMessage } from "./sip-messages.ts";
import { WireClient } from "./wire-client.ts";

export const DOMAIN = "example.com";

/** What a REGISTER of a test is about. */
export interface Registering {
  user?: string;
  password?: string;
  /** The value of Contact; null for none. */
  contact?: string | null;
  expires?: number;
}

/** Starts it on a free port of the loopback. @param args flags beside those for mode, domain and port */
export async function startRegistrar(...args: string[]) {
  return registrarOf(
    await startOn("--mode", "registrar", "--domains", DOMAIN, "--listen", "udp://127.0.0.1:0", ...args),
  );
}

/** A client for one that was started. */
export async function registrarOf(started: Awaited<ReturnType<typeof startOn>>) {
  const client = await WireClient.open({ address: "127.0.0.1", port: started.ports[0]! });
  let cseq = 0;

  function send(shape: Registering, headers: string[] = []): Promise<SipMessage> {
    const { user = "bob", contact = `<sip:${user}@127.0.0.1:9>`, expires = 600 } = shape;
    const party = `<sip:${user}@${DOMAIN}>`;
    return client.ask("REGISTER", {
      uri: `sip:${DOMAIN}`,
      to: party,
      from: `${party};tag=1`,
      callId: `call-${user}`,
      cseq: ++cseq,
      contact,
      headers: [...(contact === null ? [] : [`Expires: ${expires}`]), ...headers],
    });
  }

  return {
    ...started,
    client,
    /** A REGISTER without credentials. @returns its answer */
    register: (shape: Registering = {}) => send(shape),
    /** The Contacts of a user, as the server tells them. */
    fetch: async (user: string) => (await send({ user, contact: null })).headers("Contact"),
    /** A REGISTER that answers a challenge by MD5. @returns the answer to the second */
    async login(shape: Registering & { realm?: string; signedUri?: string } = {}): Promise<SipMessage> {
      const { user = "bob", password = "secret", realm = DOMAIN, signedUri: uri } = shape;
      const refused = await send(shape);
      const challenges = refused.headers("WWW-Authenticate").map((value) => paramsOf(`WWW-Authenticate: ${value}`));
      const challenge = challenges.find(({ algorithm }) => algorithm === "MD5");
      if (challenge === undefined) throw new Error(`no challenge for MD5: ${refused.startLine}`);
      const login = { username: user, password, nonce: challenge.nonce!, realm, algorithm: "MD5", ...(uri && { uri }) };
      return send(shape, [`Authorization: ${credentials(login)}`]);
    },
    /** Waits for a record of the log. */
    async logged(message: string): Promise<LogRecord> {
      for (;;) {
        const { value, done } = await started.records.next();
        if (done) throw new Error(`never logged: ${message}`);
        if (value.msg === message) return value;
      }
    },
    /** Stops it in order. @returns the exit code */
    async stop(): Promise<number> {
      client[Symbol.dispose]();
      started.child.kill("SIGTERM");
      return started.child.exited;
    },
  };
}
