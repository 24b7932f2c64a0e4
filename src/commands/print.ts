/** Prints what a command has to say, no faster than it is read. */

let isWatched = false;

/**
 * Prints a text and a line's end on stdout. Whoever reads may have enough, as `head` has: that ends the command, and is no
 * fault of it.
 * @returns once it is written
 */
export function print(text: string): Promise<void> {
  if (!isWatched) process.stdout.on("error", endIfUnread);
  isWatched = true;
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stdout.write(`${text}\n`, () => resolve());
  return promise;
}

function endIfUnread(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}
