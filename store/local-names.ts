/**
 * Named documents of a local store as files: names/memo/ab12….json; what stands in them: documents.ts.
 */
import path from 'node:path';
import {
  asReadBack,
  damagedDocument,
  documentBytes,
  folderOfPrefix,
  isCache,
  keyOfName,
  nameOfKey,
  parseDocument,
} from './documents.ts';
import { type DurableFiles, stampOf } from './durable-files.ts';
import { errno } from './errno.ts';
import { digestOf } from './objects.ts';
import { type Store, StoreError } from './store.ts';

type Names = Pick<Store, 'getName' | 'createName' | 'replaceName' | 'removeName' | 'listNames'>;

const TRIES = 20;

/** The file of a document in the local store at `folder`. */
export const nameFile = (folder: string, name: string): string => path.join(folder, keyOfName(name));

/** The names part of a local store; all documents of one name go through link or rename, so readers see whole ones. */
export function localNames(files: DurableFiles): Names {
  const { fs } = files;
  const fileOf = (name: string) => nameFile(files.folder, name);

  const readBytes = async (file: string): Promise<Buffer> => {
    const handle = await fs.open(file, 'r');
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  };

  const writeValue = (value: unknown): Promise<string> => files.writeTemporary(documentBytes(value), 0o644);

  async function getName(name: string): Promise<unknown> {
    const file = fileOf(name);
    return files.guard(`read ${name}`, 'read', async () => {
      for (let attempt = 0; attempt < TRIES; attempt++) {
        let bytes: Buffer;
        let stamp: string;
        try {
          stamp = await stampOf(file, fs);
          bytes = await readBytes(file);
        } catch (error) {
          if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return undefined;
          throw error;
        }
        const found = parseDocument(bytes);
        if (found !== undefined) return found.value;
        if (!isCache(name)) throw damagedDocument(name, file);
        const label = `name-${digestOf(name).slice(7, 39)}`;
        const isDamaged = async (moved: string) => parseDocument(await readBytes(moved)) === undefined;
        if ((await files.setAside(file, stamp, label, isDamaged)) !== 'changed') return undefined;
      }
      throw new StoreError('StoreUnreachable', `the document ${name} keeps changing while it is read: ${file}`);
    });
  }

  return {
    getName,

    async createName(name, value) {
      const file = fileOf(name);
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const found = await getName(name);
        if (found !== undefined) return { created: false, value: found };
        const created = await files.guard(`write ${name}`, 'write', async () => {
          const temporary = await writeValue(value);
          try {
            return await files.linkExclusively(temporary, file);
          } finally {
            await files.removeIfThere(temporary);
          }
        });
        if (created) return { created, value: asReadBack(value) };
      }
      throw new StoreError('StoreUnreachable', `the document ${name} keeps changing while it is written: ${file}`);
    },

    async replaceName(name, value) {
      const file = fileOf(name);
      await files.guard(`write ${name}`, 'write', async () => {
        const temporary = await writeValue(value);
        try {
          await files.ensureFolder(path.dirname(file));
          await fs.rename(temporary, file);
        } catch (error) {
          await files.removeIfThere(temporary);
          throw error;
        }
        await files.syncFolder(path.dirname(file));
      });
    },

    async removeName(name) {
      const file = fileOf(name);
      await files.guard(`remove ${name}`, 'write', async () => {
        try {
          await fs.unlink(file);
        } catch (error) {
          if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return;
          throw error;
        }
        await files.syncFolder(path.dirname(file));
      });
    },

    async listNames(prefix) {
      const names: string[] = [];
      const walk = async (key: string): Promise<void> => {
        const folder = path.join(files.folder, key);
        const entries = await fs.readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
          if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return [];
          throw error;
        });
        for (const entry of entries) {
          if (entry.isDirectory()) await walk(`${key}${entry.name}/`);
          else {
            const name = nameOfKey(key + entry.name);
            if (name?.startsWith(prefix)) names.push(name);
          }
        }
      };
      await files.guard(`list ${prefix}`, 'read', () => walk(folderOfPrefix(prefix)));
      return names.sort();
    },
  };
}
