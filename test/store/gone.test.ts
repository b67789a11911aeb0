import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileSystem, realFileSystem } from '../../store/durable-files.ts';
import { createLocalStore } from '../../store/local.ts';

let folder: string;
let location: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-gone-'));
  location = path.join(folder, 'store');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const gone = { code: 'StoreUnreachable', message: expect.stringMatching(/is gone: put the folder back/) as string };

describe('a store whose folder goes away under an open store', () => {
  it('is told as that by reads and writes, and never made again empty', async () => {
    const store = await createLocalStore(location);
    const { digest } = await store.put('kept');
    renameSync(location, `${location}.away`);
    await expect(store.read(digest)).rejects.toMatchObject(gone);
    await expect(store.put('more')).rejects.toMatchObject(gone);
    await expect(store.replaceName('runs/a', {})).rejects.toMatchObject(gone);
    expect(() => {
      renameSync(`${location}.away`, location); // fails where something was made in its place
    }).not.toThrow();
    expect((await store.read(digest)).toString()).toBe('kept');
    await store.put('more');
  });

  it('is told as that whenever it goes, and what was begun leaves nothing in its place', async () => {
    const away = `${location}.away`;
    await createLocalStore(location);
    let calls = 0;
    for (let at = 1; at === 1 || calls >= at - 1; at++) {
      calls = Number.NEGATIVE_INFINITY; // opening does not count
      const store = await createLocalStore(location, goingAt(at));
      calls = 0;
      const written = await store
        .put(`row ${at}`)
        .then(() => store.replaceName('runs/a', { at }).then(() => 'written', String), String);
      if (existsSync(away)) {
        expect(existsSync(location), `call ${at}`).toBe(false);
        renameSync(away, location);
      }
      expect(written, `call ${at}`).toMatch(/^written$|is gone: put the folder back/);
    }
    expect(calls).toBeGreaterThan(15);

    function goingAt(at: number): FileSystem {
      return new Proxy(realFileSystem, {
        get(target, name: keyof FileSystem) {
          return (...args: unknown[]) => {
            if (++calls === at) renameSync(location, away);
            return (target[name] as (...args: unknown[]) => Promise<unknown>)(...args);
          };
        },
      });
    }
  });

  it('comes back from a copy too', async () => {
    const store = await createLocalStore(location);
    const { digest } = await store.put('kept');
    cpSync(location, `${location}.copy`, { recursive: true });
    rmSync(location, { recursive: true, force: true });
    await expect(store.read(digest)).rejects.toMatchObject(gone);
    renameSync(`${location}.copy`, location);
    expect((await store.read(digest)).toString()).toBe('kept');
  });

  it('another store in its place is not taken for it; a missing artifact in a sound store stays that', async () => {
    const store = await createLocalStore(location);
    const { digest } = await store.put('kept');
    const absent = `sha256:${'0'.repeat(64)}`;
    await expect(store.read(absent)).rejects.toMatchObject({ code: 'ArtifactMissing' });
    rmSync(location, { recursive: true, force: true });
    await createLocalStore(location);
    await expect(store.read(digest)).rejects.toMatchObject({
      code: 'StoreUnreachable',
      message: expect.stringMatching(/is another than the one that was opened/) as string,
    });
  });

  it('opened by many at once has one mark', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => createLocalStore(location)));
    for (const [index, store] of stores.entries()) await store.put(`row ${index}`);
  });
});
