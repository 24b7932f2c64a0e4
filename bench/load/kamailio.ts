/**
 * Kamailio as a registrar: usrloc in memory, one process that reads the socket, and no more of a script than saving takes.
 * The configuration is written here for the benchmark, into a directory that goes with the process.
 *
 * Its digests are checked without a database: the password is in the script, as HA1 is for ours. It remembers no nonces
 * then; that a nonce is its own and not too old is in the nonce itself.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE } from "./asked-process.ts";
import { command, cpuOfAll, familyOf, type Pin, portBound, sharedMemoryOf, waitOf } from "./process.ts";
import { DOMAIN, PASSWORD } from "./register-users.ts";
import type { Auth, RegistrarSubject } from "./registrar-subject.ts";

/** Of shared memory; no more of it is resident than is used. */
const MEGABYTES = 2048;
/** Usrloc's table has two to this many slots, so that half a million contacts do not stand in line. */
const HASH_SIZE = 18;

export interface KamailioOptions {
  readonly port: number;
  readonly transport: "udp" | "tcp";
  readonly auth: Auth;
  /**
   * Which of Kamailio's allocators it runs with. Default: its own default, which searches a list of free pieces and gets
   * slow as bindings come.
   */
  readonly allocator?: "tlsf" | undefined;
  readonly pin?: Pin | undefined;
}

/** The version of the Kamailio that is installed, or `undefined`. */
export function kamailioVersion(): string | undefined {
  if (!Bun.which("kamailio")) return undefined;
  return /version: kamailio (\S+)/.exec(`${Bun.spawnSync(["kamailio", "-v"]).stdout}`)?.[1] ?? "unknown";
}

/** The configuration file. */
export function kamailioConfiguration({ port, transport, auth }: KamailioOptions): string {
  const hasDigest = auth !== "none";
  return [
    "#!KAMAILIO",
    "debug=0",
    "log_stderror=yes",
    "children=1",
    ...(transport === "tcp" ? ["tcp_children=1", "tcp_max_connections=4096"] : ["disable_tcp=yes"]),
    `listen=${transport}:127.0.0.1:${port}`,
    "auto_aliases=no",
    `alias="${DOMAIN}"`,
    "dns=no",
    "rev_dns=no",
    ...["pv", "sl", "usrloc", "registrar", ...(hasDigest ? ["auth"] : [])].map((name) => `loadmodule "${name}.so"`),
    'modparam("usrloc", "db_mode", 0)',
    `modparam("usrloc", "hash_size", ${HASH_SIZE})`,
    'modparam("usrloc", "use_domain", 1)',
    ...(hasDigest ? [`modparam("auth", "algorithm", "${auth}")`, 'modparam("auth", "qop", "auth")'] : []),
    "request_route {",
    '  if (method != "REGISTER") { sl_send_reply("405", "Method Not Allowed"); exit; }',
    `  if ($rd != "${DOMAIN}") { sl_send_reply("404", "Not Found"); exit; }`,
    ...(hasDigest
      ? [
          `  if (!pv_www_authenticate("${DOMAIN}", "${PASSWORD}", "0")) { www_challenge("${DOMAIN}", "1"); exit; }`,
          '  if ($au != $tU) { sl_send_reply("403", "Forbidden"); exit; }',
        ]
      : []),
    '  if (!save("location")) { sl_reply_error(); }',
    "  exit;",
    "}",
    "",
  ].join("\n");
}

/** Starts Kamailio and waits until it listens. Rejects when it does not. */
export async function startKamailio(options: KamailioOptions): Promise<RegistrarSubject> {
  const { port, transport, allocator, pin } = options;
  const directory = await mkdtemp(join(tmpdir(), "viaduct-bench-kamailio-"));
  const file = join(directory, "kamailio.cfg");
  await Bun.write(file, kamailioConfiguration(options));
  const argv = ["kamailio", "-DD", "-E", "-f", file, "-m", String(MEGABYTES), "-M", "32", "-w", directory];
  argv.push("-Y", directory);
  if (allocator) argv.push("-x", allocator, "-X", allocator);
  const child = Bun.spawn(command(argv, pin), { stdio: ["ignore", "ignore", Bun.file(join(directory, "log"))] });
  let family = [child.pid];
  const stop = async (): Promise<void> => {
    await end(child, family);
    await rm(directory, { recursive: true, force: true });
  };
  const deadline = performance.now() + PATIENCE;
  while (!portBound(transport, port)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      const log = await Bun.file(join(directory, "log")).text();
      await stop();
      throw new Error(`Kamailio does not listen: ${log.trim()}`);
    }
    await Bun.sleep(20);
  }
  // The processes are forked when the socket is bound already.
  await Bun.sleep(300);
  family = familyOf(child.pid);
  return {
    name: allocator ? "kamailio-tlsf" : "kamailio",
    port,
    command: command(argv, pin).join(" "),
    cpu: () => cpuOfAll(family),
    waited: () => waitOf(family),
    databaseCpu: () => undefined,
    memory: () => sharedMemoryOf(family),
    stats: async () => ({}),
    reset: async () => {},
    settled: async () => {},
    stop,
  };
}

/** SIGTERM to the first process, which ends the others; SIGKILL to whichever does not hear it. */
async function end(child: Bun.Subprocess, family: readonly number[]): Promise<void> {
  if (child.exitCode === null) child.kill();
  const late = setTimeout(() => {
    for (const pid of family) if (isKamailio(pid)) process.kill(pid, "SIGKILL");
  }, PATIENCE);
  await child.exited;
  clearTimeout(late);
}

/** Whether the process is there still, and not another one with its number. */
function isKamailio(pid: number): boolean {
  const name = `/proc/${pid}/comm`;
  return existsSync(name) && readFileSync(name, "latin1").trim() === "kamailio";
}
