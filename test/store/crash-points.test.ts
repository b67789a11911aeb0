/** Every write, ended at each of its system calls in turn. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createLocalStore } from '../../store/local.ts';
import { memoised, producerOf } from '../../store/memo.ts';
import type { Store } from '../../store/store.ts';
import { dyingFileSystem, Killed } from './failing-files.ts';
import { outputOf, verifyInput } from './stage-inputs.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** Runs `work` on fresh stores, killed at call 1, 2, …, until it survives; `check` looks at what each kill left. */
async function atEachCall(
  prepare: (store: Store) => Promise<void>,
  work: (store: Store) => Promise<void>,
  check: (store: Store, folder: string) => Promise<void>,
): Promise<number> {
  for (let at = 1; ; at++) {
    const folder = await mkdtemp(path.join(tmpdir(), 'store-'));
    folders.push(folder);
    await prepare(await createLocalStore(folder));
    const { fs, calls } = dyingFileSystem(at);
    const error: unknown = await (async () => work(await createLocalStore(folder, fs)))().catch(
      (thrown: unknown) => thrown,
    );
    if (error === undefined && calls() < at) return at - 1;
    // The store's own clean-up may swallow the kill; what counts is what is on the disk.
    if (error !== undefined && !(error instanceof Killed)) throw error as Error;
    await check(await createLocalStore(folder), folder);
  }
}

const nothing = async () => undefined;
const names = async (folder: string) => {
  const found: string[] = [];
  for (const start of await readdir(path.join(folder, 'objects'))) {
    for (const rest of await readdir(path.join(folder, 'objects', start))) found.push(`sha256:${start}${rest}`);
  }
  return found;
};

describe('killed at any system call', { timeout: 30_000 }, () => {
  it('a put shows its artifact whole or not at all, and works when done again', async () => {
    const points = await atEachCall(
      nothing,
      async (store) => void (await store.put('the whole artifact', 1)),
      async (store, folder) => {
        for (const digest of await names(folder))
          expect((await store.read(digest)).toString()).toBe('the whole artifact');
        const { digest } = await store.put('the whole artifact');
        expect(await names(folder)).toEqual([digest]);
        expect((await store.read(digest)).toString()).toBe('the whole artifact');
      },
    );
    expect(points).toBeGreaterThan(10);
  });

  it('an adopt loses nothing: the file or its artifact is there', async () => {
    await atEachCall(
      async (store) => writeFile(path.join(await store.scratch('s'), 'f'), 'the whole file'),
      async (store) => void (await store.adopt(path.join(await store.scratch('s'), 'f'))),
      async (store, folder) => {
        for (const digest of await names(folder)) expect((await store.read(digest)).toString()).toBe('the whole file');
        const file = path.join(await store.scratch('s'), 'f');
        const there = await readdir(path.dirname(file));
        if (there.length > 0) await store.adopt(file);
        expect(await names(folder)).toHaveLength(1);
      },
    );
  });

  it('a replaced document is the old or the new one, a created one is absent or whole', async () => {
    await atEachCall(
      (store) => store.replaceName('runs/a', 'old'),
      async (store) => {
        await store.replaceName('runs/a', 'new');
        await store.createName('runs/b', 'created');
      },
      async (store) => {
        const b = await store.getName('runs/b');
        expect([undefined, 'created']).toContain(b);
        expect(b === undefined ? ['old', 'new'] : ['new']).toContain(await store.getName('runs/a'));
        expect((await store.createName('runs/b', 'created')).created).toBe(b === undefined);
      },
    );
  });

  it('a memoised shard done again gives equal bytes; an entry names only what is there, and its producer', async () => {
    const input = verifyInput();
    const work = (store: Store) => async () => outputOf(await store.put('right\n', 1), await store.put('wrong\n', 1));
    let entered = 0;
    const digests: string[] = [];
    const points = await atEachCall(
      nothing,
      async (store) => void (await memoised(store, input, work(store))),
      async (store) => {
        let worked = false;
        const { outputs, reused } = await memoised(store, input, async () => {
          worked = true;
          return work(store)();
        });
        expect(reused).toBe(!worked);
        if (reused) entered++;
        digests.push(JSON.stringify(outputs));
        for (const ref of Object.values(outputs)) {
          await store.read(ref.digest);
          expect(await producerOf(store, ref.digest)).toEqual(input);
        }
      },
    );
    expect(new Set(digests).size).toBe(1);
    expect(entered).toBeGreaterThan(0);
    expect(entered).toBeLessThan(points);
  }, 60_000);
});
