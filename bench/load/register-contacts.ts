/** What very many contacts cost: memory of each, looking one up, and starting with all of them in a store. */
import { freePort } from "./process.ts";
import { startRegisterGenerator } from "./register-generator.ts";
import type { RegisterOptions } from "./register-options.ts";
import { type Common, pinTo, type Spent, spentOn } from "./register-rates.ts";
import type { RegisterResult } from "./register-result.ts";
import { MOST_USERS } from "./register-users.ts";
import type { Lookups } from "./registrar-lookups.ts";
import type { RegistrarName, RegistrarSubject, StoreName } from "./registrar-subject.ts";
import { makeStorage, type OurRegistrar, startOurs, startRegistrar } from "./start-registrar.ts";

/** T1 of ours, so that completed transactions are gone soon: they stay 64 times as long. */
const T1 = 10;
/** Milliseconds until they are gone. */
const SETTLE = 2000;
/** AORs that are registered before the first look at memory, so that what every server needs once is there. */
const WARM = 20_000;
const LOOKUPS = 200_000;
/** Kamailio with its own allocator takes most of a minute for half a million; what one needs is seen before. */
const MOST_OF_KAMAILIO = 100_000;

/** What so many contacts came to. */
export interface ContactsRow {
  readonly server: RegistrarName;
  readonly store: StoreName;
  readonly contacts: number;
  /** All of them registered, one after the other. */
  readonly fill: RegisterResult;
  /** Microseconds for each registration, until the store had them all. */
  readonly cpu: number | undefined;
  /** Bytes of the process before and after, and what a contact came to. */
  readonly memory: { before: number | undefined; after: number | undefined; perContact: number | undefined };
  /** While they were registered; as {@link RateRow} has them. */
  readonly busy: number | undefined;
  readonly waited: number | undefined;
  readonly behindMs: number;
  readonly longestTickGapMs: number | undefined;
  readonly lookups: Lookups | undefined;
  readonly start: StartResult | undefined;
}

/** Milliseconds from the start of a process until it listens. */
export interface StartResult {
  /** With an empty store, and with all contacts in it; `serve` is the part in `serve()`. */
  readonly empty: { process: number; serve: number };
  readonly full: { process: number; serve: number };
  /** Of those looked up after the second start. */
  readonly lookups: Lookups;
}

/** Kamailio with so many contacts in memory. */
export async function measurePeerContacts(
  server: RegistrarName,
  options: RegisterOptions,
  common: Common,
): Promise<ContactsRow> {
  const port = await freePort();
  const { transport } = options;
  const contacts = server === "kamailio" ? Math.min(options.contacts, MOST_OF_KAMAILIO) : options.contacts;
  const setup = {
    server,
    store: "memory",
    auth: "none",
    port,
    transport,
    t1: T1,
    aors: contacts,
    pinned: common.pinned,
  } as const;
  const subject = await startRegistrar(setup, common.directory);
  common.onSubject?.(subject);
  try {
    const filled = await fill(subject, { ...options, contacts }, common, async () => {});
    return { server, store: "memory", contacts, ...filled, lookups: undefined, start: undefined };
  } finally {
    await subject.stop();
  }
}

/** Ours with so many contacts, and started again with them where the store keeps them. */
export async function measureContacts(
  store: StoreName,
  options: RegisterOptions,
  common: Common,
): Promise<ContactsRow> {
  const { transport, contacts } = options;
  const storage = await makeStorage(store, common.directory, pinTo(1, common.pinned));
  const begin = async (): Promise<OurRegistrar> => {
    const setup = {
      auth: "none",
      port: await freePort(),
      transport,
      t1: T1,
      aors: contacts,
      pinned: common.pinned,
    } as const;
    const subject = await startOurs(setup, storage);
    common.onSubject?.(subject);
    return subject;
  };
  let subject = await begin();
  try {
    const empty = subject.started;
    const filled = await fill(subject, options, common, () => subject.collect());
    const lookups = await subject.lookup(LOOKUPS, contacts);
    let start: StartResult | undefined;
    if (store !== "memory") {
      await subject.stop();
      subject = await begin();
      start = { empty, full: subject.started, lookups: await subject.lookup(LOOKUPS, contacts) };
    }
    return { server: "viaduct", store, contacts, ...filled, lookups, start };
  } finally {
    await subject.stop();
    await storage.remove();
  }
}

type Filled = Pick<ContactsRow, "fill" | "cpu" | "busy" | "waited" | "behindMs" | "memory" | "longestTickGapMs">;

/** Registers them between two looks at memory, each behind `collect`. */
async function fill(
  subject: RegistrarSubject,
  options: RegisterOptions,
  { pinned }: Common,
  collect: () => Promise<void>,
): Promise<Filled> {
  const look = async (): Promise<number | undefined> => {
    await Bun.sleep(SETTLE);
    await collect();
    return subject.memory();
  };
  await register(subject, options, pinned, Math.max(WARM, options.concurrency), MOST_USERS / 2, 3);
  const before = await look();
  await subject.reset();
  const [run, spent] = await register(subject, options, pinned, options.contacts, 0, 1);
  const { longestTickGapMs } = await subject.stats();
  const after = await look();
  return {
    fill: run,
    cpu: spent.cpu && (spent.cpu.user + spent.cpu.system) / Math.max(1, run.completed),
    busy: spent.busy,
    waited: spent.waited,
    behindMs: spent.behindMs,
    memory: { before, after, perContact: before && after && (after - before) / Math.max(1, run.completed) },
    longestTickGapMs,
  };
}

/** Registers `aors` from `firstUser` on, so many times over; what is returned is of the last time. */
async function register(
  subject: RegistrarSubject,
  { transport, concurrency, connections }: RegisterOptions,
  pinned: boolean,
  aors: number,
  firstUser: number,
  times: number,
): Promise<[RegisterResult, Spent]> {
  const ends = { host: "127.0.0.1", port: subject.port, transport, connections };
  const generator = await startRegisterGenerator({ ...ends, concurrency, aors, firstUser }, pinTo(1, pinned));
  try {
    for (let time = 1; time < times; time++) await generator.run({ load: "fill" });
    return await spentOn(subject, () => generator.run({ load: "fill" }));
  } finally {
    await generator.stop();
  }
}
