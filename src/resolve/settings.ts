/** What an operator may set about finding servers. */

/** All times in milliseconds. */
export interface ResolveSettings {
  /** Nameservers by numeric address: `127.0.0.1:5353`, `[::1]:53`, `192.0.2.1`. None: those of the system. */
  nameservers: readonly string[];
  /** How long one DNS query may take in all, every repetition included. Default 3,000. */
  dnsTimeout: number;
  /** How long SRV and NAPTR records are kept: their own time is not known. Default 60,000. */
  cacheTtl: number;
  /** How long it is remembered that a name, or a kind of record, is not there. Default 10,000. */
  cacheNegative: number;
  /** How long a target that failed is tried last. Default 30,000. */
  avoidFailed: number;
}

export const DEFAULT_RESOLVE: Readonly<ResolveSettings> = {
  nameservers: [],
  dnsTimeout: 3000,
  cacheTtl: 60_000,
  cacheNegative: 10_000,
  avoidFailed: 30_000,
};
