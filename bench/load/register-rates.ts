/** Registrations a second and what each costs the server: one row for each kind of registration. */
import { type Cpu, freePort, type Pin } from "./process.ts";
import { type RegisterGenerator, startRegisterGenerator } from "./register-generator.ts";
import type { RegisterOptions } from "./register-options.ts";
import type { Load, RegisterResult } from "./register-result.ts";
import type { Auth, RegistrarName, RegistrarSubject, StoreName } from "./registrar-subject.ts";
import { startRegistrar } from "./start-registrar.ts";

/** Which server, set up how. */
export interface RateSetup {
  readonly server: RegistrarName;
  readonly store: StoreName;
  readonly auth: Auth;
}

/** What one kind of registration did. CPU is microseconds for each completed one; `undefined` where it cannot be seen. */
export interface RateRow extends RateSetup {
  readonly load: Load;
  readonly run: RegisterResult;
  readonly cpu: { user: number; system: number; total: number } | undefined;
  /** CPU over time, 1 for one core: near 1 when the server was the limit. */
  readonly busy: number | undefined;
  readonly generatorBusy: number;
  /** The share of the time that the server was ready to run and had no core. */
  readonly waited: number | undefined;
  /** Microseconds that the database server spent for each. */
  readonly databaseCpu: number | undefined;
  readonly longestTickGapMs: number | undefined;
  readonly command: string;
}

/** What every measurement is given. */
export interface Common {
  /** For files that go in the end. */
  readonly directory: string;
  /** Server on core 0, generator and database on core 1. */
  readonly pinned: boolean;
  /** Told of the server as it starts, so that an interrupt can end it. */
  readonly onSubject?: (subject: RegistrarSubject) => void;
}

/** The kinds of registration, in the order they are measured. `fresh` is last: it leaves the most bindings behind. */
export function loadsFor(auth: Auth): Load[] {
  return auth === "none" ? ["refresh", "fresh"] : ["refresh", "pair", "fresh"];
}

export function pinTo(core: number, pinned: boolean): Pin | undefined {
  return pinned ? { core } : undefined;
}

/** Starts the server and a generator, registers all AORs, measures each kind, and ends both. */
export async function measureRates(setup: RateSetup, options: RegisterOptions, common: Common): Promise<RateRow[]> {
  const { transport, concurrency, connections, aors, isShuffled, t1 } = options;
  const { pinned } = common;
  const port = await freePort();
  const subject = await startRegistrar({ ...setup, port, transport, t1, pinned }, common.directory);
  common.onSubject?.(subject);
  let generator: RegisterGenerator | undefined;
  try {
    const algorithm = setup.auth === "none" ? undefined : setup.auth;
    const ends = { host: "127.0.0.1", port, transport, connections };
    generator = await startRegisterGenerator({ ...ends, concurrency, aors, isShuffled, algorithm }, pinTo(1, pinned));
    await generator.run({ load: "fill" });
    const rows: RateRow[] = [];
    for (const load of loadsFor(setup.auth)) rows.push(await row(setup, load, subject, generator, options));
    return rows;
  } finally {
    await generator?.stop();
    await subject.stop();
  }
}

async function row(
  setup: RateSetup,
  load: Load,
  subject: RegistrarSubject,
  generator: RegisterGenerator,
  { warmup, seconds }: RegisterOptions,
): Promise<RateRow> {
  if (warmup > 0) await generator.run({ load, seconds: warmup });
  await subject.reset();
  const meter = metered(subject);
  const run = await generator.run({ load, seconds });
  const { cpu, databaseCpu, busy, waited } = meter(run.totalSeconds);
  const stats = await subject.stats();
  const each = (micros: number): number => micros / Math.max(1, run.completed);
  return {
    ...setup,
    load,
    run,
    cpu: cpu && { user: each(cpu.user), system: each(cpu.system), total: each(cpu.user + cpu.system) },
    busy,
    generatorBusy: (run.cpu.user + run.cpu.system) / (run.totalSeconds * 1e6),
    waited,
    databaseCpu: databaseCpu && each(databaseCpu.user + databaseCpu.system),
    longestTickGapMs: stats.longestTickGapMs,
    command: subject.command,
  };
}

/** What a server did since it was looked at first. */
export interface Spent {
  readonly cpu: Cpu | undefined;
  readonly databaseCpu: Cpu | undefined;
  /** Shares of one core's time. */
  readonly busy: number | undefined;
  readonly waited: number | undefined;
}

/** Looks at a server. @returns what looks again, so many seconds later */
export function metered(subject: RegistrarSubject): (seconds: number) => Spent {
  const before = { cpu: subject.cpu(), databaseCpu: subject.databaseCpu(), waited: subject.waited() };
  return (seconds) => {
    const cpu = difference(before.cpu, subject.cpu());
    const waited = subject.waited();
    const share = (micros: number): number => micros / (seconds * 1e6);
    return {
      cpu,
      databaseCpu: difference(before.databaseCpu, subject.databaseCpu()),
      busy: cpu && share(cpu.user + cpu.system),
      waited: before.waited === undefined || waited === undefined ? undefined : share(waited - before.waited),
    };
  };
}

function difference(before: Cpu | undefined, after: Cpu | undefined): Cpu | undefined {
  return before && after && { user: after.user - before.user, system: after.system - before.system };
}
