/** A locator over a nameserver of the test's, on a clock that the test moves. */
import { DEFAULT_RESOLVE, Locator, type LocatorOptions, type ResolveSettings } from "../../src/resolve/locator.ts";
import type { NextHop, Target } from "../../src/resolve/target.ts";
import { FakeClock } from "./fake-clock.ts";

/** @param nameserver its address @param settings other than the defaults @param options other than: all transports, IPv4 and IPv6, no hosts */
export function locatorAt(
  nameserver: string,
  settings: Partial<ResolveSettings> = {},
  options: Partial<LocatorOptions> = {},
): Locator {
  return new Locator({
    settings: { ...DEFAULT_RESOLVE, nameservers: [nameserver], ...settings },
    hosts: { find: () => undefined },
    clock: new FakeClock(),
    random: () => 0,
    supported: () => true,
    ...options,
  });
}

/** A hop by name: `sip`, nothing else said. */
export function hop(host: string, more: Partial<NextHop> = {}): NextHop {
  return { secure: false, host, port: undefined, transport: undefined, ...more };
}

/** Targets as text: `udp 192.0.2.1 5060`. */
export function brief(targets: readonly Target[]): string[] {
  return targets.map(({ transport, address, port }) => `${transport} ${address} ${port}`);
}
