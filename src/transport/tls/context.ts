/** The certificates of a server, as they are at the moment, in the shape that Bun takes them. */
import { createSecureContext } from "node:tls";
import type { ClientCertificates, TlsSettings } from "../settings.ts";
import { loadCa, loadTls, type TlsMaterial } from "./files.ts";

/** As Bun takes it. */
const TLS_1_2 = 0x0303;

export class TlsContext {
  readonly clientCertificates: ClientCertificates;
  readonly verifyServers: boolean;
  readonly #settings: TlsSettings;
  #material: TlsMaterial | null = null;
  #ca: string[] | undefined;
  /** What connections accepted after a reload are given in place of what their listener began with. */
  #renewed: object | null = null;

  /** Reads the files. @throws TlsFileError */
  constructor(settings: TlsSettings) {
    this.#settings = settings;
    this.clientCertificates = settings.clientCertificates ?? "none";
    this.verifyServers = settings.verifyServers ?? true;
    this.#read();
  }

  /** Whether there is a certificate to listen with. */
  get hasCertificate(): boolean {
    return this.#material !== null;
  }

  /** What an operator should know of the certificates. */
  get warnings(): readonly string[] {
    return this.#material?.warnings ?? [];
  }

  /** Reads the files again; when one is at fault, all stays as it was. @throws TlsFileError */
  reload(): void {
    this.#read();
    if (this.#material === null) return;
    // Bun's socket takes the context inside that of node:tls; its types know neither.
    this.#renewed = (createSecureContext(this.#files()) as unknown as { context: object }).context;
  }

  #read(): void {
    const material = loadTls(this.#settings);
    this.#ca = material?.ca ?? loadCa(this.#settings.ca);
    this.#material = material;
  }

  /**
   * Gives a socket that was just accepted the certificates as they are now: nobody is refused at a reload, as would be
   * when the listener were closed and opened again.
   */
  renew(socket: object): void {
    if (this.#renewed === null) return;
    (socket as { setKeyCert(context: object): void }).setKeyCert(this.#renewed);
  }

  /** For listeners. Whether a peer's certificate can be trusted is asked after the handshake, by its `authorized`. */
  listenOptions(): Bun.TLSOptions {
    return { ...this.#common(), requestCert: this.clientCertificates !== "none" };
  }

  /** For connections of ours. @param domain the name asked for; null for an address, which may not be sent (RFC 6066 s3) */
  connectOptions(domain: string | null): Bun.TLSOptions {
    return { ...this.#common(), serverName: domain ?? "" };
  }

  #common(): Bun.TLSOptions {
    // RFC 8996: nothing below TLS 1.2. The types do not know the option.
    const version: object = { minVersion: TLS_1_2 };
    return { ...this.#files(), ...version, rejectUnauthorized: false };
  }

  #files(): { cert?: string; key?: string; ca?: string[] } {
    const material = this.#material;
    return {
      ...(material === null ? {} : { cert: material.cert, key: material.key }),
      ...(this.#ca === undefined ? {} : { ca: this.#ca }),
    };
  }
}
