/** The `viaduct` command as a child process whose every line and exit code a test looks at. */
import { expect } from "bun:test";
import { join } from "node:path";

export const CLI = join(import.meta.dir, "../../src/cli.ts");

const children: Bun.Subprocess[] = [];

/** To be ended by {@link killChildren} when the test has not done so. */
export function remember(child: Bun.Subprocess): void {
  children.push(child);
}

/** For `afterAll`: ends what tests have left running. */
export function killChildren(): void {
  for (const child of children.splice(0)) child.kill("SIGKILL");
}

/** Starts the command, its stdout and stderr on pipes. */
export function spawnCli(...args: string[]) {
  return spawnWith({}, ...args);
}

/** How a command is run. */
export interface Around {
  /** Standard input; default none. */
  stdin?: string;
  /** The working directory. */
  cwd?: string;
}

function spawnWith({ stdin, cwd }: Around, ...args: string[]) {
  const child = Bun.spawn([process.execPath, CLI, ...args], {
    stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
    cwd,
  });
  remember(child);
  return child;
}

/** Runs the command to its end. */
export function runCli(...args: string[]) {
  return runWith({}, ...args);
}

/** The same with something on its standard input, or in another folder. */
export async function runWith(around: Around, ...args: string[]) {
  const child = spawnWith(around, ...args);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

/** The command must have ended with code 2, one line on stderr and nothing on stdout. @returns the line's message */
export async function refusalOf(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await runCli(...args);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr).toMatch(/^viaduct: [^\n]+\n$/);
  return stderr.slice("viaduct: ".length, -1);
}

/** A line of the log. */
export type LogRecord = Record<string, unknown>;

/** A running server that logs JSON lines: the first of them, where it listens by that, and the rest as they come. */
export async function startCli(...args: string[]) {
  const started = await startOn(...args);
  if (started.before.length > 0) throw new Error(`logged before it listened: ${JSON.stringify(started.before)}`);
  return started;
}

/** The same for one that may log something `before` it listens. */
export function startOn(...args: string[]) {
  return listening(spawnCli(...args));
}

/** Waits until a command that was started listens. @param child its stdout and stderr on pipes */
export async function listening(child: Bun.Subprocess<Bun.SpawnOptions.Writable, "pipe", "pipe">) {
  const records = readRecords(child.stdout);
  const before: LogRecord[] = [];
  for (;;) {
    const { value } = await records.next();
    if (value === undefined) throw new Error(`the command ended before it listened: ${await child.stderr.text()}`);
    if (value.msg !== "listening") {
      before.push(value);
      continue;
    }
    const listen = value.listen as string[];
    const ports = listen.map((address) => Number(/\d+$/.exec(address)![0]));
    return { child, first: value, before, listen, ports, records };
  }
}

/** The messages of all records that are still to come. */
export async function remaining(records: AsyncIterable<LogRecord>): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const { msg } of records) messages.push(msg);
  return messages;
}

async function* readRecords(stdout: ReadableStream<Uint8Array>): AsyncGenerator<LogRecord, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as LogRecord;
  }
}

/** The command on a terminal of its own. */
export function startOnTerminal(...args: string[]) {
  let text = "";
  let heard = () => {};
  const decoder = new TextDecoder();
  const child = Bun.spawn([process.execPath, CLI, ...args], {
    env: { ...process.env, TERM: "xterm" },
    terminal: {
      cols: 160,
      rows: 24,
      data(_terminal, bytes) {
        text += decoder.decode(bytes, { stream: true });
        heard();
      },
    },
  });
  remember(child);
  return {
    child,
    terminal: child.terminal!,
    /** All that was written so far. */
    text: () => text,
    /** Waits until what was written matches. @throws Error when the command ends before */
    async seen(pattern: RegExp): Promise<void> {
      while (!pattern.test(text)) {
        if (child.exitCode !== null) throw new Error(`the command ended and wrote ${JSON.stringify(text)}`);
        const more = new Promise<void>((resolve) => {
          heard = resolve;
        });
        await Promise.race([more, child.exited]);
      }
    },
  };
}
