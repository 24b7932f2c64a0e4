/** Registrations for tests, as stores have them. */
import type { BindingRow } from "../../src/location/row.ts";

/** A registration of bob that was made a minute ago and lasts an hour. @param now in seconds since 1970 */
export function bindingRow(changes: Partial<BindingRow> = {}, now = Math.floor(Date.now() / 1000)): BindingRow {
  return {
    id: 1,
    aor: "sip:bob@example.com",
    name: "",
    contact: "sip:bob@192.0.2.4:5060",
    params: "",
    instance: "",
    regId: 0,
    q: 1000,
    callId: "c1@192.0.2.4",
    cseq: 7,
    expires: now + 3600,
    updated: now - 60,
    path: "",
    received: "udp:192.0.2.4:5060",
    userAgent: "Phone/1",
    flags: 0,
    ...changes,
  };
}
