import { expect, test } from "bun:test";
import { openOutput } from "../../src/observe/output.ts";
import { Terminal } from "../../src/observe/terminal.ts";

/** What a terminal shows after `text`: the one sequence that {@link Terminal} uses, and line ends. */
function screenOf(text: string): string[] {
  const lines = [""];
  let column = 0;
  for (const token of text.replaceAll("\x1b[K", "\0")) {
    const last = lines.length - 1;
    if (token === "\r") column = 0;
    else if (token === "\0") lines[last] = lines[last]!.slice(0, column);
    else if (token === "\n") {
      lines.push("");
      column = 0;
    } else {
      lines[last] = lines[last]!.slice(0, column) + token + lines[last]!.slice(column + 1);
      column++;
    }
  }
  return lines;
}

test("lines go above the status line, which stays the last", () => {
  let text = "";
  const terminal = new Terminal((more) => {
    text += more;
  });
  terminal.print("first");
  terminal.status("calls 1000");
  terminal.print("second");
  terminal.status("calls 9");
  terminal.print("third\n    with a stack");
  expect(screenOf(text)).toEqual(["first", "second", "third", "    with a stack", "calls 9"]);
  terminal.status("");
  expect(screenOf(text)).toEqual(["first", "second", "third", "    with a stack", ""]);
});

test("an unchanged status line is not drawn again", () => {
  let writes = 0;
  const terminal = new Terminal(() => {
    writes++;
  });
  terminal.status("same");
  terminal.status("same");
  expect(writes).toBe(1);
});

test("a terminal that cannot move its cursor gets lines and no status line", () => {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const output = openOutput("info", { isTTY: true, columns: 80, write }, true);
  output.say("hello");
  output.showStatus(() => ({ at: 0, stats: {}, memory: 0 }));
  output.log.info("logged");
  expect(text).toMatch(/^hello\n\d\d:\d\d:\d\d info {2}logged\n$/);
});

test("a terminal of unknown width counts as 80 columns wide", async () => {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const output = openOutput("info", { isTTY: true, columns: 0, write }, false);
  output.showStatus(() => ({ at: 0, stats: { transactions: 123 }, memory: 0 }));
  expect(text).toContain("trans 123");
  await output.close();
  expect(screenOf(text)).toEqual([""]);
});
