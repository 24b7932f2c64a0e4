/**
 * Our registrar under load as a process of its own: `bun bench/load/registrar-server.ts OPTIONS`, driven over IPC. It
 * says how long `serve()` took when it listens.
 */
import { digest, FoundUser, type UserSource } from "../../src/auth/digest.ts";
import { registrar, serve } from "../../src/index.ts";
import { redisStore } from "../../src/location/redis-store.ts";
import { sqliteStore } from "../../src/location/sqlite-store.ts";
import type { BindingStore } from "../../src/location/store.ts";
import { DOMAIN, PASSWORD } from "./register-users.ts";
import { type Lookups, timeLookups } from "./registrar-lookups.ts";
import type { Auth } from "./registrar-subject.ts";
import { numbersOf } from "./server.ts";

export interface RegistrarServerOptions {
  readonly listen: string;
  /** Milliseconds. */
  readonly t1: number;
  readonly auth: Auth;
  /** Users that are kept once they were asked for: those that come again. */
  readonly users: number;
  readonly store:
    | { readonly name: "memory" }
    | { readonly name: "sqlite"; readonly file: string }
    | { readonly name: "redis"; readonly url: string };
}

/** What may be asked. `lookup`: so many AORs of users below `users`, at random. */
export type RegistrarAsk =
  | { readonly ask: "stats" | "reset" | "settle" | "collect" | "stop" }
  | { readonly ask: "lookup"; readonly count: number; readonly users: number };

export type RegistrarAnswer =
  /** Milliseconds. */
  | { readonly ready: number }
  | { readonly stats: Record<string, number> }
  | { readonly lookups: Lookups }
  | { readonly done: "reset" | "settle" | "collect" | "stop" }
  | { readonly error: string };

/** Fresh AORs come by the hundred thousand, beside those that are refreshed. */
const MOST_BINDINGS = 4_000_000;

/**
 * Everybody is a user. The first so many are kept, as a source of users should; who registers once is not. They never change,
 * so that who comes again with a nonce is not asked for again: as with users from settings, files and SQLite.
 */
class Everybody implements UserSource {
  readonly generation = 0;
  readonly #users = new Map<string, FoundUser>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  find(name: string): FoundUser {
    let user = this.#users.get(name);
    if (user === undefined) {
      user = new FoundUser(name, { password: PASSWORD });
      if (this.#users.size < this.#most) this.#users.set(name, user);
    }
    return user;
  }
}

function storeOf(store: RegistrarServerOptions["store"]): BindingStore | undefined {
  switch (store.name) {
    case "memory":
      return undefined;
    case "sqlite":
      return sqliteStore({ file: store.file });
    case "redis":
      return redisStore({ url: store.url });
  }
}

if (import.meta.main) {
  const say = (answer: RegistrarAnswer): void => void process.send?.(answer);
  try {
    const { listen, t1, auth, users, store: where } = JSON.parse(process.argv[2] ?? "{}") as RegistrarServerOptions;
    const store = storeOf(where);
    const began = performance.now();
    const phones = registrar({
      domains: [DOMAIN],
      maxBindings: MOST_BINDINGS,
      ...(auth !== "none" && { auth: digest({ realm: DOMAIN, users: new Everybody(users), algorithms: [auth] }) }),
      store,
    });
    const server = await serve({ listen, timers: { t1 }, plugins: [phones] });
    const ready = performance.now() - began;
    const stop = async (): Promise<never> => {
      await server.stop();
      say({ done: "stop" });
      process.exit(0);
    };
    process.on("disconnect", stop);
    process.on("SIGTERM", stop);
    process.on("message", async (what: RegistrarAsk) => {
      switch (what.ask) {
        case "stats":
          say({ stats: { ...numbersOf(server.stats()), ...numbersOf(phones.stats) } });
          return;
        case "reset":
          server.resetStats();
          say({ done: "reset" });
          return;
        case "settle":
          await store?.settled();
          say({ done: "settle" });
          return;
        case "collect":
          Bun.gc(true);
          say({ done: "collect" });
          return;
        case "lookup":
          say({ lookups: timeLookups(what.count, what.users, (uri) => phones.lookup(uri).length) });
          return;
        case "stop":
          await stop();
      }
    });
    say({ ready });
  } catch (error) {
    say({ error: String(error) });
    // Time for the message to leave before the channel goes.
    setTimeout(() => process.exit(1), 100);
  }
}
