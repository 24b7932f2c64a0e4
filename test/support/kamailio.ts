/** Kamailio, a server that is none of ours, with a routing script that a test gives it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/load/process.ts";
import type { Server } from "../../src/index.ts";
import { until } from "./until.ts";

/** The path of Kamailio, or null when it is not installed. It lies where a user's `$PATH` may not lead. */
export function kamailioPath(path = `${process.env.PATH ?? ""}:/usr/sbin:/usr/local/sbin`): string | null {
  return Bun.which("kamailio", { PATH: path });
}

export interface Kamailio extends AsyncDisposable {
  /** `127.0.0.1:PORT`, over UDP. */
  readonly at: string;
}

export interface KamailioShape {
  modules: readonly string[];
  /** `modparam` lines. */
  params?: readonly string[];
  /** What stands in `request_route`. It has to answer OPTIONS without credentials to the user `ready`. */
  route: string;
}

/** Starts it and waits until it answers. @param asker asks it whether it does */
export async function startKamailio({ modules, params = [], route }: KamailioShape, asker: Server): Promise<Kamailio> {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-kamailio-"));
  const port = await freePort();
  const at = `127.0.0.1:${port}`;
  const lines = [
    "#!KAMAILIO",
    "debug=0",
    "log_stderror=yes",
    "children=1",
    "disable_tcp=yes",
    `listen=udp:${at}`,
    "auto_aliases=no",
    "dns=no",
    "rev_dns=no",
    ...modules.map((name) => `loadmodule "${name}.so"`),
    ...params,
    `request_route {\n${route}\n}`,
    "",
  ];
  await Bun.write(join(folder, "kamailio.cfg"), lines.join("\n"));
  const argv = [kamailioPath() ?? "kamailio", "-DD", "-E", "-f", join(folder, "kamailio.cfg"), "-m", "32", "-M", "8"];
  const log = join(folder, "log");
  const child = Bun.spawn([...argv, "-w", folder, "-Y", folder], { stdio: ["ignore", "ignore", Bun.file(log)] });
  const stop = async () => {
    child.kill();
    await child.exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until("Kamailio", async () => {
      if (child.exitCode !== null) throw new Error(`Kamailio ended: ${await Bun.file(log).text()}`);
      const asked = asker.request("OPTIONS", `sip:ready@${at}`).then(({ status }) => status === 200);
      return Promise.race([asked.catch(() => false), Bun.sleep(200)]);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { at, [Symbol.asyncDispose]: stop };
}
