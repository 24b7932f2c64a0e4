import { expect, test } from "bun:test";
import fc from "fast-check";
import { Section } from "../../src/location/packed.ts";
import type { BindingRow } from "../../src/location/row.ts";
import { type Batch, BatchPacker, Lives, Texts } from "../../src/location/sqlite-batch.ts";
import { newLocation, register } from "../support/bindings.ts";

const octets = (maxLength: number) =>
  fc
    .uint8Array({ maxLength })
    .filter((bytes) => !bytes.includes(0))
    .map((bytes) => Buffer.from(bytes).toString("latin1"));
const binding = fc.record({
  aor: octets(80).map((text) => `sip:${text}`),
  contact: octets(200),
  params: octets(300),
  callId: octets(90),
  path: octets(4000),
  userAgent: octets(90),
  received: octets(40),
  name: octets(30),
  q: fc.nat(1000),
  regId: fc.constantFrom(0, 0, 1, 4_000_000_000),
  cseq: fc.constantFrom(0, 1, 0xffff_ffff),
  flags: fc.nat(31),
  isWhole: fc.boolean(),
});

/** What the other side reads: whole rows, and of the others what a refresh changes. */
function read(batch: Batch): Partial<BindingRow>[] {
  const rows: Partial<BindingRow>[] = [];
  const lives = new Lives(batch.lives, batch.livesLength);
  const texts = new Texts(batch.texts);
  while (lives.next()) {
    const { id, cseq, expires, updated, flags } = lives;
    rows.push({ id, cseq, expires, updated, flags });
    if (!lives.hasTexts) continue;
    texts.next();
    Object.assign(rows.at(-1)!, {
      aor: texts.aor,
      name: texts.text(Section.Name),
      contact: texts.text(Section.Uri),
      params: texts.text(Section.Params),
      instance: texts.instance,
      regId: texts.regId,
      q: texts.q,
      callId: texts.text(Section.CallId),
      path: texts.text(Section.Path),
      received: texts.text(Section.Received),
      userAgent: texts.text(Section.UserAgent),
    });
  }
  return rows;
}

test("whatever octets a binding holds, it arrives as it was", () => {
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 40 }), fc.array(fc.maxSafeNat()), (bindings, removals) => {
      const { location } = newLocation();
      const packer = new BatchPacker();
      let spare: Batch | null = null;
      // The second time in memory that has grown.
      for (let round = 0; round < 2; round++) {
        packer.begin(spare);
        const expected: Partial<BindingRow>[] = [];
        for (const { isWhole, ...said } of bindings) {
          const instance = said.params.slice(3, 40);
          const slot = register(location, { ...said, instance });
          packer.add(location, slot, isWhole);
          const { id, cseq, expires, updated, flags, ...texts } = location.row(slot);
          expected.push({ id, cseq, expires, updated, flags, ...(isWhole ? texts : {}) });
        }
        for (const id of removals) packer.remove(id);
        spare = packer.take();
        expect(read(spare)).toEqual(expected);
        expect([...spare.removals.subarray(0, spare.removalsLength)]).toEqual(removals);
      }
    }),
  );
});

test("a batch is full after some thousand refreshes, and after a megabyte of texts", () => {
  const { location } = newLocation();
  const slot = register(location, { aor: "sip:bob@example.com", path: "x".repeat(4000) });
  const packer = new BatchPacker();
  const count = (isWhole: boolean) => {
    packer.begin(null);
    let added = 0;
    for (; !packer.isFull; added++) packer.add(location, slot, isWhole);
    return added;
  };
  expect(count(false)).toBe(8192);
  expect(count(true)).toBeLessThan(270);
});
