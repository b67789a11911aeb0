import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openZip } from '../../scripts/setup/zip.mjs';
import { makeZip } from './make-zip.ts';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'zip-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (bytes: Buffer) => {
  const file = join(folder, `${Math.random()}.zip`);
  writeFileSync(file, bytes);
  return file;
};
const big = Buffer.alloc(3_000_000, 'the quick brown fox ');

describe('the zip reader', () => {
  it.each([{ zip64: false }, { zip64: true }])(
    'gives back stored, deflated and empty entries (%o)',
    async (options) => {
      const entries = { 'a/stored.txt': 'as it is', 'b/deflated.bin': big, empty: '' };
      const file = write(
        makeZip(entries, { stored: ['a/stored.txt', 'empty'], comment: 'PK\x05 a comment', ...options }),
      );
      const zip = await openZip(file);
      expect(zip.entries.map((entry) => entry.name)).toEqual(Object.keys(entries));
      for (const entry of zip.entries) {
        const target = join(folder, 'out', entry.name);
        await zip.extract(entry, target);
        expect(readFileSync(target).equals(Buffer.from(entries[entry.name as keyof typeof entries]))).toBe(true);
      }
      await zip.close();
    },
  );

  it('keeps the executable bit', async () => {
    const zip = await openZip(write(makeZip({ tool: '#!/bin/sh\n' }, { mode: 0o755 })));
    await zip.extract(zip.entries[0], join(folder, 'tool'));
    await zip.close();
    expect(statSync(join(folder, 'tool')).mode & 0o111).not.toBe(0);
  });

  it('refuses an entry whose bytes are not those that were packed', async () => {
    const bytes = makeZip({ 'x.txt': 'some text' }, { stored: ['x.txt'] });
    bytes.write('X', bytes.indexOf('some text'));
    const zip = await openZip(write(bytes));
    await expect(zip.extract(zip.entries[0], join(folder, 'x.txt'))).rejects.toThrow(/x\.txt has 9 bytes with CRC/);
    await zip.close();
  });

  it('refuses an archive that ends early', async () => {
    const bytes = makeZip({ 'x.bin': big });
    await expect(openZip(write(bytes.subarray(0, bytes.length - 30)))).rejects.toThrow(/not a readable zip archive/);
  });

  it('refuses a file that is no archive at all', async () => {
    await expect(openZip(write(Buffer.from('<html>please log in</html>')))).rejects.toThrow(/no end record/);
    await expect(openZip(write(Buffer.alloc(0)))).rejects.toThrow(/no end record/);
  });
});
