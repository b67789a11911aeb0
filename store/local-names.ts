/**
 * Named documents of a local store: names/memo/ab12….json, each { "check": "sha256:…", "value": … }.
 *
 * `check` is taken over the value's canonical JSON, so a torn or flipped document is noticed. Memo entries and the index of
 * producers are a cache: a damaged one is set aside and counts as absent. Others are the only copy: that is an error.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { canonicalJson } from '../schemas/canonical.ts';
import { type DurableFiles, errno, stampOf } from './durable-files.ts';
import { type Store, StoreError } from './store.ts';

type Names = Pick<Store, 'getName' | 'createName' | 'replaceName' | 'removeName' | 'listNames'>;

const CACHES = ['memo/', 'producers/'];
const TRIES = 20;

const checkOf = (canonical: string) => `sha256:${createHash('sha256').update(canonical).digest('hex')}`;

/** One path segment, safe on file systems that ignore case; a dot never stands without "!", so no folder looks like a file. */
function encodeSegment(segment: string): string {
  const encoded = [...segment]
    .map((char) => {
      if (/[a-z0-9_-]/.test(char)) return char;
      if (/[A-Z]/.test(char)) return `!${char.toLowerCase()}`;
      if (char === '.') return '!.';
      return [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    })
    .join('');
  if (encoded === '' || encoded.length > 240) {
    throw new RangeError(`store name: each part between slashes needs 1 to about 100 characters, found "${segment}"`);
  }
  return encoded;
}

const decodeSegment = (encoded: string) =>
  decodeURIComponent(encoded.replaceAll(/!(.)/g, (_, char: string) => char.toUpperCase()));

function parse(bytes: Buffer): { value: unknown } | undefined {
  try {
    const document = JSON.parse(bytes.toString('utf8')) as { check?: unknown; value?: unknown };
    if (document.check !== checkOf(canonicalJson(document.value))) return undefined;
    return { value: document.value };
  } catch {
    return undefined;
  }
}

/** The file of a document in the local store at `folder`. */
export const nameFile = (folder: string, name: string): string =>
  `${path.join(folder, 'names', ...name.split('/').map(encodeSegment))}.json`;

/** The names part of a local store; all documents of one name go through link or rename, so readers see whole ones. */
export function localNames(files: DurableFiles): Names {
  const { fs } = files;
  const root = path.join(files.folder, 'names');
  const fileOf = (name: string) => nameFile(files.folder, name);

  const readBytes = async (file: string): Promise<Buffer> => {
    const handle = await fs.open(file, 'r');
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  };

  const writeValue = (value: unknown): Promise<string> => {
    const canonical = canonicalJson(value);
    return files.writeTemporary(Buffer.from(`{"check":"${checkOf(canonical)}","value":${canonical}}\n`), 0o644);
  };

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
        const found = parse(bytes);
        if (found !== undefined) return found.value;
        if (!CACHES.some((prefix) => name.startsWith(prefix))) {
          throw new StoreError(
            'ArtifactDamaged',
            `the document ${name} is torn or altered: ${file}. Put it back from a copy, or remove it to start without it.`,
          );
        }
        const label = `name-${checkOf(name).slice(7, 39)}`;
        const isDamaged = async (moved: string) => parse(await readBytes(moved)) === undefined;
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
        // As it would be read back: without what JSON drops.
        if (created) return { created, value: JSON.parse(canonicalJson(value)) as unknown };
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
      const above = prefix.split('/').slice(0, -1);
      const names: string[] = [];
      const walk = async (folder: string, name: string): Promise<void> => {
        const entries = await fs.readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
          if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return [];
          throw error;
        });
        for (const entry of entries) {
          if (entry.isDirectory()) {
            const below = `${name}${decodeSegment(entry.name)}/`;
            if (below.startsWith(prefix) || prefix.startsWith(below)) await walk(path.join(folder, entry.name), below);
          } else if (entry.name.endsWith('.json')) {
            names.push(name + decodeSegment(entry.name.slice(0, -'.json'.length)));
          }
        }
      };
      await files.guard(`list ${prefix}`, 'read', () =>
        walk(path.join(root, ...above.map(encodeSegment)), above.map((segment) => `${segment}/`).join('')),
      );
      return names.filter((name) => name.startsWith(prefix)).sort();
    },
  };
}
