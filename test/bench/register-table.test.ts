import { describe, expect, test } from "bun:test";
import type { ContactsRow } from "../../bench/load/register-contacts.ts";
import type { RateRow } from "../../bench/load/register-rates.ts";
import type { RegisterResult } from "../../bench/load/register-result.ts";
import { contactsTable, digestAdds, notes, ratesTable, verdicts } from "../../bench/load/register-table.ts";

const RUN: RegisterResult = {
  completed: 1000,
  failed: 0,
  failures: {},
  perSecond: 1000,
  seconds: 1,
  totalSeconds: 1,
  sent: 1000,
  received: 1000,
  challenged: 0,
  retransmissions: 0,
  strays: 0,
  answer: { p50: 1, p90: 1, p95: 1, p99: 1, p999: 1, max: 1 },
  cpu: { user: 0, system: 0 },
};

function rate(total: number, row: Partial<RateRow> = {}): RateRow {
  return {
    server: "viaduct",
    store: "memory",
    auth: "none",
    load: "refresh",
    run: RUN,
    cpu: { user: total, system: 0, total },
    busy: 1,
    generatorBusy: 0.4,
    waited: 0,
    behindMs: 0,
    databaseCpu: undefined,
    longestTickGapMs: 5,
    command: "",
    ...row,
  };
}

function contacts(row: Partial<ContactsRow> = {}): ContactsRow {
  return {
    server: "viaduct",
    store: "sqlite",
    contacts: 500_000,
    fill: RUN,
    cpu: 8,
    memory: { before: 1e6, after: 2e6, perContact: 1000 },
    busy: 1,
    waited: 0,
    behindMs: 0,
    longestTickGapMs: 12,
    lookups: { count: 10, found: 10, mean: 1, p99: 2 },
    start: undefined,
    ...row,
  };
}

/** The line of a table that begins with these cells. */
function line(table: string, ...cells: string[]): string {
  const pattern = new RegExp(`^${cells.join(" +")}\\b.*$`, "m");
  return pattern.exec(table)?.[0] ?? `no line ${pattern} in\n${table}`;
}

describe("the table of registrations", () => {
  test("each store without digest has its budget, Redis none", () => {
    const table = ratesTable([
      rate(8),
      rate(8.01, { load: "fresh" }),
      rate(12, { store: "sqlite" }),
      rate(99, { store: "redis" }),
    ]);
    expect(line(table, "viaduct", "memory", "none", "refresh")).toEndWith("8: pass");
    expect(line(table, "viaduct", "memory", "none", "fresh")).toEndWith("8: over");
    expect(line(table, "viaduct", "sqlite")).toEndWith("12: pass");
    expect(line(table, "viaduct", "redis")).not.toContain("pass");
  });

  test("a digest is judged by what it adds to the same refresh", () => {
    const rows = [
      rate(7),
      rate(10, { auth: "MD5" }),
      rate(10.5, { auth: "SHA-256" }),
      rate(20, { auth: "MD5", load: "pair" }),
      rate(9, { store: "sqlite", auth: "MD5" }),
    ];
    expect(rows.map((row) => digestAdds(row, rows))).toEqual([undefined, 3, 3.5, undefined, undefined]);
    const table = ratesTable(rows);
    expect(line(table, "viaduct", "memory", "MD5", "refresh")).toEndWith("digest +3.00, 3: pass");
    expect(line(table, "viaduct", "memory", "SHA-256")).toEndWith("digest +3.50, 3: over");
    expect(line(table, "viaduct", "memory", "MD5", "refresh, 401 first")).not.toContain("budget");
  });

  test("a peer has no verdict", () => {
    const peer = { server: "kamailio" } as const;
    const table = ratesTable([rate(20, peer), rate(22, { ...peer, auth: "MD5" })]);
    expect(line(table, "kamailio", "memory", "none")).not.toMatch(/pass|over/);
    expect(line(table, "kamailio", "memory", "MD5")).toEndWith("digest +2.00");
  });

  test("how far a store was behind is told where there is one", () => {
    const table = ratesTable([rate(1, { behindMs: 5 }), rate(1, { store: "sqlite", behindMs: 1234 })]);
    expect(line(table, "viaduct", "sqlite")).toContain(" 1,234 ");
    expect(line(table, "viaduct", "memory")).toMatch(/ 5\.0 +- +0 /);
  });

  test("a server whose processor time cannot be seen has gaps", () => {
    const table = ratesTable([rate(0, { cpu: undefined, busy: undefined, longestTickGapMs: undefined })]);
    expect(line(table, "viaduct", "memory")).not.toMatch(/NaN|undefined|pass|over/);
  });
});

describe("the verdicts", () => {
  test("memory of a contact, the start and the longest pause of all rows", () => {
    const started = { process: 90, serve: 50 };
    const lookups = { count: 10, found: 10, mean: 1, p99: 2 };
    const start = { empty: started, full: { process: 2001, serve: 1900 }, lookups };
    const memory = { before: 0, after: 1, perContact: 1025 };
    const lines = verdicts(
      [rate(1, { longestTickGapMs: 20 })],
      [contacts({ start }), contacts({ memory, store: "memory" })],
    );
    expect(lines).toEqual([
      "memory of a contact, sqlite: 1,000 B; budget 1 KB: pass",
      "start with 500,000 contacts, sqlite: 2,001 ms; budget 2 s: over",
      "memory of a contact, memory: 1,025 B; budget 1 KB: over",
      "longest pause: 20.0 ms; budget 20 ms: pass",
    ]);
  });

  test("a start with fewer contacts says nothing of the budget, nor does a peer", () => {
    const started = { process: 1, serve: 1 };
    const start = { empty: started, full: started, lookups: { count: 1, found: 1, mean: 1, p99: 1 } };
    expect(verdicts([], [contacts({ start, contacts: 50_000 })]).join("\n")).not.toContain("start with");
    expect(verdicts([rate(1, { server: "kamailio" })], [contacts({ server: "kamailio" })])).toEqual([]);
  });

  test("pauses on a core that others used are not judged", () => {
    const disturbed = rate(1, { waited: 0.2, busy: 0.7, longestTickGapMs: 90 });
    // It waited for a thread of its own.
    const shared = rate(1, { waited: 0.2, busy: 0.99, longestTickGapMs: 9 });
    expect(verdicts([disturbed, shared], [])).toEqual([
      "longest pause: 9.0 ms; budget 20 ms: pass",
      "longest pause while other programs ran on the server's core: 90.0 ms",
    ]);
    expect(verdicts([disturbed], [])).toHaveLength(1);
  });
});

describe("the notes", () => {
  test("say what was the limit where the server was not", () => {
    const all = notes(
      [
        rate(1, { busy: 0.97, waited: 0.5 }),
        rate(1, { busy: 0.5, waited: 0.3, store: "sqlite" }),
        rate(1, { busy: 0.5, generatorBusy: 0.97, store: "redis", databaseCpu: 3.5 }),
      ],
      [],
    ).join("\n");
    expect(all).not.toContain("viaduct, memory");
    expect(all).toContain("sqlite, none, refresh: the server was only 50% busy: it waited 30% of the time");
    expect(all).toContain("redis, none, refresh: the server was only 50% busy: the generator was the limit.");
    expect(all).toContain("the database server spent 3.50 us each");
  });

  test("say what failed, was sent again, and was not found", () => {
    const run = { ...RUN, failed: 2, failures: { "503 REGISTER": 2 }, retransmissions: 7 };
    const lookups = { count: 10, found: 9, mean: 1, p99: 2 };
    const all = notes([rate(1, { run })], [contacts({ lookups })]).join("\n");
    expect(all).toContain("viaduct, memory, none, refresh: 2 failed: 503 REGISTER.");
    expect(all).toContain("7 requests were sent again");
    expect(all).toContain("viaduct, sqlite: 1 of 10 lookups found nothing.");
  });
});

describe("the table of contacts", () => {
  test("has a column a measurement, with gaps for what a server does not have", () => {
    const table = contactsTable([
      contacts(),
      contacts({ server: "kamailio-tlsf", store: "memory", lookups: undefined }),
    ]);
    expect(table.split("\n")[0]).toMatch(/viaduct, sqlite +kamailio-tlsf, memory$/);
    expect(line(table, "lookup at random, mean ns")).toMatch(/1 +-$/);
    expect(line(table, "bytes a contact")).toMatch(/1,000 +1,000$/);
  });
});
