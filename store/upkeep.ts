/**
 * Upkeep of a store in a folder: how old its files are, and removing those that nobody wants. For `gc` alone.
 *
 * Whoever meets an artifact again (a put of the same bytes, a memo's answer) touches its file, so the age of a file is the time
 * since it was last of use; each removal looks at the age once more.
 */
import { readdir, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errno } from './errno.ts';
import { nameFile } from './local-names.ts';
import { keyOfObject } from './objects.ts';

export interface StoredObject {
  digest: string;
  bytes: number;
  /** Time since the epoch. */
  touchedMs: number;
}

const statOf = async (file: string) => {
  try {
    return await stat(file);
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return undefined;
    throw error;
  }
};

/** `folder` is a local store's `location`. */
export function createUpkeep(folder: string) {
  const objectFile = (digest: string) => path.join(folder, keyOfObject(digest));

  /** True if the file was there, untouched since `before`, and is gone now. */
  const removeOld = async (file: string, before: number): Promise<boolean> => {
    const found = await statOf(file);
    if (found === undefined || found.mtimeMs >= before) return false;
    await unlink(file);
    return true;
  };

  return {
    async objects(): Promise<StoredObject[]> {
      const found: StoredObject[] = [];
      const root = path.join(folder, 'objects');
      for (const start of await readdir(root))
        for (const rest of await readdir(path.join(root, start))) {
          const state = await statOf(path.join(root, start, rest));
          if (state && /^[0-9a-f]{64}$/.test(start + rest))
            found.push({ digest: `sha256:${start}${rest}`, bytes: state.size, touchedMs: state.mtimeMs });
        }
      return found;
    },
    /** 0 for a name that is gone. */
    nameTouchedMs: async (name: string): Promise<number> => (await statOf(nameFile(folder, name)))?.mtimeMs ?? 0,
    objectTouchedMs: async (digest: string): Promise<number> => (await statOf(objectFile(digest)))?.mtimeMs ?? 0,
    removeObject: (digest: string, before: number) => removeOld(objectFile(digest), before),
    removeName: (name: string, before: number) => removeOld(nameFile(folder, name), before),

    /** Work folders in which nothing was written since `before`. */
    async oldScratch(before: number): Promise<string[]> {
      const root = path.join(folder, 'scratch');
      const newest = async (place: string): Promise<number> => {
        const state = await statOf(place);
        if (!state?.isDirectory()) return state?.mtimeMs ?? 0;
        const below = await Promise.all((await readdir(place)).map((entry) => newest(path.join(place, entry))));
        return Math.max(state.mtimeMs, ...below);
      };
      const old: string[] = [];
      for (const entry of await readdir(root)) {
        const place = path.join(root, entry);
        if ((await newest(place)) < before) old.push(place);
      }
      return old;
    },
    removeScratch: (place: string) => rm(place, { recursive: true, force: true }),
  };
}
export type Upkeep = ReturnType<typeof createUpkeep>;
