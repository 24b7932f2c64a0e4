/** Finds the name that was probably meant. */

/**
 * The candidate nearest to `name`, or `undefined` when none is near: more than a third of the letters, and more than
 * two, would have to change. `ringTime`, `ring_time` and `RING-TIME` all count as `ring-time`.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  const wanted = kebab(name);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const found = distance(wanted, candidate);
    // Two letters of a two-letter name are all of it.
    if (found < bestDistance && found < candidate.length - 1) {
      best = candidate;
      bestDistance = found;
    } else if (found === 0) return candidate;
  }
  return best;
}

function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll("_", "-")
    .toLowerCase();
}

/** The edits from `a` to `b`: a letter added, dropped or changed, or two neighbours swapped. */
function distance(a: string, b: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, older[j - 2]! + 1);
      current.push(cost);
    }
    older = previous;
    previous = current;
  }
  return previous[b.length]!;
}
