/** From settings to the options of `serve()`, of the modes and of their parts. */

import type { DigestOptions } from "../auth/digest-options.ts";
import type { NatContacts } from "../dialog/way.ts";
import type { RegistrarSettings } from "../registrar/settings.ts";
import type { ResolveSettings } from "../resolve/settings.ts";
import type { StreamSettings, TlsSettings } from "../transport/settings.ts";
import type { Settings } from "./schema.ts";

/** What `serve()` takes beside its handlers and its log. */
export interface SettingOptions {
  listen: string[];
  advertise?: string;
  natContacts: NatContacts;
  timers: { t1: number; t2: number; t4: number };
  limits: {
    messageSize: number;
    headers: number;
    headerLength: number;
    uriLength: number;
    vias: number;
    transactions?: number;
    dialogs?: number;
  };
  udp: { receiveBuffer: number; sendQueue: number; floodBudget: number };
  tls: TlsSettings;
  streams: StreamSettings;
  resolve: ResolveSettings;
}

/** The options that the settings stand for. Lengths are in bytes, times in milliseconds. */
export function toServeOptions(settings: Settings): SettingOptions {
  const { limits, udp, connections, tls, dns } = settings;
  return {
    listen: settings.listen,
    advertise: settings.advertise,
    natContacts: settings["nat-contacts"],
    timers: settings.timers,
    limits: {
      messageSize: limits["message-size"],
      headers: limits.headers,
      headerLength: limits["header-length"],
      uriLength: limits["uri-length"],
      vias: limits.vias,
      transactions: limits.transactions,
      dialogs: limits.dialogs,
    },
    udp: { receiveBuffer: udp["receive-buffer"], sendQueue: udp["send-queue"], floodBudget: udp["flood-budget"] },
    tls: {
      certificate: tls.certificate,
      privateKey: tls["private-key"],
      ca: tls.ca,
      clientCertificates: tls["client-certificates"],
      verifyServers: tls["verify-servers"],
    },
    streams: {
      connections: connections.connections,
      connectionsPerAddress: connections["connections-per-address"],
      idleTimeout: connections["idle-timeout"] * 1000,
      messageTimeout: connections["message-timeout"] * 1000,
      connectTimeout: connections["connect-timeout"] * 1000,
      writeQueue: connections["write-queue"],
      keepAlive: connections["keep-alive"] * 1000,
    },
    resolve: {
      nameservers: dns.nameserver ?? [],
      dnsTimeout: dns["dns-timeout"],
      cacheTtl: dns["dns-cache"] * 1000,
      cacheNegative: dns["dns-negative-cache"] * 1000,
      avoidFailed: dns["avoid-failed"] * 1000,
    },
  };
}

/** What `fullUas()` is told. */
export interface UasOptions {
  ringTime: number;
  finalStatus: number;
  prack: boolean;
  sessionTimers: { expires: number; minSE: number } | false;
  subscriptions: boolean;
  refer: boolean;
  messages: boolean;
}

/** How `fullUas()` is to treat calls. */
export function toUasSettings({ uas }: Settings): UasOptions {
  return {
    ringTime: uas["ring-time"],
    finalStatus: uas["final-status"],
    prack: uas.prack,
    sessionTimers: uas["session-timers"] ? { expires: uas["session-expires"], minSE: uas["min-se"] } : false,
    subscriptions: uas.subscriptions,
    refer: uas.refer,
    messages: uas.messages,
  };
}

/** What `registrar()` is told, but for who may register and where bindings are kept. */
export function toRegistrarSettings({ registrar }: Settings): RegistrarSettings {
  return {
    domains: registrar.domains ?? [],
    minExpires: registrar["min-expires"],
    maxExpires: registrar["max-expires"],
    defaultExpires: registrar["default-expires"],
    maxContacts: registrar["max-contacts"],
    maxBindings: registrar["max-bindings"],
    serviceRoute: registrar["service-route"] ?? [],
    flowTimer: registrar["flow-timer"],
    keepAlive: registrar["nat-keep-alive"],
    keepAliveInterval: registrar["nat-keep-alive-interval"],
  };
}

/** What `digest()` is told, but for the users. */
export function toDigestSettings({ auth }: Settings): Omit<DigestOptions, "users"> {
  return {
    realm: auth.realm!,
    algorithms: auth.algorithms,
    md5Agents: auth["md5-agents"],
    qop: auth.qop,
    authenticationInfo: auth["authentication-info"],
    allowWithoutQop: auth["allow-without-qop"],
    nonceLifetime: auth["nonce-lifetime"],
    nonceSecret: auth["nonce-secret"],
    failures: auth.failures && {
      window: auth["failures-window"],
      slowUserAfter: auth["slow-user-after"],
      slowAddressAfter: auth["slow-address-after"],
      firstDelay: auth["slow-first"],
      longestDelay: auth["slow-longest"],
      refuseUserAfter: auth["refuse-user-after"],
      refuseAddressAfter: auth["refuse-address-after"],
      refuseFor: auth["refuse-for"],
      exempt: auth["exempt-address"] ?? [],
    },
  };
}

/** How `stop()` is to end the server. */
export function toStopOptions(settings: Settings): { graceMs: number; retryAfter: number } {
  return { graceMs: settings.shutdown.grace * 1000, retryAfter: settings.shutdown["retry-after"] };
}
