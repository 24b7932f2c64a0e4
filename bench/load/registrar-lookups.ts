/** Look-ups of random AORs at a registrar, timed one by one. */
import { DOMAIN, userName } from "./register-users.ts";

/** Nanoseconds of a look-up, and how many found a binding. */
export interface Lookups {
  readonly count: number;
  readonly found: number;
  readonly mean: number;
  readonly p99: number;
}

/** Calls made before those that count, so that they are compiled. */
const WARM = 20_000;

/**
 * Looks up `count` AORs of users below `users`.
 * @param find how many bindings a URI has
 */
export function timeLookups(count: number, users: number, find: (uri: string) => number): Lookups {
  const uris = Array.from({ length: count }, () => `sip:${userName(Math.floor(Math.random() * users))}@${DOMAIN}`);
  for (let i = 0; i < WARM; i++) find(uris[i % count]!);
  const times = new Float64Array(count);
  let found = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const began = Bun.nanoseconds();
    const bindings = find(uris[i]!);
    times[i] = Bun.nanoseconds() - began;
    total += times[i]!;
    if (bindings > 0) found++;
  }
  return { count, found, mean: total / count, p99: times.sort()[Math.floor(count * 0.99)]! };
}
