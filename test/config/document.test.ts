import { expect, test } from "bun:test";
import { settings } from "../../src/config/catalogue.ts";
import { DOCUMENT, settingsDocument } from "../../src/config/document.ts";
import { schema } from "../../src/config/schema.ts";

test("docs/settings.md is what the schema gives; when not, run: bun src/config/document.ts", async () => {
  expect(await Bun.file(DOCUMENT).text()).toBe(settingsDocument());
});

test("it has a row for every setting", () => {
  const text = settingsDocument();
  for (const { name, key } of settings) expect(text).toContain(`\n| \`${name}\` | \`--${key}\` | `);
});

test("the file in it gives the defaults", () => {
  const toml = /```toml\n([\s\S]*?)```/.exec(settingsDocument())![1]!;
  expect(schema.parse(Bun.TOML.parse(toml))).toEqual(schema.parse({}));
});
