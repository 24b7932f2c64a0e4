import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineWriter } from "../../src/observe/line-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "viaduct-lines-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("lines arrive whole and in order, also those that come during a write", async () => {
  const path = join(folder, "order");
  const fd = openSync(path, "w");
  const writer = new LineWriter(fd);
  let expected = "";
  for (let turn = 0; turn < 20; turn++) {
    for (let i = 0; i < 50; i++) {
      const line = `${turn}.${i} ünïcode ${"x".repeat(i)}\n`;
      writer.write(line);
      expected += line;
    }
    await new Promise(setImmediate);
  }
  expect(await writer.flush(5000)).toBe(true);
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe(expected);
});

test("a flush with nothing to write is done at once", async () => {
  expect(await new LineWriter(1).flush(0)).toBe(true);
});

test("over the limit lines are dropped, and how many is told once there is room", async () => {
  const path = join(folder, "limit");
  const fd = openSync(path, "w");
  const writer = new LineWriter(fd, { limit: 20, dropped: (lines) => `dropped ${lines}\n` });
  writer.write("first\n"); // under way at once, so it does not count against the limit
  for (let i = 0; i < 10; i++) writer.write(`waiting ${i}\n`);
  await writer.flush(5000);
  writer.write("last\n");
  await writer.flush(5000);
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe("first\nwaiting 0\nwaiting 1\ndropped 8\nlast\n");
});

test("a descriptor that takes nothing more swallows the lines", async () => {
  const fd = openSync(join(folder, "order"), "r");
  const writer = new LineWriter(fd);
  writer.write("refused\n");
  expect(await writer.flush(5000)).toBe(true);
  expect(() => writer.write("again\n")).not.toThrow();
  expect(await writer.flush(5000)).toBe(true);
  closeSync(fd);
});

test("a reader that has stopped reading stops neither the writer's owner nor its exit", async () => {
  const script = `
    import { LineWriter } from ${JSON.stringify(join(import.meta.dir, "../../src/observe/line-writer.ts"))};
    const writer = new LineWriter(1);
    const started = performance.now();
    for (let i = 0; i < 20_000; i++) writer.write("x".repeat(99) + "\\n");
    const took = performance.now() - started;
    const written = await writer.flush(100);
    console.error(JSON.stringify({ took, written }));
    process.exit(7);`;
  const path = join(folder, "stalled.ts");
  await Bun.write(path, script);
  // The pipe's reader is this process, which does not read.
  const child = Bun.spawn([process.execPath, path], { stdout: "pipe", stderr: "pipe", lazy: true });
  const result = JSON.parse(await child.stderr.text());
  expect(result.written).toBe(false);
  expect(result.took).toBeLessThan(2000);
  expect(await child.exited).toBe(7);
});
