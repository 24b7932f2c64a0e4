/** `viaduct bindings` beside a server that runs, and without one. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killChildren, refusalOf, runCli, runWith } from "../support/cli-child.ts";
import { startRegistrar } from "../support/cli-registrar.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "viaduct-bindings-"));
afterAll(() => {
  killChildren();
  rmSync(folder, { recursive: true });
});

let files = 0;
const newFile = () => join(folder, `${files++}.sqlite`);

describe("beside a server", () => {
  const file = newFile();
  let server: Awaited<ReturnType<typeof startRegistrar>>;
  beforeAll(async () => {
    server = await startRegistrar("--store-file", file, "--store-wait", "true");
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await server.register({ user: "bob", contact: "<sip:bob@127.0.0.1:9>;q=0.7, <sip:bob@127.0.0.1:10>" });
    await server.register({ user: "carol" });
  });
  afterEach(() => server.register({ user: "bob", contact: "*", expires: 0 }));

  test("list prints every registration", async () => {
    const { stdout, stderr, code } = await runCli("bindings", "list", "--store-file", file);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^ADDRESS +CONTACT +EXPIRES +Q +FROM +USER AGENT$/);
    expect(lines.map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
      ["sip:bob@example.com", "sip:bob@127.0.0.1:10", expect.stringMatching(/^in (9|10) minutes$/), "1"],
      ["sip:bob@example.com", "sip:bob@127.0.0.1:9", expect.stringMatching(/^in (9|10) minutes$/), "0.7"],
      ["sip:carol@example.com", "sip:carol@127.0.0.1:9", expect.stringMatching(/^in (9|10) minutes$/), "1"],
    ]);
  });

  test("list --json prints an object a line", async () => {
    const { stdout, code } = await runCli("bindings", "list", "--json", "--store-file", file);
    const contacts = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).contact);
    expect(contacts.toSorted()).toEqual(["sip:bob@127.0.0.1:10", "sip:bob@127.0.0.1:9", "sip:carol@127.0.0.1:9"]);
    expect(code).toBe(0);
  });

  test("show prints one address, however it is spelled, and its best contact first", async () => {
    for (const spelling of ["sip:bob@example.com", "bob@EXAMPLE.com", "sips:bob@example.com:5061;x=y"]) {
      const { stdout, code } = await runCli("bindings", "show", spelling, "--store-file", file);
      expect(code).toBe(0);
      expect(stdout).toStartWith("sip:bob@example.com: 2 contacts\n\n  sip:bob@127.0.0.1:10\n    expires ");
    }
  });

  test("remove ends one contact, and the server knows of it", async () => {
    const removed = await runCli("bindings", "remove", "bob@example.com", "sip:bob@127.0.0.1:9", "--store-file", file);
    expect(removed).toEqual({
      stdout: "removed sip:bob@127.0.0.1:9 of sip:bob@example.com\n",
      stderr: "",
      code: 0,
    });
    await until("the server to have heard of it", async () => (await server.fetch("bob")).length === 1);
    expect(await server.fetch("bob")).toEqual([expect.stringContaining("sip:bob@127.0.0.1:10")]);
  });

  test("remove without a contact ends all of an address", async () => {
    const { stdout, code } = await runCli("bindings", "remove", "bob@example.com", "--json", "--store-file", file);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
    const shown = await runCli("bindings", "show", "bob@example.com", "--store-file", file);
    expect(shown).toEqual({
      stdout: "",
      stderr: "viaduct: nothing is registered for sip:bob@example.com\n",
      code: 1,
    });
  });

  test("what is not there is not removed", async () => {
    const { stdout, stderr, code } = await runCli(
      ...["bindings", "remove", "bob@example.com", "sip:nobody@127.0.0.1", "--store-file", file],
    );
    const said = "viaduct: nothing is registered for sip:bob@example.com at sip:nobody@127.0.0.1\n";
    expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: said, code: 1 });
  });
});

describe("without a server", () => {
  test("reads what one has left, by the settings of its file", async () => {
    const config = join(folder, "left.toml");
    writeFileSync(config, '[store]\nstore-file = "left.sqlite"\n');
    const server = await startRegistrar("--config", config);
    await server.register();
    expect(await server.stop()).toBe(0);
    const { stdout, code } = await runCli("bindings", "list", "--config", config);
    expect([stdout.split("\n").length, code]).toEqual([3, 0]);
    const removed = await runCli("bindings", "remove", "bob@example.com", "--config", config);
    expect(removed.code).toBe(0);
    const { stderr, code: none } = await runCli("bindings", "list", "--config", config);
    expect({ stderr, none }).toEqual({ stderr: "viaduct: there are no registrations\n", none: 1 });
  });

  test("a store that is not there, is no store or is nobody else's is named", async () => {
    const none = join(folder, "none.sqlite");
    expect(await refusalOf("bindings", "list", "--store-file", none)).toBe(
      `store-file: ${none}: there is no such file or folder`,
    );
    const text = join(folder, "text");
    writeFileSync(text, "no database at all".repeat(100));
    expect(await refusalOf("bindings", "list", "--store-file", text)).toBe(`store-file: ${text}: is no SQLite file`);
    expect(await refusalOf("bindings", "list", "--store", "memory")).toBe(
      "store: memory is the server's own: nobody else can look into it",
    );
  });

  test("without a word the store is the one in the working directory", async () => {
    const cwd = mkdtempSync(join(folder, "cwd-"));
    const { stderr, code } = await runWith({ cwd }, "bindings", "list");
    expect({ stderr, code }).toEqual({
      stderr: `viaduct: store-file: ${join(cwd, "viaduct.sqlite")}: there is no such file or folder\n`,
      code: 2,
    });
  });
});

describe("wrong use ends with one line and exit code 2", () => {
  const SEE = "; see viaduct bindings --help";
  test.each([
    [["bindings"], `viaduct bindings must be followed by list, show or remove${SEE}`],
    [["bindings", "lst"], `unknown command 'lst' (Did you mean list?)${SEE}`],
    [["bindings", "show"], `missing required argument 'aor'${SEE}`],
    [["bindings", "list", "--jsn"], `unknown option '--jsn' (Did you mean --json?)${SEE}`],
    [["bindings", "show", "http://x"], 'AOR: must be an address such as sip:bob@example.com, not "http://x"'],
    [["bindings", "list", "--store", "x"], '--store: must be memory, sqlite or redis, not "x"'],
  ])("%j", async (args, message) => {
    expect(await refusalOf(...args)).toBe(message);
  });

  test("its own --help tells of its commands", async () => {
    const { stdout, code } = await runCli("bindings", "--help");
    expect(code).toBe(0);
    for (const word of ["list", "show", "remove"]) expect(stdout).toContain(`  ${word} [options]`);
    expect((await runCli("bindings", "list", "--help")).stdout).toContain("--store-file <file>");
  });
});
