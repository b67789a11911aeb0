/**
 * A store in a folder.
 *
 *   objects/9f/86d0…   artifacts by sha256        names/runs/night-1.json   documents
 *   scratch/           unfinished work            tmp/                      files not yet visible
 *   store.json         which store this is
 *   damaged/           what failed its check, kept for a person to look at
 *
 * Any number of processes of one machine may share it. An artifact appears whole or not at all: it is written to tmp/,
 * fsynced and linked to its digest; where the digest stands already, that file stays.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { DurableFiles, type FileSystem, realFileSystem, stampOf } from './durable-files.ts';
import { errno } from './errno.ts';
import { localNames } from './local-names.ts';
import { digestOf, keyOfObject } from './objects.ts';
import { type Store, StoreError } from './store.ts';

/** Another process may set a file aside or make it anew while this one looks; more often than this is no race any more. */
const TRIES = 10;

const TOUCH_MS = 3_600_000;

/**
 * Opens the store in `folder`, makes it if absent. A read-only store that exists can be opened and read.
 * Throws StoreError StoreReadOnly | StoreFull | StoreUnreachable with place, cause and next step.
 */
export async function createLocalStore(folder: string, fs: FileSystem = realFileSystem): Promise<Store> {
  const location = path.resolve(folder);
  const files = new DurableFiles(location, fs);
  await files.guard('make its folders', 'write', async () => {
    for (const part of ['objects', 'names', 'scratch', 'tmp', 'damaged']) {
      await files.ensureFolder(path.join(location, part));
    }
  });
  await files.removeStale();
  await files.remember();

  /** File → the stamp under which its bytes were verified by this process. */
  const verified = new Map<string, string>();

  const fileOf = (digest: string): string => path.join(location, keyOfObject(digest));

  /** When the file was last touched; undefined where there is none. */
  async function touchedMs(file: string): Promise<number | undefined> {
    try {
      return (await fs.stat(file)).mtimeMs;
    } catch (error) {
      if (errno(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Says to `gc` that this artifact is of use. Once an hour is enough; a store that can't be written has no gc. */
  async function touch(digest: string, lastMs?: number): Promise<void> {
    const file = fileOf(digest);
    const now = new Date();
    try {
      if (now.getTime() - (lastMs ?? (await fs.stat(file)).mtimeMs) < TOUCH_MS) return;
      const known = verified.get(file) === (await stampOf(file, fs));
      await fs.utimes(file, now, now);
      if (known) verified.set(file, await stampOf(file, fs));
    } catch {
      // gone meanwhile, or read-only
    }
  }

  const missing = (digest: string) =>
    new StoreError(
      'ArtifactMissing',
      `${digest} is not in the store ${location}; the shard that made it is run again`,
      digest,
    );

  /** Reads with `look`, which returns the digest found. Sets a damaged file aside. Throws ArtifactMissing | ArtifactDamaged. */
  async function check<T extends { found: string }>(
    digest: string,
    look: (file: string) => Promise<T>,
  ): Promise<T & { stamp: string }> {
    const file = fileOf(digest);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      let stamp: string;
      let result: T;
      try {
        stamp = await stampOf(file, fs);
        result = await look(file);
      } catch (error) {
        if (errno(error) === 'ENOENT') {
          await files.mustStand();
          throw missing(digest);
        }
        throw error;
      }
      if (result.found === digest) return { ...result, stamp };
      verified.delete(file);
      const isDamaged = async (moved: string) => (await files.hashFile(moved)) !== digest;
      const place = await files.setAside(file, stamp, digest.slice(7), isDamaged);
      if (place === 'changed') continue;
      const where = place === undefined ? `it could not be moved away from ${file}` : `set aside as ${place}`;
      throw new StoreError('ArtifactDamaged', `${digest} has other bytes (${result.found}); ${where}`, digest);
    }
    throw new StoreError('StoreUnreachable', `${digest} keeps changing while it is read: ${file}`, digest);
  }

  /** Verifies the file's bytes unless this process did so in its present state. Throws as `check`. */
  async function verify(digest: string): Promise<string> {
    const file = fileOf(digest);
    const known = verified.get(file);
    if (known !== undefined && (await stampOf(file, fs).catch(() => undefined)) === known) return file;
    const { stamp } = await check(digest, async (at) => ({ found: await files.hashFile(at) }));
    verified.set(file, stamp);
    return file;
  }

  /** Whether sound bytes stand under the digest; damaged ones are set aside to make room. */
  async function stands(digest: string): Promise<boolean> {
    try {
      await verify(digest);
      return true;
    } catch (error) {
      if (error instanceof StoreError && (error.code === 'ArtifactMissing' || error.code === 'ArtifactDamaged'))
        return false;
      throw error;
    }
  }

  /** Links a synced file to its digest; the first wins if it is sound. */
  async function publish(file: string, digest: string): Promise<void> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (await files.linkExclusively(file, fileOf(digest))) return;
      if (await stands(digest)) return;
    }
    throw new StoreError(
      'StoreReadOnly',
      `${fileOf(digest)} is damaged and cannot be replaced; move it away by hand`,
      digest,
    );
  }

  const refOf = (digest: string, bytes: number, rows: number | undefined): ArtifactRef =>
    rows === undefined ? { digest, bytes } : { digest, bytes, rows };

  const scratchOf = (name: string) => {
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
    return path.join(location, 'scratch', `${name.replaceAll(/[^a-z0-9-]+/g, '-').slice(0, 60)}-${hash}`);
  };

  return {
    location,

    async put(bytes, rows) {
      const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      const digest = digestOf(data);
      await files.guard(`write ${digest}`, 'write', async () => {
        if (await stands(digest)) {
          await touch(digest);
          await files.syncFolder(path.dirname(fileOf(digest)));
          return;
        }
        const temporary = await files.writeTemporary(data, 0o444);
        try {
          await publish(temporary, digest);
        } finally {
          await files.removeIfThere(temporary);
        }
      });
      return refOf(digest, data.byteLength, rows);
    },

    async adopt(source, rows) {
      return files.guard(`take over ${source}`, 'write', async () => {
        const digest = await files.hashFile(source);
        const { size } = await fs.stat(source);
        if (await stands(digest)) await touch(digest);
        else {
          await files.syncFile(source);
          await fs.chmod(source, 0o444);
          try {
            await publish(source, digest);
          } catch (error) {
            if (errno(error) !== 'EXDEV') throw error;
            // Another file system: a copy first, so that the artifact still appears at once.
            const temporary = files.temporaryPath();
            try {
              await fs.copyFile(source, temporary);
              await files.syncFile(temporary);
              await publish(temporary, digest);
            } finally {
              await files.removeIfThere(temporary);
            }
          }
        }
        await files.removeIfThere(source);
        return refOf(digest, size, rows);
      });
    },

    async read(digest) {
      return files.guard(`read ${digest}`, 'read', async () => {
        const { bytes } = await check(digest, async (file) => {
          const handle = await fs.open(file, 'r');
          try {
            const bytes = await handle.readFile();
            return { bytes, found: digestOf(bytes) };
          } finally {
            await handle.close();
          }
        });
        return bytes;
      });
    },

    open: (digest) => files.guard(`read ${digest}`, 'read', () => verify(digest)),
    has: (digest) =>
      files.guard(`look for ${digest}`, 'read', async () => {
        const touched = await touchedMs(fileOf(digest));
        if (touched !== undefined) await touch(digest, touched);
        return touched !== undefined;
      }),

    async scratch(name) {
      const place = scratchOf(name);
      await files.guard(`make a work folder for ${name}`, 'write', () => files.ensureFolder(place));
      return place;
    },
    async dropScratch(name) {
      await files.guard(`drop the work folder of ${name}`, 'write', () =>
        fs.rm(scratchOf(name), { recursive: true, force: true }),
      );
    },

    ...localNames(files),
  };
}
