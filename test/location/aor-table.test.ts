/** Addresses-of-record by their octets, against what a Map would hold. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { AorTable } from "../../src/location/aor-table.ts";
import { ByteStore } from "../../src/memory/byte-store.ts";

const CEILING = 8;

test("each is found by its octets for as long as it has bindings, and its slot is used again", () => {
  const step = fc.record({ aor: fc.nat(CEILING - 1), isPut: fc.boolean(), binding: fc.nat(100) });
  const name = fc.uint8Array({ minLength: 1, maxLength: 600 });
  const names = fc.uniqueArray(name, { minLength: CEILING, maxLength: CEILING, selector: String });
  fc.assert(
    fc.property(names, fc.array(step, { maxLength: 100 }), (octets, steps) => {
      const table = new AorTable(new ByteStore(), CEILING, [1, 2]);
      const bindings = new Map<number, number[]>();
      const texts = octets.map((one) => Buffer.from(one).toString("latin1"));
      for (const { aor, isPut, binding } of steps) {
        const one = octets[aor]!;
        const known = bindings.get(aor) ?? [];
        if (isPut) {
          const slot = table.open(one, 0, one.length);
          expect(table.first(slot)).toBe(known[0] ?? -1);
          table.put(slot, binding);
          bindings.set(aor, [binding, ...known]);
        } else if (known.length > 0) {
          table.drop(table.find(one, 0, one.length), known[1] ?? -1);
          if (known.length === 1) bindings.delete(aor);
          else bindings.set(aor, known.slice(1));
        }
        expect(table.size).toBe(bindings.size);
        for (const [i, text] of texts.entries()) {
          const slot = table.findText(text);
          const of = bindings.get(i);
          if (of === undefined) expect(slot).toBe(-1);
          else {
            expect([table.first(slot), table.countOf(slot), table.length(slot)]).toEqual([
              of[0]!,
              of.length,
              text.length,
            ]);
            expect(table.text(slot)).toBe(text);
            const copy = new Uint8Array(text.length + 2);
            table.copy(slot, copy, 1);
            expect(copy).toEqual(Uint8Array.of(0, ...octets[i]!, 0));
            expect(slot).toBeLessThan(CEILING);
          }
        }
      }
    }),
  );
});
