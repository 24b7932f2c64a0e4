/** The status line: what the server does now, in one line of text. */

/** The server's counters at one moment, by the names that `server.stats()` gives them. */
export interface Snapshot {
  /** When, in milliseconds of any steady clock. */
  readonly at: number;
  readonly stats: Readonly<Record<string, number>>;
  /** Resident memory in bytes. */
  readonly memory: number;
}

/**
 * Calls and messages a second between two snapshots; the rest as of the later one. Messages are those received and
 * those sent; retransmissions likewise, and rejects, are counted since the start. A registrar tells of REGISTERs a second
 * and of bindings, in the place of calls and dialogs.
 * @param columns the width of the terminal. A narrow one gets short names, and the text is always shorter than it.
 */
export function statusText(before: Snapshot, now: Snapshot, columns: number): string {
  const seconds = Math.max(now.at - before.at, 1) / 1000;
  const total = (...names: string[]) => names.reduce((sum, name) => sum + (now.stats[name] ?? 0), 0);
  const rate = (...names: string[]) => {
    const growth = names.reduce((sum, name) => sum + (now.stats[name] ?? 0) - (before.stats[name] ?? 0), 0);
    return Math.round(Math.max(growth, 0) / seconds);
  };
  const isRegistrar = now.stats.bindings !== undefined;
  const parts: [long: string, short: string, value: number][] = [
    isRegistrar ? ["registers/s", "reg/s", rate("registers")] : ["calls/s", "call/s", rate("callsStarted")],
    ["messages/s", "msg/s", rate("messagesReceived", "messagesSent")],
    isRegistrar ? ["bindings", "bind", total("bindings")] : ["dialogs", "dlg", total("dialogs")],
    ["transactions", "trans", total("transactions")],
    ["retransmissions", "retr", total("retransmissionsSent", "retransmissionsReceived")],
    ["rejects", "rej", total("rejected")],
  ];
  const megabytes = `${grouped(Math.round(now.memory / 1_048_576))} MB`;
  const long = [...parts.map(([name, , value]) => `${name} ${grouped(value)}`), `memory ${megabytes}`].join("  ");
  if (long.length < columns) return long;
  const short = [...parts.map(([, name, value]) => `${name} ${brief(value)}`), megabytes].join(" ");
  // A terminal wraps when its last column is written, so that one stays free.
  return short.slice(0, Math.max(columns - 1, 0));
}

/** Draws the status line again and again. */
export interface StatusLine {
  /** Takes a snapshot and draws the text for the time since the one before. */
  refresh(): void;
  /** Stops the drawing and takes the line away. */
  stop(): void;
}

/** Where a status line gets its numbers and where it goes. */
export interface StatusLineOptions {
  snapshot(): Snapshot;
  columns(): number;
  draw(text: string): void;
  /** Calls `work` once each `ms` and returns what ends that. */
  every(ms: number, work: () => void): () => void;
  /** Milliseconds between refreshes. Default 1000. */
  intervalMs?: number;
}

/** Draws a first status line and starts to refresh it. */
export function startStatusLine(options: StatusLineOptions): StatusLine {
  let before = options.snapshot();
  const refresh = () => {
    const now = options.snapshot();
    options.draw(statusText(before, now, options.columns()));
    before = now;
  };
  refresh();
  const end = options.every(options.intervalMs ?? 1000, refresh);
  return {
    refresh,
    stop() {
      end();
      options.draw("");
    },
  };
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** At most five characters up to a billion: 9999, 12.3k, 456k, 1.2M. */
function brief(value: number): string {
  if (value < 10_000) return String(value);
  const [unit, name] = value < 999_500 ? [1000, "k"] : value < 999_500_000 ? [1_000_000, "M"] : [1_000_000_000, "G"];
  const scaled = value / unit;
  return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)}${name}`;
}
