/** The commands beside the server, each loaded only when it is asked for. */

/** Runs a command. @param args what stands behind its name @returns its exit code */
export type Command = (args: readonly string[]) => Promise<number>;

interface Entry {
  readonly name: string;
  /** In one line, for `viaduct --help`. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const COMMANDS: readonly Entry[] = [
  {
    name: "bindings",
    summary: "Lists, shows and removes registrations, beside a server that runs too",
    load: async () => (await import("./bindings.ts")).bindings,
  },
  {
    name: "hash-password",
    summary: "Turns a password into what may stand in its place among the users",
    load: async () => (await import("./hash-password.ts")).hashPasswordCommand,
  },
];

/** The command of that name, or `undefined` when there is none. */
export async function loadCommand(name: string | undefined): Promise<Command | undefined> {
  return COMMANDS.find((entry) => entry.name === name)?.load();
}
