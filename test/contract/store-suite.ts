/** What every Store must do. A new kind of store joins by one call in store.test.ts. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../store/store.ts';

export const ABSENT = `sha256:${'0'.repeat(64)}`;

/** `open` gives two independent views of one new, empty store, as two processes would have. */
export function storeContract(name: string, open: () => Promise<[Store, Store]>): void {
  describe(`${name} keeps the contract of a store`, { timeout: 30_000 }, () => {
    let store: Store;
    let other: Store;
    beforeEach(async () => {
      [store, other] = await open();
    });

    it('names an artifact by the sha256 of its bytes, whatever they are', async () => {
      const ref = await store.put('abc', 7);
      expect(ref).toEqual({
        digest: 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
        bytes: 3,
        rows: 7,
      });
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (bytes) => {
          const { digest, bytes: length } = await store.put(bytes);
          expect(length).toBe(bytes.length);
          expect(await other.read(digest)).toEqual(Buffer.from(bytes));
          expect(await readFile(await other.open(digest))).toEqual(Buffer.from(bytes));
        }),
        { numRuns: 25 },
      );
    });

    it('gives the same ref for the same bytes, put by anybody, as text or bytes, at once or later', async () => {
      const refs = await Promise.all([store, other, store, other].map((one) => one.put('größe')));
      expect(new Set(refs.map((ref) => JSON.stringify(ref))).size).toBe(1);
      expect(await store.put(Buffer.from('größe'))).toEqual(refs[0]);
      expect(refs[0]?.rows).toBeUndefined();
    });

    it('says ArtifactMissing with the digest for what was never put', async () => {
      expect(await store.has(ABSENT)).toBe(false);
      const missing = { code: 'ArtifactMissing', digest: ABSENT, message: expect.stringContaining(ABSENT) as string };
      await expect(store.read(ABSENT)).rejects.toMatchObject(missing);
      await expect(store.open(ABSENT)).rejects.toMatchObject(missing);
      await expect(store.read('../../etc/passwd')).rejects.toMatchObject({ code: 'ArtifactMissing' });
    });

    it('adopts a file of its scratch folder: the file is gone, the artifact stands; again is harmless', async () => {
      const file = path.join(await store.scratch('night-1/fine-tune'), 'weights');
      for (let round = 0; round < 2; round++) {
        await writeFile(file, 'weights');
        const ref = await store.adopt(file, 2);
        expect(ref).toEqual({ ...(await store.put('weights')), rows: 2 });
        await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
        expect((await other.read(ref.digest)).toString()).toBe('weights');
      }
    });

    it('adopts a file from anywhere on this machine', async () => {
      const file = path.join(await mkdtemp(path.join(tmpdir(), 'adopt-')), 'file');
      await writeFile(file, 'from afar');
      const { digest } = await store.adopt(file);
      expect((await store.read(digest)).toString()).toBe('from afar');
    });

    it('keeps scratch folders apart by name until they are dropped', async () => {
      const names = ['a/b', 'a-b', 'a', 'A', 'a/b/c', '../x'];
      const folders = await Promise.all(names.map((one) => store.scratch(one)));
      expect(new Set(folders.map((one) => one.toLowerCase())).size).toBe(names.length);
      await writeFile(path.join(folders[0] as string, 'part'), 'x');
      expect(await other.scratch('a/b')).toBe(folders[0]);
      await store.dropScratch('a');
      await store.dropScratch('a'); // absent is fine
      expect((await readFile(path.join(folders[0] as string, 'part'))).toString()).toBe('x');
      await store.dropScratch('a/b');
      await expect(readFile(path.join(folders[0] as string, 'part'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    it('holds documents by name: absent, created, replaced, removed', async () => {
      expect(await store.getName('runs/night-1')).toBeUndefined();
      expect(await store.createName('runs/night-1', { a: 1, b: undefined })).toEqual({
        created: true,
        value: { a: 1 },
      });
      expect(await other.createName('runs/night-1', { a: 2 })).toEqual({ created: false, value: { a: 1 } });
      await other.replaceName('runs/night-1', [null, 'ü']);
      expect(await store.getName('runs/night-1')).toEqual([null, 'ü']);
      await store.replaceName('runs/new', 0);
      expect(await store.getName('runs/new')).toBe(0);
      await store.removeName('runs/night-1');
      await store.removeName('runs/night-1');
      expect(await other.getName('runs/night-1')).toBeUndefined();
      expect((await other.createName('runs/night-1', 3)).created).toBe(true);
    });

    it('lets exactly one of 20 create a name, and tells all what stands', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? store : other).createName('pointer', { i })),
      );
      expect(results.filter((result) => result.created)).toHaveLength(1);
      expect(new Set(results.map((result) => JSON.stringify(result.value))).size).toBe(1);
    });

    it('keeps any two names apart and lists them by prefix, sorted', async () => {
      const segment = fc.oneof(
        fc.constantFrom('a', 'A', 'a.json', '.', '..', 'a%2fb', '!', 'ä', '~', 'x y', 'con', '😀', 'runs', 'a.b'),
        fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('/')),
      );
      const name = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(name, { maxLength: 12 }), async (names) => {
          const base = `round-${round++}/`;
          for (const one of names) expect((await store.createName(base + one, one)).created).toBe(true);
          for (const one of names) expect(await other.getName(base + one)).toBe(one);
          expect(await other.listNames(base)).toEqual(names.map((one) => base + one).sort());
          const prefix = `${base}a`;
          expect(await store.listNames(prefix)).toEqual(
            names
              .map((one) => base + one)
              .filter((one) => one.startsWith(prefix))
              .sort(),
          );
        }),
        { numRuns: 40 },
      );
      expect(await store.listNames('nothing/there/')).toEqual([]);
      expect((await store.listNames('')).length).toBeGreaterThan(0);
      await expect(store.createName('a//b', 1)).rejects.toThrow('each part between slashes');
    });

    it('never shows a reader half of a document that is being replaced', async () => {
      const value = (i: number) => ({ i, filler: String(i).repeat(20_000) });
      await store.replaceName('busy', value(0));
      let done = false;
      const writer = (async () => {
        for (let i = 1; i <= 20; i++) await store.replaceName('busy', value(i));
        done = true;
      })();
      let last = 0;
      while (!done) {
        const found = (await other.getName('busy')) as { i: number; filler: string };
        expect(found).toEqual(value(found.i));
        expect(found.i).toBeGreaterThanOrEqual(last);
        last = found.i;
      }
      await writer;
    });
  });
}
