/** Ceilings on what one message may hold; over one the answer names it (RFC 3261 s21.4.11, s21.4.12, s21.5.7). */
export interface Limits {
  /** Octets of a whole message. A longer head is 513, a longer body 413. Default 65,536. */
  messageSize: number;
  /** Header fields, each line counted once. Default 256. */
  headers: number;
  /** Octets of one header field, folds included. Default 8,192. */
  headerLength: number;
  /** Octets of the Request-URI; over it the answer is 414. Default 2,048. */
  uriLength: number;
  /** Via values, comma-joined ones counted each. Default 70. */
  vias: number;
}

export const DEFAULT_LIMITS: Readonly<Limits> = {
  messageSize: 65536,
  headers: 256,
  headerLength: 8192,
  uriLength: 2048,
  vias: 70,
};
