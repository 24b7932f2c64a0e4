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
  /** Milliseconds that the store was behind when the run ended; what it did then is in `cpu` too. */
  readonly behindMs: number;
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
  const subject = await startRegistrar({ ...setup, port, transport, t1, aors, pinned }, common.directory);
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
  await subject.settled();
  await subject.reset();
  const [run, spent] = await spentOn(subject, () => generator.run({ load, seconds }));
  const { cpu, databaseCpu, busy, waited, behindMs } = spent;
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
    behindMs,
    databaseCpu: databaseCpu && each(databaseCpu.user + databaseCpu.system),
    longestTickGapMs: stats.longestTickGapMs,
    command: subject.command,
  };
}

/** What a server and its database did of a run. */
export interface Spent {
  /** Until the store had all of it, which may be after the run. */
  readonly cpu: Cpu | undefined;
  readonly databaseCpu: Cpu | undefined;
  /** Milliseconds from the end of the run until then. */
  readonly behindMs: number;
  /** Shares of one core's time during the run. */
  readonly busy: number | undefined;
  readonly waited: number | undefined;
}

/** Runs between looks at a server. */
export async function spentOn(
  subject: RegistrarSubject,
  run: () => Promise<RegisterResult>,
): Promise<[RegisterResult, Spent]> {
  const look = () => ({ cpu: subject.cpu(), databaseCpu: subject.databaseCpu(), waited: subject.waited() });
  const before = look();
  const result = await run();
  const after = look();
  const ended = performance.now();
  await subject.settled();
  const behindMs = performance.now() - ended;
  const last = look();
  const share = (micros: number): number => micros / (result.totalSeconds * 1e6);
  const during = difference(before.cpu, after.cpu);
  const spent: Spent = {
    cpu: difference(before.cpu, last.cpu),
    databaseCpu: difference(before.databaseCpu, last.databaseCpu),
    behindMs,
    busy: during && share(during.user + during.system),
    waited: before.waited === undefined || after.waited === undefined ? undefined : share(after.waited - before.waited),
  };
  return [result, spent];
}

function difference(before: Cpu | undefined, after: Cpu | undefined): Cpu | undefined {
  return before && after && { user: after.user - before.user, system: after.system - before.system };
}
