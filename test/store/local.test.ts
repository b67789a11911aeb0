import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realFileSystem } from '../../store/durable-files.ts';
import { createLocalStore } from '../../store/local.ts';
import type { Store } from '../../store/store.ts';
import { failingFileSystem, recordingFileSystem } from './failing-files.ts';

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'store-'));
  store = await createLocalStore(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fileOf = (digest: string) => path.join(folder, 'objects', digest.slice(7, 9), digest.slice(9));
async function alter(file: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = change(await readFile(file));
  await chmod(file, 0o644);
  await writeFile(file, bytes);
}
const flip = (bytes: Buffer) => {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
};
const truncate = (bytes: Buffer) => bytes.subarray(0, bytes.length - 1);

describe('a damaged artifact', { timeout: 30_000 }, () => {
  it.each([
    ['a flipped bit', flip],
    ['truncation', truncate],
    ['an emptied file', () => Buffer.alloc(0)],
    ['a longer file', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
  ])('by %s is noticed by read and open, named, set aside, and made anew by put', async (_, change) => {
    for (const way of ['read', 'open'] as const) {
      const { digest } = await store.put('the bytes of an artifact');
      await store.open(digest); // verified once in this state: a later change must be seen all the same
      await alter(fileOf(digest), change);
      await expect(store[way](digest)).rejects.toMatchObject({
        code: 'ArtifactDamaged',
        digest,
        message: expect.stringContaining('set aside as') as string,
      });
      expect(
        (await readdir(path.join(folder, 'damaged'))).filter((name) => name.startsWith(digest.slice(7))),
      ).not.toEqual([]);
      expect(await store.has(digest)).toBe(false);
      await expect(store[way](digest)).rejects.toMatchObject({ code: 'ArtifactMissing', digest });
      await store.put('the bytes of an artifact');
      expect((await store.read(digest)).toString()).toBe('the bytes of an artifact');
    }
  });

  it('is noticed by open although length and modification time are the old ones', async () => {
    const { digest } = await store.put('0123456789');
    const file = await store.open(digest);
    const { atime, mtime } = await stat(file);
    await alter(file, flip);
    await utimes(file, atime, mtime);
    await expect(store.open(digest)).rejects.toMatchObject({ code: 'ArtifactDamaged' });
  });

  it('that nobody read yet is replaced by a put or adopt of the right bytes', async () => {
    const { digest } = await store.put('right');
    await alter(fileOf(digest), flip);
    await store.put('right');
    expect((await store.read(digest)).toString()).toBe('right');
    await alter(fileOf(digest), truncate);
    const file = path.join(await store.scratch('s'), 'f');
    await writeFile(file, 'right');
    await store.adopt(file);
    expect((await store.read(digest)).toString()).toBe('right');
  });

  it('is named as such on a disk that lets nothing be moved', async () => {
    const { digest } = await store.put('bytes');
    await alter(fileOf(digest), flip);
    const fixed = await createLocalStore(folder, failingFileSystem('EROFS', ['rename', 'create', 'link', 'unlink']));
    await expect(fixed.read(digest)).rejects.toMatchObject({ code: 'ArtifactDamaged', digest });
  });

  it('is not what goes when another process has made it anew in between', async () => {
    const { digest } = await store.put('bytes');
    await alter(fileOf(digest), flip);
    // Just before the damaged file is moved, sound bytes take its place.
    const racing = await createLocalStore(folder, {
      ...realFileSystem,
      rename: async (from, to) => {
        await rm(fileOf(digest));
        await store.put('bytes');
        await rename(from, to);
      },
    });
    expect((await racing.read(digest)).toString()).toBe('bytes');
    expect((await store.read(digest)).toString()).toBe('bytes');
    expect(await readdir(path.join(folder, 'damaged'))).toEqual([]);
  });
});

describe('an artifact that stands already', { timeout: 30_000 }, () => {
  it('is not written again', async () => {
    const { digest } = await store.put('once');
    const before = await stat(fileOf(digest), { bigint: true });
    const still = await createLocalStore(folder, failingFileSystem('EROFS', ['create', 'link', 'rename', 'unlink']));
    expect((await still.put('once', 3)).rows).toBe(3);
    const after = await stat(fileOf(digest), { bigint: true });
    expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
  });

  it('leaves nothing in tmp, whoever wins', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(`content ${i % 3}`)));
    expect(await readdir(path.join(folder, 'tmp'))).toEqual([]);
  });
});

describe('a power cut', { timeout: 30_000 }, () => {
  it('finds what was promised: bytes are synced before they get their name, the name before the call returns', async () => {
    const log: string[] = [];
    const recorded = await createLocalStore(folder, recordingFileSystem(log));
    const source = path.join(await recorded.scratch('s'), 'f');
    await writeFile(source, 'adopted');
    const short = (text: string) =>
      text
        .replace(folder, '')
        .replace(/tmp\/.*/, 'tmp')
        .replace(/objects\/.*\/.*/, 'object')
        .replace(/objects\/.*/, 'folder');
    const during = async (work: () => Promise<unknown>) => {
      log.length = 0;
      await work();
      return log.map(short);
    };
    const made = 'sync /objects'; // the new folder's own entry
    expect(await during(() => recorded.put('put'))).toEqual([
      'write /tmp',
      'sync /tmp',
      made,
      'link /object',
      'sync /folder',
    ]);
    expect(await during(() => recorded.put('put'))).toEqual(['sync /folder']);
    expect(await during(() => recorded.adopt(source))).toEqual([
      `sync ${source.replace(folder, '')}`,
      made,
      'link /object',
      'sync /folder',
    ]);
    expect(await during(() => recorded.createName('a', 1))).toEqual([
      'write /tmp',
      'sync /tmp',
      'link /names/a.json',
      'sync /names',
    ]);
    expect(await during(() => recorded.replaceName('b/c', 1))).toEqual([
      'write /tmp',
      'sync /tmp',
      'sync /names',
      'rename /names/b/c.json',
      'sync /names/b',
    ]);
    expect(await during(() => recorded.removeName('a'))).toEqual(['sync /names']);
  });
});

describe('a document that was torn or altered', { timeout: 30_000 }, () => {
  const torn = (bytes: Buffer) => bytes.subarray(0, bytes.length - 2);
  const nameFile = (name: string) => path.join(folder, 'names', `${name}.json`);

  it.each([
    ['torn', torn],
    ['torn at the start', (bytes: Buffer) => bytes.subarray(0, 1)],
    ['empty', () => Buffer.alloc(0)],
    ['flipped into other valid JSON', (bytes: Buffer) => Buffer.from(bytes.toString().replace('"n":1', '"n":3'))],
  ])('(%s) counts as absent in the memo, and as an error elsewhere', async (_, change) => {
    await store.createName('memo/ab', { n: 1 });
    await alter(nameFile('memo/ab'), change);
    expect(await store.getName('memo/ab')).toBeUndefined();
    expect(await readdir(path.join(folder, 'damaged'))).toHaveLength(1);
    expect(await store.createName('memo/ab', { n: 2 })).toEqual({ created: true, value: { n: 2 } });
    await alter(nameFile('memo/ab'), change === torn ? change : () => Buffer.from('{'));
    expect(await store.createName('memo/ab', { n: 4 })).toEqual({ created: true, value: { n: 4 } });

    await store.createName('runs/ab', { n: 1 });
    await alter(nameFile('runs/ab'), change);
    const damaged = { code: 'ArtifactDamaged', message: expect.stringContaining(nameFile('runs/ab')) as string };
    await expect(store.getName('runs/ab')).rejects.toMatchObject(damaged);
    await expect(store.createName('runs/ab', { n: 2 })).rejects.toMatchObject(damaged);
    await store.replaceName('runs/ab', { n: 5 });
    expect(await store.getName('runs/ab')).toEqual({ n: 5 });
  });
});

describe('trouble with the disk', { timeout: 30_000 }, () => {
  it.each([
    ['EROFS', 'StoreReadOnly', 'writable'],
    ['EACCES', 'StoreReadOnly', 'writable'],
    ['EPERM', 'StoreReadOnly', 'writable'],
    ['ENOSPC', 'StoreFull', 'Free some space'],
    ['EDQUOT', 'StoreFull', 'Free some space'],
    ['EIO', 'StoreUnreachable', 'Check the disk'],
  ])('%s is %s, says where and what to do, and leaves nothing behind', async (found, code, step) => {
    for (const call of ['create', 'writeFile', 'sync', 'link']) {
      const broken = await createLocalStore(folder, failingFileSystem(found, [call]));
      for (const write of [() => broken.put(`x${call}`), () => broken.createName('n', 1)]) {
        const error: unknown = await write().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error, call).toMatchObject({ code });
        for (const part of [folder, found, step]) expect((error as Error).message).toContain(part);
      }
      expect(await readdir(path.join(folder, 'tmp'))).toEqual([]);
      expect(await store.getName('n')).toBeUndefined();
    }
  });

  it('a file in place of the folder is StoreReadOnly with its place', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    await expect(createLocalStore(file)).rejects.toMatchObject({ code: 'StoreReadOnly' });
    await expect(createLocalStore(path.join(file, 'store'))).rejects.toThrow(file);
    await rm(path.join(folder, 'tmp'), { recursive: true });
    await writeFile(path.join(folder, 'tmp'), '');
    await expect(store.put('x')).rejects.toMatchObject({ code: 'StoreReadOnly' });
  });

  it('a store that can only be read is opened and read', async () => {
    const { digest } = await store.put('old');
    await store.createName('runs/r', 1);
    const fixed = await createLocalStore(folder, failingFileSystem('EROFS', ['create', 'link', 'rename', 'unlink']));
    expect((await fixed.read(digest)).toString()).toBe('old');
    expect(await fixed.getName('runs/r')).toBe(1);
    expect(await fixed.createName('runs/r', 2)).toEqual({ created: false, value: 1 });
    await expect(fixed.replaceName('runs/r', 2)).rejects.toMatchObject({ code: 'StoreReadOnly' });
  });

  it('a really full disk is StoreFull; with room again the same put succeeds', async ({ skip }) => {
    const mount = path.join(folder, 'small-disk');
    try {
      await mkdir(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      skip('this user may not mount a small disk (the injected ENOSPC above runs everywhere); run as root to have it');
    }
    try {
      const small = await createLocalStore(path.join(mount, 'store'));
      const { digest } = await small.put('fits');
      await writeFile(path.join(mount, 'filler'), Buffer.alloc(100_000));
      const large = Buffer.alloc(200_000, 'a');
      await expect(small.put(large)).rejects.toMatchObject({ code: 'StoreFull' });
      expect(await readdir(path.join(mount, 'store', 'tmp'))).toEqual([]);
      expect((await small.read(digest)).toString()).toBe('fits');
      await rm(path.join(mount, 'filler'));
      expect(await small.read((await small.put(large)).digest)).toEqual(large);
      execFileSync('mount', ['-o', 'remount,ro', mount]);
      await expect(small.put('x')).rejects.toMatchObject({ code: 'StoreReadOnly' });
      const reopened = await createLocalStore(path.join(mount, 'store'));
      expect((await reopened.read(digest)).toString()).toBe('fits');
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});

describe('stale temporary files', { timeout: 30_000 }, () => {
  it('go at the next opening if nobody living made them; those of unknown makers after a day', async () => {
    const tmp = path.join(folder, 'tmp');
    const ticks = async () => {
      const line = await readFile('/proc/self/stat', 'utf8').catch(() => '');
      return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
    };
    const own = `${process.pid}-${await ticks()}-living`;
    const old = ['4194999-5-dead', 'unknown', own];
    if (process.platform === 'linux') old.push(`${process.pid}-1-reused-number`);
    for (const name of [...old, '4194999-5-dead-and-young', 'unknown-and-young'])
      await writeFile(path.join(tmp, name), '');
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    for (const name of old) await utimes(path.join(tmp, name), yesterday, yesterday);
    await createLocalStore(folder);
    expect((await readdir(tmp)).sort()).toEqual([own, 'unknown-and-young'].sort());
  });
});
