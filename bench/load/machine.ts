/** The machine and the programs that a figure was measured with. */
import { cpus, release, totalmem, type } from "node:os";
import manifest from "../../package.json" with { type: "json" };

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly memoryBytes: number;
}

export interface Versions {
  readonly bun: string;
  readonly viaduct: string;
  /** `undefined` when SIPp is not installed. */
  readonly sipp: string | undefined;
}

export function machine(): Machine {
  const all = cpus();
  const cpu = all[0]?.model.trim() || "unknown";
  return { cpu, cores: all.length, kernel: `${type()} ${release()}`, memoryBytes: totalmem() };
}

export function versions(): Versions {
  return { bun: Bun.version, viaduct: manifest.version, sipp: sippVersion() };
}

/** What `sipp -v` calls itself, such as `v3.6.1-SCTP-PCAP-RTPSTREAM`; `undefined` when there is no SIPp. */
export function sippVersion(): string | undefined {
  if (!Bun.which("sipp")) return undefined;
  const { stdout, stderr } = Bun.spawnSync(["sipp", "-v"]);
  return /SIPp (v[\w.-]*\w)/.exec(`${stdout}${stderr}`)?.[1] ?? "unknown";
}
