/** A binding in words: what stores write, what the command line shows, what is loaded again. */

/** Bits of {@link BindingRow.flags}. */
export const BindingFlag = {
  /** Reached only by the flow that it came over: a WebSocket, or a connection by RFC 5626. */
  FlowOnly: 1,
  /** The Contact names another address than the one it came from: its client sits behind a NAT. */
  Nat: 2,
  /** Its client understands GRUUs (RFC 5627). */
  Gruu: 4,
  /** The flow it depends on is gone. */
  FlowLost: 8,
  /** It does not answer what keeps its NAT open. */
  Silent: 16,
  /** It was registered at another server, which has its flow and keeps its NAT open. Stands in no store. */
  Elsewhere: 32,
} as const;

/** All texts have one character an octet. */
export interface BindingRow {
  /** The same for as long as the binding stands, and of no other of its address-of-record. */
  readonly id: number;
  /** The canonical address-of-record. */
  readonly aor: string;
  /** The display name of the Contact as it came; empty without one. */
  readonly name: string;
  /** The Contact's URI. */
  readonly contact: string;
  /** Its parameters with their semicolons, less `expires` and GRUUs. */
  readonly params: string;
  /** `+sip.instance` without its quotes (RFC 5626); empty without one. */
  readonly instance: string;
  /** `reg-id`; 0 for a binding that is none of RFC 5626. */
  readonly regId: number;
  /** Preference in thousandths, 0 to 1000. */
  readonly q: number;
  readonly callId: string;
  readonly cseq: number;
  /** Seconds since 1970. */
  readonly expires: number;
  /** When it was registered or refreshed last, in seconds since 1970. */
  readonly updated: number;
  /** The values of Path (RFC 3327), joined by commas; empty without. */
  readonly path: string;
  /** Where it came from, as `udp:192.0.2.1:5060`; empty where that was not the client itself. */
  readonly received: string;
  readonly userAgent: string;
  /** Bits of {@link BindingFlag}. */
  readonly flags: number;
}

/** By what a binding is told from others of its address-of-record (RFC 3261 s10.3, RFC 5626 s6). */
export function bindingKey({ regId, instance, contact }: Pick<BindingRow, "regId" | "instance" | "contact">): string {
  return regId > 0 ? `${instance};reg-id=${regId}` : contact;
}
