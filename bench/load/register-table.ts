/** The figures of registrars as tables, the verdicts on their budgets, and what a reader has to know beside them. */
import type { ContactsRow } from "./register-contacts.ts";
import type { RateRow } from "./register-rates.ts";
import { MISSING, megabytes, milliseconds, number, terminalTable } from "./table.ts";

/** Microseconds of CPU for a REGISTER without digest, by store. */
const CPU_BUDGET: Readonly<Record<string, number>> = { memory: 8, sqlite: 12 };
/** Microseconds that a digest may add, its nonce known. */
const DIGEST_BUDGET = 3;
const CONTACT_BUDGET = 1024;
/** Milliseconds until half a million contacts in SQLite are ready, and that the path of messages may stand still. */
const START_BUDGET = { contacts: 500_000, milliseconds: 2000 };
const PAUSE_BUDGET = 20;
/** Below this share of a core the server was not the limit. */
const SATURATED = 0.95;
/** Above this share of the time, what others did to the server shows in its figures. */
const LOST = 0.05;

/** What one registration is, in words. */
const LOADS = {
  fill: "fresh",
  refresh: "refresh",
  pair: "refresh, 401 first",
  fresh: "fresh",
} as const;

function loadName({ load, auth }: RateRow): string {
  return load === "fresh" && auth !== "none" ? "fresh, 401 first" : LOADS[load];
}

/** A row a measurement, with the verdict on its budget where it has one. */
export function ratesTable(rows: readonly RateRow[]): string {
  const head = ["", "store", "digest", "registration"];
  head.push(
    "a second",
    "CPU us",
    "user",
    "system",
    "busy %",
    "gen. %",
    "p50 ms",
    "p99 ms",
    "pause ms",
    "behind ms",
    "failed",
    "budget",
  );
  const cells = rows.map((row) => [
    row.server,
    row.store,
    row.auth,
    loadName(row),
    number(row.run.perSecond),
    number(row.cpu?.total, 2),
    number(row.cpu?.user, 2),
    number(row.cpu?.system, 2),
    number(percent(row.busy)),
    number(percent(row.generatorBusy)),
    milliseconds(row.run.answer.p50),
    milliseconds(row.run.answer.p99),
    number(row.longestTickGapMs, 1),
    row.store === "memory" ? MISSING : number(row.behindMs),
    number(row.run.failed),
    cpuVerdict(row, rows),
  ]);
  return terminalTable([head, ...cells]);
}

function percent(share: number | undefined): number | undefined {
  return share === undefined ? undefined : share * 100;
}

/** The row without digest that another is compared with. */
function plainOf(row: RateRow, rows: readonly RateRow[]): RateRow | undefined {
  return rows.find((one) => {
    const isSame = one.server === row.server && one.store === row.store && one.load === row.load;
    return isSame && one.auth === "none";
  });
}

/** Microseconds that a digest adds to a refresh whose nonce is known. */
export function digestAdds(row: RateRow, rows: readonly RateRow[]): number | undefined {
  if (row.auth === "none" || row.load !== "refresh") return undefined;
  const plain = plainOf(row, rows)?.cpu;
  return plain && row.cpu && row.cpu.total - plain.total;
}

function cpuVerdict(row: RateRow, rows: readonly RateRow[]): string {
  const adds = digestAdds(row, rows);
  if (row.server !== "viaduct") return adds === undefined ? "" : `digest ${signed(adds)}`;
  if (adds !== undefined) return `digest ${signed(adds)}, ${DIGEST_BUDGET}: ${verdict(adds <= DIGEST_BUDGET)}`;
  const budget = CPU_BUDGET[row.store];
  if (row.auth !== "none" || budget === undefined || row.cpu === undefined) return "";
  return `${budget}: ${verdict(row.cpu.total <= budget)}`;
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${number(value, 2)}`;
}

function verdict(isKept: boolean): "pass" | "over" {
  return isKept ? "pass" : "over";
}

/** What so many contacts came to, a measurement a column. */
export function contactsTable(rows: readonly ContactsRow[]): string {
  const figures: [string, (row: ContactsRow) => string][] = [
    ["contacts registered", (r) => number(r.fill.completed)],
    ["failed", (r) => number(r.fill.failed)],
    ["registered a second", (r) => number(r.fill.perSecond)],
    ["server CPU us each", (r) => number(r.cpu, 2)],
    ["the store was behind at the end, ms", (r) => (r.store === "memory" ? MISSING : number(r.behindMs))],
    ["longest tick gap meanwhile, ms", (r) => number(r.longestTickGapMs, 1)],
    ["memory before, MB", (r) => megabytes(r.memory.before)],
    ["memory after, MB", (r) => megabytes(r.memory.after)],
    ["bytes a contact", (r) => number(r.memory.perContact)],
    ["lookup at random, mean ns", (r) => number(r.lookups?.mean)],
    ["lookup at random, p99 ns", (r) => number(r.lookups?.p99)],
    ["start, empty, ms", (r) => number(r.start?.empty.process)],
    ["start with all of them, ms", (r) => number(r.start?.full.process)],
    ["of it in serve(), ms", (r) => number(r.start?.full.serve)],
  ];
  const head = ["", ...rows.map((row) => `${row.server}, ${row.store}`)];
  return terminalTable([head, ...figures.map(([name, cell]) => [name, ...rows.map(cell)])]);
}

/** The verdicts that are about no single row. */
export function verdicts(rates: readonly RateRow[], contacts: readonly ContactsRow[]): string[] {
  const lines: string[] = [];
  const say = (what: string, figure: string, budget: string, isKept: boolean): void => {
    lines.push(`${what}: ${figure}; budget ${budget}: ${verdict(isKept)}`);
  };
  for (const { server, store, memory, start, contacts: count } of contacts) {
    if (server !== "viaduct") continue;
    const { perContact } = memory;
    if (perContact !== undefined) {
      say(`memory of a contact, ${store}`, `${number(perContact)} B`, "1 KB", perContact <= CONTACT_BUDGET);
    }
    if (start === undefined || store !== "sqlite" || count < START_BUDGET.contacts) continue;
    const { process } = start.full;
    const isKept = process <= START_BUDGET.milliseconds;
    say(`start with ${number(count)} contacts, ${store}`, `${number(process)} ms`, "2 s", isKept);
  }
  const ours = [...rates, ...contacts].filter(({ server }) => server === "viaduct");
  const worst = worstPause(ours.filter((row) => !isDisturbed(row)));
  if (worst) say("longest pause", `${number(worst, 1)} ms`, `${PAUSE_BUDGET} ms`, worst <= PAUSE_BUDGET);
  const disturbed = worstPause(ours.filter(isDisturbed));
  if (disturbed) lines.push(`longest pause while other programs ran on the server's core: ${number(disturbed, 1)} ms`);
  return lines;
}

type Paused = Pick<RateRow, "longestTickGapMs" | "busy" | "waited">;

function worstPause(rows: readonly Paused[]): number {
  return Math.max(0, ...rows.map(({ longestTickGapMs = 0 }) => longestTickGapMs));
}

/** Whether others had the server's core: it waited for it, and not for a thread of its own. */
function isDisturbed({ busy = 1, waited = 0 }: Paused): boolean {
  return busy < SATURATED && waited > LOST;
}

/** What a reader has to know, and what went wrong. */
export function notes(rates: readonly RateRow[], contacts: readonly ContactsRow[]): string[] {
  const lines = [
    "CPU is of the server's processes, for each registration until the store has it; one with a 401 first is two requests.",
  ];
  if (rates.some(({ server }) => server === "kamailio")) {
    lines.push("kamailio runs with the allocator it has by default, kamailio-tlsf with -x tlsf -X tlsf; neither keeps");
    lines.push("transactions for REGISTER, or nonces; ours keeps both.");
  }
  for (const row of rates) {
    const name = `${row.server}, ${row.store}, ${row.auth}, ${loadName(row)}`;
    if (row.busy !== undefined && row.busy < SATURATED) lines.push(`${name}: ${limitOf(row)}`);
    if (row.databaseCpu !== undefined) {
      lines.push(`${name}: the database server spent ${number(row.databaseCpu, 2)} us each, on the generator's core.`);
    }
    lines.push(...failures(name, row.run.failures));
    if (row.run.retransmissions > 0)
      lines.push(`${name}: ${number(row.run.retransmissions)} requests were sent again.`);
  }
  for (const { server, store, fill, lookups, start } of contacts) {
    lines.push(...failures(`${server}, ${store}, many contacts`, fill.failures));
    for (const one of [lookups, start?.lookups]) {
      if (one && one.found < one.count) {
        lines.push(
          `${server}, ${store}: ${number(one.count - one.found)} of ${number(one.count)} lookups found nothing.`,
        );
      }
    }
  }
  return lines;
}

/** Why a server did less than its core could. */
function limitOf(row: RateRow): string {
  const limit = isDisturbed(row)
    ? `it waited ${number(percent(row.waited))}% of the time for its core: other programs ran there`
    : `${row.generatorBusy > SATURATED ? "the generator" : "the generator or the machine"} was the limit`;
  return `the server was only ${number(percent(row.busy))}% busy: ${limit}.`;
}

function failures(name: string, reasons: Record<string, number>): string[] {
  return Object.entries(reasons).map(([why, count]) => `${name}: ${number(count)} failed: ${why}.`);
}
