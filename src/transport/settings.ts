/** What an operator may set about connections: TCP, TLS and WebSocket. */

/** Ceilings and times of connections. All times in milliseconds. */
export interface StreamSettings {
  /** Connections at once, accepted and opened. Default 65,536. */
  connections: number;
  /** Connections at once with one address. Default 4,096. */
  connectionsPerAddress: number;
  /** A connection that carried no octet for so long is closed, unless it has holders (see `Channel`). Default 600,000. */
  idleTimeout: number;
  /** How long an accepted connection may take to its first message, and any message from its first octet to its last. Default 15,000. */
  messageTimeout: number;
  /** How long a connection of ours may take to be open, the TLS handshake included. Default 5,000. */
  connectTimeout: number;
  /** Octets kept for a peer that does not read; over it the connection is closed. Default 1 MiB. */
  writeQueue: number;
  /** TCP keep-alive: silence before the first probe; 0 sends none. Default 60,000. */
  keepAlive: number;
}

export const DEFAULT_STREAMS: Readonly<StreamSettings> = {
  connections: 65_536,
  connectionsPerAddress: 4096,
  idleTimeout: 600_000,
  messageTimeout: 15_000,
  connectTimeout: 5000,
  writeQueue: 1024 * 1024,
  keepAlive: 60_000,
};

/** Whether callers of `tls` and `wss` listeners are asked for a certificate, and what becomes of those without one. */
export type ClientCertificates = "none" | "optional" | "required";

/** Certificates and how far peers are trusted. */
export interface TlsSettings {
  /** The path of a PEM file: this server's certificate, its issuers' behind it. Needed by `tls` and `wss` listeners. */
  certificate?: string | undefined;
  /** The path of a PEM file: the certificate's private key, without a passphrase. */
  privateKey?: string | undefined;
  /** Paths of PEM files: certificates of authorities that peers are trusted by. Default: those of the system. */
  ca?: readonly string[] | undefined;
  /** Default `none`. A certificate that does not verify counts as none when `optional`. */
  clientCertificates?: ClientCertificates | undefined;
  /** Whether a server that is connected to must prove that it is who the URI names (RFC 5922). Default true. */
  verifyServers?: boolean | undefined;
}
