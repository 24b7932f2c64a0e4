/**
 * The registrar under load, in processes of their own: `bun run bench register` or `bun bench/register.ts`. Kamailio is
 * measured in the same run by the same generator, so that the ratio holds on a machine that is slow or shared.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments } from "./load/arguments.ts";
import { kamailioVersion } from "./load/kamailio.ts";
import { machine, versions } from "./load/machine.ts";
import { cannotPin } from "./load/process.ts";
import { type ContactsRow, measureContacts, measurePeerContacts } from "./load/register-contacts.ts";
import { type RegisterOptions, readRegisterOptions, USAGE } from "./load/register-options.ts";
import { type Common, measureRates, type RateRow, type RateSetup } from "./load/register-rates.ts";
import { contactsTable, notes, ratesTable, verdicts } from "./load/register-table.ts";
import type { RegistrarName, RegistrarSubject } from "./load/registrar-subject.ts";
import { onInterrupt } from "./load/subject.ts";
import { number } from "./load/table.ts";

/** Kamailio with its default allocator first: it is what an installation runs. */
const PEERS: readonly RegistrarName[] = ["kamailio", "kamailio-tlsf"];

/**
 * Runs the benchmark with the arguments after its name. Sets `process.exitCode` to 1 when a registration at ours failed, to
 * 2 when the arguments are wrong.
 */
export async function main(argv: string[]): Promise<void> {
  const options = readArguments(argv, readRegisterOptions, USAGE);
  if (options === undefined) return;
  const what = machine();
  const which = { ...versions(), kamailio: options.hasPeer ? kamailioVersion() : undefined };
  console.log(`${what.cpu}, ${what.cores} cores, ${what.kernel}; Bun ${which.bun}, viaduct ${which.viaduct}`);
  if (which.kamailio) console.log(`beside Kamailio ${which.kamailio}`);
  const unpinned = cannotPin();
  if (unpinned) console.log(unpinned);
  if (options.quick) console.log("short sampling: figures for a look, not for a record");
  const directory = await mkdtemp(join(tmpdir(), "viaduct-bench-register-"));
  let running: RegistrarSubject | undefined;
  onInterrupt(async () => {
    await running?.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const common: Common = { directory, pinned: unpinned === undefined, onSubject: (subject) => (running = subject) };
  try {
    const rates = options.hasRates ? await rateRows(options, common) : [];
    const contacts = options.contacts > 0 ? await contactsRows(options, common) : [];
    report(rates, contacts);
    if (options.json) {
      const { json: _, ...settings } = options;
      const all = { machine: what, versions: which, settings, rates, contacts };
      await Bun.write(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function rateRows(options: RegisterOptions, common: Common): Promise<RateRow[]> {
  const { stores, auths, hasPeer, transport, concurrency, aors, seconds, warmup } = options;
  const setups: RateSetup[] = stores.flatMap((store) =>
    auths.map((auth) => ({ server: "viaduct", store, auth }) as const),
  );
  for (const server of hasPeer ? PEERS : []) {
    // One digest shows what its own allocator does to it, and takes long enough.
    const some = server === "kamailio" ? auths.filter((auth) => auth !== "SHA-256") : auths;
    setups.push(...some.map((auth) => ({ server, store: "memory", auth }) as const));
  }
  console.log(
    `registrations over ${transport}, ${concurrency} in flight, ${number(aors)} AORs, ` +
      `each row ${seconds} s after ${warmup} s of warm-up`,
  );
  const rows: RateRow[] = [];
  for (const setup of setups) {
    console.log(`measuring ${setup.server}, ${setup.store}, digest ${setup.auth}`);
    rows.push(...(await measureRates(setup, options, common)));
  }
  return rows;
}

async function contactsRows(options: RegisterOptions, common: Common): Promise<ContactsRow[]> {
  const rows: ContactsRow[] = [];
  const say = (server: RegistrarName, store: string): void => console.log(`measuring contacts: ${server}, ${store}`);
  for (const store of options.stores) {
    say("viaduct", store);
    rows.push(await measureContacts(store, options, common));
  }
  for (const server of options.hasPeer ? PEERS : []) {
    say(server, "memory");
    rows.push(await measurePeerContacts(server, options, common));
  }
  return rows;
}

function report(rates: RateRow[], contacts: ContactsRow[]): void {
  if (rates.length > 0) console.log(`\n${ratesTable(rates)}`);
  if (contacts.length > 0) console.log(`\n${contactsTable(contacts)}`);
  console.log(`\n${[...verdicts(rates, contacts), "", ...notes(rates, contacts)].join("\n")}`);
  const runs = [
    ...rates.map(({ server, run }) => ({ server, run })),
    ...contacts.map(({ server, fill }) => ({ server, run: fill })),
  ];
  if (runs.some(({ server, run }) => server === "viaduct" && run.failed > 0)) process.exitCode = 1;
}

if (import.meta.main) await main(Bun.argv.slice(2));
