/** Starts a registrar under load: ours as `registrar-server.ts`, with what its store needs, or Kamailio. */
import { rm } from "node:fs/promises";
import { AskedProcess } from "./asked-process.ts";
import { startKamailio } from "./kamailio.ts";
import { command, cpuOf, memoryOf, type Pin, waitOf } from "./process.ts";
import { startRedis } from "./redis.ts";
import type { Lookups } from "./registrar-lookups.ts";
import type { RegistrarAnswer, RegistrarAsk, RegistrarServerOptions } from "./registrar-server.ts";
import type { Auth, RegistrarName, RegistrarSubject, StoreName } from "./registrar-subject.ts";

/** Milliseconds that half a million contacts may take to be read, written or looked up. */
const PATIENCE = 60_000;

export interface RegistrarSetup {
  readonly server: RegistrarName;
  readonly store: StoreName;
  readonly auth: Auth;
  readonly port: number;
  readonly transport: "udp" | "tcp";
  /** Milliseconds; ours alone has it. */
  readonly t1: number;
  /** AORs that come again. */
  readonly aors: number;
  /** Server on core 0, its database on core 1. */
  readonly pinned: boolean;
}

/** Our registrar, which can be asked more. */
export interface OurRegistrar extends RegistrarSubject {
  /** Milliseconds from the start of the process until it listened, and those of them in `serve()`. */
  readonly started: { readonly process: number; readonly serve: number };
  /** A full garbage collection. */
  collect(): Promise<void>;
  /** Looks up AORs of users below `users` at random. */
  lookup(count: number, users: number): Promise<Lookups>;
}

/** Where the bindings of ours are kept, and what has to go with them in the end. */
export interface Storage {
  readonly options: RegistrarServerOptions["store"];
  cpu(): ReturnType<typeof cpuOf>;
  remove(): Promise<void>;
}

/** Makes a place for bindings: nothing, an SQLite file, or a Redis server. */
export async function makeStorage(store: StoreName, directory: string, pin?: Pin): Promise<Storage> {
  switch (store) {
    case "memory":
      return { options: { name: "memory" }, cpu: () => undefined, remove: async () => {} };
    case "sqlite": {
      const file = `${directory}/bindings-${process.pid}-${Date.now()}.sqlite`;
      const remove = async (): Promise<void> => {
        for (const end of ["", "-wal", "-shm"]) await rm(file + end, { force: true });
      };
      return { options: { name: "sqlite", file }, cpu: () => undefined, remove };
    }
    case "redis": {
      const redis = await startRedis(pin);
      return { options: { name: "redis", url: redis.url }, cpu: redis.cpu, remove: redis.stop };
    }
  }
}

/** Starts the server and waits until it listens. What it keeps goes when it is stopped. */
export async function startRegistrar(setup: RegistrarSetup, directory: string): Promise<RegistrarSubject> {
  const { server, store, port, transport, auth, pinned } = setup;
  if (server !== "viaduct") {
    const allocator = server === "kamailio-tlsf" ? "tlsf" : undefined;
    return startKamailio({ port, transport, auth, allocator, pin: pinned ? { core: 0 } : undefined });
  }
  const storage = await makeStorage(store, directory, pinned ? { core: 1 } : undefined);
  try {
    const ours = await startOurs(setup, storage);
    return {
      ...ours,
      async stop() {
        await ours.stop();
        await storage.remove();
      },
    };
  } catch (error) {
    await storage.remove();
    throw error;
  }
}

/** Starts ours with bindings that outlive it. */
export async function startOurs(
  setup: Omit<RegistrarSetup, "server" | "store">,
  storage: Storage,
): Promise<OurRegistrar> {
  const { port, transport, t1, auth, aors, pinned } = setup;
  const pin = pinned ? { core: 0 } : undefined;
  const options: RegistrarServerOptions = {
    listen: `${transport}://127.0.0.1:${port}`,
    t1,
    auth,
    users: aors,
    store: storage.options,
  };
  const argv = ["bench/load/registrar-server.ts", JSON.stringify(options)];
  const began = performance.now();
  const asked = await AskedProcess.start<RegistrarAsk, RegistrarAnswer>(argv, {
    name: "viaduct",
    pin,
    patience: PATIENCE,
  });
  const took = performance.now() - began;
  const ask = (what: RegistrarAsk): Promise<RegistrarAnswer> => asked.ask(what, PATIENCE);
  return {
    name: "viaduct",
    port,
    command: command(["bun", ...argv], pin).join(" "),
    started: { process: took, serve: "ready" in asked.first ? asked.first.ready : Number.NaN },
    cpu: () => cpuOf(asked.pid),
    waited: () => waitOf([asked.pid]),
    databaseCpu: storage.cpu,
    memory: () => memoryOf(asked.pid)?.resident,
    async stats() {
      const answer = await ask({ ask: "stats" });
      return "stats" in answer ? answer.stats : {};
    },
    async reset() {
      await ask({ ask: "reset" });
    },
    async settled() {
      await ask({ ask: "settle" });
    },
    async collect() {
      await ask({ ask: "collect" });
    },
    async lookup(count, users) {
      const answer = await ask({ ask: "lookup", count, users });
      if ("lookups" in answer) return answer.lookups;
      throw new Error(`no lookups but ${JSON.stringify(answer)}`);
    },
    stop: () => asked.stop({ ask: "stop" }, PATIENCE),
  };
}
