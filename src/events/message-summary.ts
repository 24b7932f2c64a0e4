/** The `message-summary` event package: whether messages wait (RFC 3842), told from what is published. */
import { latin1 } from "../message/bytes.ts";
import type { Body, EventPackage, PackageContext, State } from "./event-package.ts";

const TYPE = "application/simple-message-summary";
/** RFC 3842 s3.11: no more often than once a second. */
const MIN_INTERVAL_MS = 1000;

/** How many messages of one kind there are. */
export interface MessageCounts {
  new: number;
  old: number;
  urgentNew?: number;
  urgentOld?: number;
}

/** What waits in a mailbox. */
export interface MessageSummary {
  waiting: boolean;
  /** The mailbox, a URI. */
  account?: string;
  /** By RFC 3458's classes. */
  messages?: Partial<Record<MessageClass, MessageCounts>>;
}

export type MessageClass =
  | "voice-message"
  | "video-message"
  | "fax-message"
  | "pager-message"
  | "multimedia-message"
  | "text-message"
  | "none";

/** A summary as a body (RFC 3842 s5.2). @throws TypeError for an account that holds a line end */
export function messageSummaryBody({ waiting, account, messages = {} }: MessageSummary): Body {
  let text = `Messages-Waiting: ${waiting ? "yes" : "no"}\r\n`;
  if (account !== undefined) {
    if (/[\r\n\0]/.test(account)) throw new TypeError("The account of a message summary holds a line end");
    text += `Message-Account: ${account}\r\n`;
  }
  for (const [name, counts] of Object.entries(messages)) {
    const { new: fresh, old, urgentNew, urgentOld } = counts;
    const urgent = urgentNew === undefined && urgentOld === undefined ? "" : ` (${urgentNew ?? 0}/${urgentOld ?? 0})`;
    text += `${name[0]!.toUpperCase()}${name.slice(1).replace("-m", "-M")}: ${fresh}/${old}${urgent}\r\n`;
  }
  return { type: TYPE, content: text };
}

/** The package. Where nothing is published no message waits; of several publications the last counts. */
export function messageSummary({ minInterval = MIN_INTERVAL_MS }: { minInterval?: number } = {}): EventPackage {
  let context: PackageContext | null = null;
  return {
    name: "message-summary",
    types: [TYPE],
    forks: true,
    minInterval,
    attach(given) {
      context = given;
    },
    accepts: ({ content }) => /^Messages-Waiting[ \t]*:[ \t]*(yes|no)[ \t]*(\r\n|$)/i.test(textOf(content)),
    state({ resource, isPending }): State {
      const published = isPending ? undefined : context!.published(resource).at(-1);
      return published ?? messageSummaryBody({ waiting: false });
    },
  };
}

function textOf(content: string | Uint8Array): string {
  return typeof content === "string" ? content : latin1(content, 0, Math.min(content.length, 64));
}
