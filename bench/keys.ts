/**
 * A request's transaction found by the octets of its branch and sent-by, among 100,000: the key built, hashed and looked
 * up. Beside it the same range as a latin1 string in a Map. Run: `bun run bench keys`.
 */
import { do_not_optimize } from "mitata";
import { ByteStore } from "../src/memory/byte-store.ts";
import { KeyBuilder } from "../src/memory/key.ts";
import { KEY_WORDS, KeyTable } from "../src/memory/key-table.ts";
import { latin1 } from "../src/message/bytes.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { clock, selfTimed } from "./micro/sample.ts";

const LIVE = 100_000;
/** Lookups in one call. */
const BATCH = 256;
/** Octets between two Vias in the buffer: they lie apart as those of datagrams do. */
const STRIDE = 128;
const SERVER_INVITE = 0x53;
/** Records that hold nothing but the table's words. */
const RECORD_SHIFT = Math.log2(KEY_WORDS);

/** A Via's sent-by and branch, as they stand in one run of octets: `host:port;branch=value`. */
interface Vias {
  readonly octets: Uint8Array;
  readonly hostEnd: Uint8Array;
  readonly branchStart: Uint8Array;
  readonly branchEnd: Uint8Array;
}

/** Vias numbered from `first`; no two are the same. */
function vias(first: number): Vias {
  const octets = new Uint8Array(LIVE * STRIDE);
  const [hostEnd, branchStart, branchEnd] = [0, 1, 2].map(() => new Uint8Array(LIVE)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const encoder = new TextEncoder();
  for (let i = 0; i < LIVE; i++) {
    const host = `192.0.${i % 250}.${i % 7}`;
    const random = (Math.imul(first + i, 0x9e3779b1) >>> 0).toString(36);
    const branch = `z9hG4bK${random}-${(first + i).toString(36)}${"4f9c1e".slice(0, i % 6)}`;
    const text = `${host}:5060;branch=${branch}`;
    encoder.encodeInto(text, octets.subarray(i * STRIDE));
    hostEnd[i] = host.length;
    branchStart[i] = text.length - branch.length;
    branchEnd[i] = text.length;
  }
  return { octets, hostEnd, branchStart, branchEnd };
}

function keyOf(key: KeyBuilder, { octets, hostEnd, branchStart, branchEnd }: Vias, i: number): KeyBuilder {
  const at = i * STRIDE;
  return key
    .begin(SERVER_INVITE)
    .number(5060)
    .part(octets, at + branchStart[i]!, at + branchEnd[i]!)
    .lowerPart(octets, at, at + hostEnd[i]!);
}

/**
 * Batches of Vias in an order that no cache foresees, each batch in a buffer that the cache does hold, as it holds the
 * datagram that was just received.
 */
function lookups(set: Vias): () => Vias {
  const batch: Vias = {
    octets: new Uint8Array(BATCH * STRIDE),
    hostEnd: new Uint8Array(BATCH),
    branchStart: new Uint8Array(BATCH),
    branchEnd: new Uint8Array(BATCH),
  };
  let place = 0;
  return () => {
    for (let n = 0; n < BATCH; n++) {
      place = (place + 61_417) % LIVE;
      batch.octets.set(set.octets.subarray(place * STRIDE, (place + 1) * STRIDE), n * STRIDE);
      batch.hostEnd[n] = set.hostEnd[place]!;
      batch.branchStart[n] = set.branchStart[place]!;
      batch.branchEnd[n] = set.branchEnd[place]!;
    }
    return batch;
  };
}

export default async function keys({ effort, figure }: Bench): Promise<void> {
  const known = vias(0);
  const unknown = vias(LIVE);
  const key = new KeyBuilder([0x12345678, 0x9abcdef0]);
  const table = new KeyTable(new ByteStore(), new Int32Array(LIVE << RECORD_SHIFT), RECORD_SHIFT, 0);
  const map = new Map<string, number>();
  for (let i = 0; i < LIVE; i++) {
    const built = keyOf(key, known, i);
    table.insert(i, built, built.hash());
    map.set(latin1(known.octets, i * STRIDE, i * STRIDE + known.branchEnd[i]!), i);
  }

  for (const [name, set, isKnown] of [
    ["hit", known, true],
    ["miss", unknown, false],
  ] as const) {
    for (let i = 0; i < LIVE; i++) {
      const built = keyOf(key, set, i);
      if (table.find(built, built.hash()) !== (isKnown ? i : -1)) throw new Error(`${name}: wrong slot for key ${i}`);
    }
    const next = lookups(set);
    const ours = await selfTimed(
      BATCH,
      () => {
        const batch = next();
        const began = clock();
        for (let n = 0; n < BATCH; n++) {
          const built = keyOf(key, batch, n);
          do_not_optimize(table.find(built, built.hash()));
        }
        return clock() - began;
      },
      effort,
    );
    const peer = await selfTimed(
      BATCH,
      () => {
        const { octets, branchEnd } = next();
        const began = clock();
        for (let n = 0; n < BATCH; n++) {
          do_not_optimize(map.get(latin1(octets, n * STRIDE, n * STRIDE + branchEnd[n]!)));
        }
        return clock() - began;
      },
      effort,
    );
    figure({ name: `${name} among 100,000`, unit: "ns", ...ours, peer: { name: "string and Map", p50: peer.p50 } });
  }
}

if (import.meta.main) await runOne("keys", keys);
