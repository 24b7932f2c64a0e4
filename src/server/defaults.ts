/** Settings that were given, over those that were not. A setting given as undefined counts as not given. */
export function withDefaults<T extends object>(defaults: Readonly<T>, given: Partial<T> = {}): T {
  const all = { ...defaults } as T;
  for (const key of Object.keys(defaults) as (keyof T)[]) {
    const value = given[key];
    if (value !== undefined) all[key] = value;
  }
  return all;
}
