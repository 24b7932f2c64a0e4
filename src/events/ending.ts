/** Which failures of a SUBSCRIBE or NOTIFY end the subscription (RFC 6665 s4.1.2.2, s4.2.2; RFC 5057 s5.1). */

const ENDING: ReadonlySet<number> = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

/** Whether a status ends the subscription it was sent for, and not only the request. */
export function endsUsage(status: number): boolean {
  return ENDING.has(status);
}
