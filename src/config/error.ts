/** A setting that the server cannot start with. The message is for the operator: it names the setting and the cure. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** A value as a message shows it: on one line, quoted as JSON, and cut when it is long. */
export function show(value: unknown): string {
  // JSON has no inf and nan, which TOML has.
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
