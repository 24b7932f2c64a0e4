/** dnsmasq as a nameserver on loopback, with the records that a test gives it. */
import { query } from "../../src/resolve/query.ts";
import { until } from "./until.ts";

/** The path of dnsmasq, or null when it is not installed. It lies where a user's `$PATH` may not lead. */
export function dnsmasqPath(path = `${process.env.PATH ?? ""}:/usr/sbin:/usr/local/sbin`): string | null {
  return Bun.which("dnsmasq", { PATH: path });
}

export interface Dnsmasq extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as the setting `nameservers` takes it. */
  readonly address: string;
}

/** Ports below those that the system gives out: another socket of the test's might have one of those by now. */
const FIRST_PORT = 25_000;
const PORTS = 500;
/** dnsmasq's exit code when its port is taken. */
const TAKEN = 2;

/** Starts it. @param records its flags: `--host-record=NAME,ADDRESS`, `--srv-host=...`, `--naptr-record=...` */
export async function startDnsmasq(...records: string[]): Promise<Dnsmasq> {
  for (let tries = 1; ; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const fixed = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file="];
    fixed.push("--listen-address=127.0.0.1", "--bind-interfaces", `--port=${port}`, "--user=", "--group=");
    const child = Bun.spawn([dnsmasqPath() ?? "dnsmasq", ...fixed, "--host-record=ready.test,127.0.0.1", ...records], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const address = `127.0.0.1:${port}`;
    await until("dnsmasq", async () => {
      return child.exitCode !== null || (await query("A", "ready.test", [address], 200)).records.length > 0;
    });
    if (child.exitCode === null) {
      return {
        address,
        async [Symbol.asyncDispose]() {
          child.kill();
          await child.exited;
        },
      };
    }
    if (child.exitCode !== TAKEN || tries === 5) throw new Error(`dnsmasq ended with ${child.exitCode}`);
  }
}
