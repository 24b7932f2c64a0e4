/** Values that nobody should send: they are refused or taken whole, and nothing of them is left behind. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { KeptStore } from "../support/kept-store.ts";
import { Registering, Registrant } from "../support/registering.ts";
import { unique } from "../support/sip-messages.ts";

const PIECES = [
  "sip:bob@192.0.2.1",
  "<sip:bob@192.0.2.2>",
  "<sip:bob@[2001:db8::1]:5070;transport=tcp>",
  '"B, \\"ob\\\\" ',
  "<",
  ">",
  '"',
  "\\",
  ",",
  ";",
  "=",
  "*",
  "?",
  "%",
  "%00",
  "%41",
  "\u00e9",
  "\t",
  " ",
  "\r\n ",
  "sip:",
  "sips:a@b.example.net",
  "tel:+1-201",
  "@",
  ":",
  ":0",
  ":99999",
  "expires=",
  ";expires=60",
  ";expires=0",
  ";expires",
  "q=",
  ";q=0.5",
  ";q=1.1",
  ";reg-id=1",
  ";reg-id=4294967296",
  ';+sip.instance="<urn:uuid:1>"',
  ';+sip.instance="<urn:uuid:2>',
  ';+sip.instance="',
  ";pub-gruu=x",
  ";ob",
  ";lr",
  "gruu",
  "outbound",
  "path",
  "4294967295",
  "99999999999999999999",
  "-1",
  "0",
  "60",
];

const value = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...PIECES), { maxLength: 7 }).map((pieces) => pieces.join("")) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary-ascii", maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, "")),
  },
);

const header = fc.tuple(
  fc.constantFrom(
    "Contact",
    "Contact",
    "m",
    "Expires",
    "Path",
    "Supported",
    "k",
    "Require",
    "User-Agent",
    "Authorization",
  ),
  value,
);

/** Its clock stands still, so that no transaction ends. */
const ROOM = { limits: { transactions: 50_000 } };

test("nothing that is hostile is half done, crashes, or is told of as it should not", async () => {
  const store = new KeptStore();
  using on = await Registering.open({ store, maxContacts: 4, serviceRoute: ["sip:p.example.com;lr"] }, ROOM);
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(header, { maxLength: 5 }), { minLength: 1, maxLength: 4 }), async (requests) => {
      const aor = `sip:${unique("h")}@example.com`;
      const user = new Registrant(on.client, aor);
      for (const headers of requests) {
        const before = [...(await user.register()).headers("Contact")].sort();
        // readSip, under it, takes no answer that is not well formed.
        const response = await user.register({ headers: headers.map(([name, text]) => `${name}: ${text}`) });
        seen.add(response.status);
        const after = (await user.register()).headers("Contact").sort();
        expect(after).toEqual(response.status === 200 ? response.headers("Contact").map(withoutGruus).sort() : before);
      }
      for (const { contact, params, path, userAgent, callId, aor: known } of on.phones.lookup(aor)) {
        expect([contact, params, path, userAgent, callId].join("")).not.toMatch(/[\r\n]/);
        expect(known).toBe(aor);
      }
      expect(on.phones.unbind(aor)).toBeLessThanOrEqual(4);
      expect(store.rows.size).toBe(0);
    }),
    { numRuns: 300 },
  );
  expect(on.running.server.stats()).toMatchObject({ handlerErrors: 0 });
  expect(on.running.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  // It has seen the good and the bad.
  expect([...seen].sort()).toEqual(expect.arrayContaining([200, 400, 420]));
  expect([...seen].filter((status) => status >= 500)).toEqual([]);
}, 60_000);

function withoutGruus(contact: string): string {
  return contact.replace(/;pub-gruu="[^"]*";temp-gruu="[^"]*"$/, "");
}

test("NUL in a quoted string (RFC 3261 s25.1) is kept as a space: Redis would not have it back", async () => {
  const store = new KeptStore();
  using on = await Registering.open({ store });
  const response = await on.bob.register({ contacts: ['"B\\\0ob" <sip:bob@192.0.2.1>'] });
  expect(response.header("Contact")).toBe('"B\\ ob" <sip:bob@192.0.2.1>;expires=3600');
  expect([...store.rows.values()].map(({ name }) => name)).toEqual(['"B\\ ob"']);
});
