/** Counts of the UAS core since its start. */
export class CoreCounters {
  /** INVITEs outside a dialog that were handed to the handler. */
  callsStarted = 0;
  /** Calls answered with a 2xx. */
  callsAnswered = 0;
  /** Calls of ours that were answered. */
  callsPlaced = 0;
  /** Requests refused by the server itself, with any status of 400 and above. */
  rejected = 0;
  /** Messages with a fault: refused when they are requests, dropped when they are responses. */
  malformed = 0;
  /** Malformed messages that could not be answered. */
  dropped = 0;
  /** Messages with line ends of a bare LF, taken all the same. */
  bareLineFeeds = 0;
  /** Handlers that threw. */
  handlerErrors = 0;
  /** BYEs of ours that reached nobody. */
  byesUndelivered = 0;
  /** ACKs of no dialog. */
  strayAcks = 0;
}
