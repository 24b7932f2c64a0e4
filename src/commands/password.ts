/** Reads a password: from the terminal without showing it, or from standard input. */

import { ReadStream } from "node:tty";
import { ConfigError } from "../config/error.ts";

const EXIT_INTERRUPTED = 130;
const INTERRUPT = "\x03";
const END = "\x04";
const ERASE = new Set(["\x7f", "\b"]);
const ERASE_ALL = "\x15";

/**
 * Asks twice on the terminal, or reads a line of standard input.
 * @param isFromStdin whether standard input is a pipe or a file with the password
 * @throws ConfigError when there is none, or the two are not the same
 */
export async function readPassword(isFromStdin: boolean): Promise<string> {
  const password = isFromStdin ? lineOf(await Bun.stdin.text()) : await askTwice();
  if (password === "") throw new ConfigError("the password must not be empty");
  if (/[\p{Cc}]/u.test(password)) throw new ConfigError("the password must be one line without control characters");
  return password;
}

function lineOf(text: string): string {
  return text.replace(/\r?\n$/, "");
}

async function askTwice(): Promise<string> {
  const { stdin } = process;
  if (!(stdin instanceof ReadStream) || !stdin.isTTY) {
    throw new ConfigError("standard input is no terminal: give the password there, and --password-stdin");
  }
  const password = await ask(stdin, "Password: ");
  if (password === "") return "";
  if ((await ask(stdin, "Again: ")) !== password) throw new ConfigError("the two passwords are not the same");
  return password;
}

/** One line without its echo. The question goes to stderr, since stdout may go to a file. */
async function ask(stdin: ReadStream, question: string): Promise<string> {
  // Before the question, or somebody quick would see what is typed.
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  process.stderr.write(question);
  try {
    return await typed(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write("\n");
  }
}

function typed(stdin: ReadStream): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let line: string[] = [];
  const take = (text: string): void => {
    for (const key of text) {
      if (key === "\r" || key === "\n" || key === END) {
        stdin.off("data", take);
        resolve(line.join(""));
        return;
      }
      if (key === INTERRUPT) interrupt(stdin);
      if (ERASE.has(key)) line.pop();
      else if (key === ERASE_ALL) line = [];
      else line.push(key);
    }
  };
  stdin.on("data", take);
  stdin.resume();
  return promise;
}

function interrupt(stdin: ReadStream): never {
  stdin.setRawMode(false);
  process.stderr.write("\n");
  process.exit(EXIT_INTERRUPTED);
}
