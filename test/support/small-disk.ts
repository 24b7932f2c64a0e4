/** A disk that is soon full: a small tmpfs of its own, for which one must be allowed to mount. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

export interface SmallDisk extends Disposable {
  file(name: string): string;
  /** Fills it up with a file, but for so many octets. */
  fill(left: number): void;
  /** Takes that file away. */
  empty(): void;
}

/** Bit 21 of the capabilities: `CAP_SYS_ADMIN`. */
const MAY_MOUNT = 21n;

/** Whether this process has what mounting takes. */
export function mayMount(): boolean {
  try {
    const [, bits = "0"] = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
    return ((BigInt(`0x${bits}`) >> MAY_MOUNT) & 1n) === 1n;
  } catch {
    return false;
  }
}

/** Mounts one. @param kib its size @returns null where that cannot be, or is not allowed */
export function smallDisk(kib: number): SmallDisk | null {
  if (Bun.which("mount") === null) return null;
  const folder = temporaryFolder();
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${kib}k`, "viaduct-test", folder.path], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  if (mounted.exitCode !== 0) {
    folder[Symbol.dispose]();
    return null;
  }
  return new Tmpfs(folder);
}

class Tmpfs implements SmallDisk {
  readonly #folder: TemporaryFolder;

  constructor(folder: TemporaryFolder) {
    this.#folder = folder;
  }

  file(name: string): string {
    return join(this.#folder.path, name);
  }

  fill(left: number): void {
    const filler = this.file("filler");
    const block = new Uint8Array(4096);
    try {
      for (;;) writeFileSync(filler, block, { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
    const { size } = Bun.file(filler);
    rmSync(filler);
    writeFileSync(filler, new Uint8Array(size - left));
  }

  empty(): void {
    rmSync(this.file("filler"));
  }

  [Symbol.dispose](): void {
    Bun.spawnSync(["umount", this.#folder.path]);
    this.#folder[Symbol.dispose]();
  }
}
