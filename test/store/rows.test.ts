import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createLocalStore } from '../../store/local.ts';
import { asSlice, emptyRows, readRows, writeRows } from '../../store/rows.ts';
import type { Store } from '../../store/store.ts';

let folder: string;
let store: Store;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'store-'));
  store = await createLocalStore(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const Row = z.strictObject({ n: z.number(), text: z.string() });
const row = fc.record({ n: fc.double({ noNaN: true, noDefaultInfinity: true }), text: fc.string({ unit: 'binary' }) });
const rows = (count: number, from = 0) => Array.from({ length: count }, (_, i) => ({ n: from + i, text: '' }));

describe('rows', { timeout: 30_000 }, () => {
  it('come back as they were written, any cut of any sharding', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(row, { maxLength: 4 }), { maxLength: 4 }),
        fc.nat(),
        fc.nat(),
        async (parts, a, b) => {
          const shards = await Promise.all(parts.map((part) => writeRows(store, part)));
          expect(shards.map((shard) => shard.rows)).toEqual(parts.map((part) => part.length));
          const all = (JSON.parse(JSON.stringify(parts)) as typeof parts).flat(); // -0 is 0 in JSON
          expect(await readRows(store, { shards, rows: all.length }, Row)).toEqual(all);
          const from = a % (all.length + 1);
          const to = from + (b % (all.length - from + 1));
          expect(await readRows(store, { shards, from, to }, Row)).toEqual(all.slice(from, to));
          const uncounted = shards.map(({ digest, bytes }) => ({ digest, bytes }));
          expect(await readRows(store, { shards: uncounted, from, to }, Row)).toEqual(all.slice(from, to));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are canonical JSON, a line each; none is an empty file', async () => {
    const ref = await writeRows(store, [
      { text: 'a\nb\u2028', n: 1 },
      { n: 2, text: 'ü' },
    ]);
    expect((await store.read(ref.digest)).toString()).toBe('{"n":1,"text":"a\\nb\u2028"}\n{"n":2,"text":"ü"}\n');
    const none = await writeRows(store, []);
    expect(none).toMatchObject({ rows: 0, bytes: 0 });
    expect(await readRows(store, { shards: [none], rows: 0 }, Row)).toEqual([]);
    expect(await readRows(store, emptyRows, Row)).toEqual([]);
    expect(asSlice({ shards: [ref], rows: 2 })).toEqual({ shards: [ref], from: 0, to: 2 });
  });

  it('are read from just the shards that hold them', async () => {
    const shards = [];
    for (let i = 0; i < 5; i++) shards.push(await writeRows(store, rows(10, 10 * i)));
    const read: string[] = [];
    const watching: Store = {
      ...store,
      read: (digest) => {
        read.push(digest);
        return store.read(digest);
      },
    };
    const found = await readRows(watching, { shards, from: 15, to: 30 }, Row);
    expect(found.map(({ n }) => n)).toEqual(Array.from({ length: 15 }, (_, i) => 15 + i));
    expect(read).toEqual([shards[1]!.digest, shards[2]!.digest]);
    await readRows(watching, { shards, from: 20, to: 20 }, Row);
    expect(read).toHaveLength(2);
  });

  it('that do not fit are refused with digest, line and field', async () => {
    const ref = await writeRows(store, [...rows(2), { n: 'two', text: '', more: 1 }]);
    const invalid = readRows(store, { shards: [await writeRows(store, rows(3)), ref], from: 4, to: 6 }, Row);
    await expect(invalid).rejects.toMatchObject({ code: 'InvalidInput' });
    await expect(invalid).rejects.toThrow(`${ref.digest}, line 3: n: `);
    expect(await readRows(store, { shards: [ref], from: 0, to: 2 }, Row)).toHaveLength(2);

    const text = await store.put('{"n":1,"text":""}\nnot JSON\n', 2);
    await expect(readRows(store, { shards: [text], rows: 2 }, Row)).rejects.toThrow(`${text.digest}, line 2: `);
  });

  it('that are fewer or more than was said are refused, never cut or filled silently', async () => {
    const ref = await writeRows(store, rows(3));
    await expect(readRows(store, { shards: [ref], rows: 4 }, Row)).rejects.toThrow('the 1 shards hold 3');
    await expect(readRows(store, { shards: [{ ...ref, rows: 4 }], rows: 4 }, Row)).rejects.toThrow('its ref says 4');
    await expect(readRows(store, { shards: [ref], from: 2, to: 1 }, Row)).rejects.toThrow('before the start');
    await expect(writeRows(store, [{ n: NaN }])).rejects.toThrow(TypeError);
  });
});
