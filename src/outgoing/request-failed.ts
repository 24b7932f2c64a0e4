/** Why a request of ours got no response (RFC 3261 s8.1.3.1). */

const STATUS = {
  unresolved: 503,
  unreachable: 503,
  timeout: 408,
  overloaded: 503,
  closed: 503,
  cancelled: 487,
  over: 481,
  pending: 491,
} as const;

export class RequestFailed extends Error {
  /**
   * `unresolved`: the name led to no server; `unreachable`: nothing could be sent, or the connection was lost; `timeout`:
   * no final response in 64*T1; `overloaded`: this server has no transaction left; `closed`: this server was closed; `cancelled`: it was
   * given up on this side; `over`: the dialog is over or does not
   * stand yet; `pending`: an INVITE is under way in the dialog.
   */
  override readonly cause: keyof typeof STATUS;
  /** The status that stands for it where one is needed. */
  readonly status: number;

  /** @param message one sentence that names the host or the peer */
  constructor(cause: RequestFailed["cause"], message: string) {
    super(message);
    this.name = "RequestFailed";
    this.cause = cause;
    this.status = STATUS[cause];
  }
}
