import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jsonLogging, plainLogging } from "../../src/observe/log.ts";

const folder = mkdtempSync(join(tmpdir(), "viaduct-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("records for programs are one JSON object a line, level as a word, time in ISO 8601", async () => {
  const path = join(folder, "json");
  const fd = openSync(path, "w");
  const { log, flush } = jsonLogging("info", fd);
  log.debug({ a: 1 }, "not at this level");
  log.info({ a: 1 }, "first");
  log.error({ err: new TypeError("broken") }, "second");
  await flush();
  closeSync(fd);
  const [first, second, ...rest] = readFileSync(path, "utf8").split("\n");
  expect(rest).toEqual([""]);
  const { time, ...fields } = JSON.parse(first!);
  expect(fields).toEqual({ level: "info", a: 1, msg: "first" });
  expect(new Date(time).toISOString()).toBe(time);
  expect(JSON.parse(second!)).toMatchObject({ level: "error", msg: "second", err: { message: "broken" } });
});

test("records for people are plain lines", () => {
  const lines: string[] = [];
  const { log } = plainLogging("warn", (line) => lines.push(line));
  log.info("not at this level");
  log.warn({ peer: "192.0.2.1:5060" }, "lost");
  expect(lines).toEqual([expect.stringMatching(/^\d\d:\d\d:\d\d warn {2}lost peer=192\.0\.2\.1:5060$/)]);
});

test("silent is silent", () => {
  const lines: string[] = [];
  const { log } = plainLogging("silent", (line) => lines.push(line));
  log.fatal("nothing");
  expect(lines).toEqual([]);
});
