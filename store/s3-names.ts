/**
 * Named documents of a store in a bucket; what stands in them: documents.ts.
 *
 * Every write carries a mark of its own (`by`). It tells a writer whose answer was lost that the document it finds is its
 * own, and it makes each version's mark in the bucket unique. A document is replaced only if it is still the version that
 * was looked at, so a request that lay in a frozen server for a minute can't put an old state over a newer one.
 */
import { randomUUID } from 'node:crypto';
import { asReadBack, damagedDocument, documentBytes, folderOfPrefix } from './documents.ts';
import { isCache, keyOfName, nameOfKey, parseDocument } from './documents.ts';
import type { Bucket } from './s3-bucket.ts';
import { digestOf } from './objects.ts';
import { type Store, StoreError } from './store.ts';

type Names = Pick<Store, 'getName' | 'createName' | 'replaceName' | 'removeName' | 'listNames'>;

const TRIES = 20;

/** `mayWrite` is awaited before each write: it refuses a bucket without conditional puts. */
export function s3Names(bucket: Bucket, mayWrite: () => Promise<void>): Names {
  /** The document and its version; undefined if absent, or damaged and of a cache (then it is set aside). */
  async function find(name: string): Promise<{ value: unknown; by: string | undefined; etag: string } | undefined> {
    const key = keyOfName(name);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const found = await bucket.get(key);
      if (found === undefined) return undefined;
      const document = parseDocument(found.bytes);
      if (document !== undefined) return { ...document, etag: found.etag };
      if (!isCache(name)) throw damagedDocument(name, `${bucket.location}, ${key}`);
      await bucket.setAside(key, found.etag, `name-${digestOf(name).slice(7, 39)}`);
    }
    throw keepsChanging(name, 'read');
  }

  const keepsChanging = (name: string, doing: string) =>
    new StoreError('StoreUnreachable', `the document ${name} keeps changing while it is ${doing}: ${bucket.location}`);

  return {
    getName: async (name) => (await find(name))?.value,

    async createName(name, value) {
      const key = keyOfName(name);
      const by = randomUUID();
      await mayWrite();
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const written = await bucket.put(key, { bytes: documentBytes(value, by) }, { absent: true });
        if (written !== undefined) return { created: true, value: asReadBack(value) };
        const found = await find(name);
        if (found !== undefined) return { created: found.by === by, value: found.value };
      }
      throw keepsChanging(name, 'written');
    },

    async replaceName(name, value) {
      const key = keyOfName(name);
      const by = randomUUID();
      await mayWrite();
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const found = await bucket.get(key);
        if (found !== undefined && parseDocument(found.bytes)?.by === by) return;
        const condition = found === undefined ? ({ absent: true } as const) : { etag: found.etag };
        if ((await bucket.put(key, { bytes: documentBytes(value, by) }, condition)) !== undefined) return;
      }
      throw keepsChanging(name, 'written');
    },

    async removeName(name) {
      await mayWrite();
      await bucket.remove(keyOfName(name));
    },

    async listNames(prefix) {
      const keys = await bucket.list(folderOfPrefix(prefix));
      return keys
        .map(nameOfKey)
        .filter((name) => name !== undefined)
        .filter((name) => name.startsWith(prefix))
        .sort();
    },
  };
}
