/**
 * What a process costs, read from Linux's `/proc`, and which core it runs on. Read from outside, so that ours and
 * SIPp's are measured with the same ruler; every thread of the process counts, the garbage collector's too.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Kernel ticks a second in `/proc/PID/stat`: USER_HZ, 100 on every Linux port that Bun runs on. */
const TICKS_A_SECOND = 100;

/** Where {@link freePort} looks: Linux hands out 32,768 and up by itself, and well-known ports lie below 10,000. */
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/** CPU in microseconds since the process started. */
export interface Cpu {
  readonly user: number;
  readonly system: number;
}

/** Memory in bytes: resident now, and the most there ever was. */
export interface Memory {
  readonly resident: number;
  readonly peak: number;
}

/** Reads utime and stime of all threads; to 10 ms. `undefined` when the process is gone or there is no `/proc`. */
export function cpuOf(pid: number): Cpu | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name, field 2, may hold spaces and parentheses; utime and stime are fields 14 and 15.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const micros = 1_000_000 / TICKS_A_SECOND;
  return { user: Number(fields[11]) * micros, system: Number(fields[12]) * micros };
}

/** Reads VmRSS and VmHWM. `undefined` when the process is gone or there is no `/proc`. */
export function memoryOf(pid: number): Memory | undefined {
  const text = read(`/proc/${pid}/status`);
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1]);
  const resident = kilobytes("VmRSS") * 1024;
  return Number.isNaN(resident) ? undefined : { resident, peak: kilobytes("VmHWM") * 1024 };
}

/**
 * Microseconds that the first threads of processes were ready to run and had no core, since they started: another program
 * had it, or another of their own threads. `undefined` where the kernel does not tell.
 */
export function waitOf(pids: readonly number[]): number | undefined {
  const all = pids.map((pid) => Number(read(`/proc/${pid}/schedstat`)?.split(" ")[1]) / 1000);
  return all.some(Number.isNaN) ? undefined : all.reduce((sum, micros) => sum + micros, 0);
}

/** The process and its children, for a server that forks. */
export function familyOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`) ?? "";
  return [pid, ...children.split(" ").filter(Boolean).map(Number)];
}

/** CPU of several processes together. */
export function cpuOfAll(pids: readonly number[]): Cpu | undefined {
  const all = pids.map(cpuOf).filter((one) => one !== undefined);
  if (all.length === 0) return undefined;
  return all.reduce((sum, { user, system }) => ({ user: sum.user + user, system: sum.system + system }));
}

/** Bytes that several processes hold together: what they share counts once. `undefined` where it cannot be seen. */
export function sharedMemoryOf(pids: readonly number[]): number | undefined {
  const all = pids.map((pid) => /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? "")?.[1]);
  return all.includes(undefined) ? undefined : all.reduce((sum, kilobytes) => sum + Number(kilobytes) * 1024, 0);
}

/** Whether some process holds UDP `port`, or listens on TCP `port`, on an IPv4 address, by the kernel's own list. */
export function portBound(protocol: "udp" | "tcp", port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  // A TCP socket that listens has no peer and the state 0A.
  const peer = protocol === "tcp" ? "00000000:0000 0A " : "";
  return new RegExp(`^\\s*\\d+: [0-9A-F]{8}:${hex} ${peer}`, "m").test(read(`/proc/net/${protocol}`) ?? "");
}

/** Files and sockets this process may have open, and those it starts; `undefined` where it cannot be seen. */
export function openFileLimit(): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1];
  return limit === undefined ? undefined : Number(limit);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** A core to run on. */
export interface Pin {
  readonly core: number;
}

/** Why processes cannot be kept on cores of their own here, or `undefined` when they can. */
export function cannotPin(): string | undefined {
  if (availableParallelism() < 2) return "only one core: server and generator share it";
  if (!Bun.which("taskset")) return "no taskset (util-linux): server and generator are not pinned";
  return undefined;
}

/** `argv`, on the core of `pin` when there is one. taskset replaces itself, so the process id is that of `argv`. */
export function command(argv: string[], pin?: Pin): string[] {
  return pin ? ["taskset", "-c", String(pin.core), ...argv] : argv;
}

/**
 * A port that was free a moment ago, for UDP and for TCP. It lies below those that systems hand out by themselves, so that
 * no connection of anybody's takes it in between.
 * @param hostname default 127.0.0.1
 */
export async function freePort(hostname = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      (await Bun.udpSocket({ hostname, port })).close();
      Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
      return port;
    } catch (error) {
      if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    }
  }
}
