/** A SIP server over TLS that answers every request with 200: what requests of the server under test are sent to. */
import { readFileSync } from "node:fs";
import { CA_FILE, type CertificateFiles } from "./certificates.ts";
import { responseText, SipMessage } from "./sip-messages.ts";
import { bytesOf } from "./sip-text.ts";
import { StreamSplitter } from "./stream-splitter.ts";

interface Wire {
  readonly splitter: StreamSplitter;
  /** Whether the caller's certificate was trusted, once the handshake is over. */
  isTrusted: boolean;
}

/** PEM texts of a certificate and its key, as Bun's sockets take them. */
export function pem({ certificate, privateKey }: CertificateFiles): { cert: string; key: string } {
  return { cert: readFileSync(certificate, "utf8"), key: readFileSync(privateKey, "utf8") };
}

export class TlsListener {
  /** Requests that came, oldest first. */
  readonly requests: SipMessage[] = [];
  /** Responses to what it sent. */
  readonly responses: SipMessage[] = [];
  /** Connections that were accepted. */
  accepted = 0;
  /** Of these, those whose caller showed a certificate that the test authority issued. */
  trusted = 0;
  /** The last four digits of the serial numbers that callers' certificates have. */
  readonly serials: string[] = [];
  /** The names that callers asked for. */
  readonly serverNames: string[] = [];
  /** Whether requests are answered. */
  answers = true;
  readonly #listener: Bun.TCPSocketListener<Wire>;
  readonly #sockets = new Set<Bun.Socket<Wire>>();

  /** @param host a loopback address */
  constructor(files: CertificateFiles, host = "127.0.0.1") {
    this.#listener = Bun.listen<Wire>({
      hostname: host,
      port: 0,
      tls: { ...pem(files), ca: readFileSync(CA_FILE, "utf8"), requestCert: true, rejectUnauthorized: false },
      socket: {
        open: (socket) => {
          socket.data = { splitter: new StreamSplitter(), isTrusted: false };
          this.#sockets.add(socket);
          this.accepted++;
        },
        handshake: (socket) => {
          if (socket.authorized) this.trusted++;
          const serial = socket.getPeerX509Certificate()?.serialNumber;
          if (serial !== undefined) this.serials.push(serial.slice(-4));
          const name = socket.getServername();
          if (typeof name === "string") this.serverNames.push(name);
        },
        data: (socket, octets) => {
          for (const message of socket.data.splitter.push(octets)) this.#take(socket, new SipMessage(message));
        },
        close: (socket) => {
          this.#sockets.delete(socket);
        },
        error() {},
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Sends over every connection. */
  send(text: string): void {
    for (const socket of this.#sockets) socket.write(bytesOf(text));
  }

  /** Closes all connections; more are accepted. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.end();
  }

  /** Resets all connections; more are accepted. */
  reset(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  #take(socket: Bun.Socket<Wire>, message: SipMessage): void {
    if (message.status !== 0) {
      this.responses.push(message);
      return;
    }
    this.requests.push(message);
    if (this.answers && message.method !== "ACK") socket.write(bytesOf(responseText(message, 200)));
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}
