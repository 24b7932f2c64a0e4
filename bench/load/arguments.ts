/**
 * Reads the arguments of a benchmark. Prints its usage when they are wrong, with `process.exitCode` 2, or when that is all
 * they ask for.
 * @param read gives undefined where help is asked for @throws what is wrong
 * @returns undefined when there is nothing more to do
 */
export function readArguments<T>(
  argv: string[],
  read: (argv: string[]) => T | undefined,
  usage: string,
): T | undefined {
  try {
    const options = read(argv);
    if (options === undefined) console.log(usage);
    return options;
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}
