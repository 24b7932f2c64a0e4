/** Waiting for what happens in its own time. */

/**
 * Waits until `condition` gives something other than false, null or undefined.
 * @param what named in the error
 * @param timeoutMs default 10,000
 * @returns what it gave. @throws Error when the time is over
 */
export async function until<T>(
  what: string,
  condition: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found !== false && found !== null && found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await Bun.sleep(10);
  }
}
