/**
 * A store in an S3 bucket, for workers on several machines.
 *
 *   objects/9f/86d0…   artifacts by sha256        names/runs/night-1.json   documents
 *   damaged/           what failed its check      probe/                    for a moment, at start
 *
 * The keys are the paths of a local store, so either can be copied into the other. Where first-wins matters the bucket decides
 * (If-None-Match: *), and every read is checked against its digest. Engines need files: those lie, checked too, in a local
 * store of this machine (`cache`), which also holds unfinished work. Limits: scratch is this machine's own, so a fine-tune
 * that goes on elsewhere starts again; the cache only grows, and may be deleted while no worker runs.
 */
import { rm, stat } from 'node:fs/promises';
import type { ArtifactRef } from '../schemas/artifact.ts';
import { DurableFiles, realFileSystem } from './durable-files.ts';
import { createLocalStore } from './local.ts';
import { digestOf, keyOfObject } from './objects.ts';
import { type Body, Bucket, type Patience, PATIENCE, type S3Place } from './s3-bucket.ts';
import { s3Names } from './s3-names.ts';
import { probeConditionalPuts } from './s3-probe.ts';
import { type Store, StoreError } from './store.ts';

/** A transfer may garble bytes; what is garbled twice is stored that way. */
const LOOKS = 2;
const TRIES = 5;

export interface S3StoreOptions {
  patience?: Patience;
  /** Refuse an unfit bucket now instead of at the first write. */
  probeNow?: boolean;
}

/**
 * Opens the store at `place`, with its copies and unfinished work in the folder `cache` of this machine.
 * Throws StoreError StoreUnreachable (no such bucket, no conditional puts, no answer) with place, cause and cure.
 */
export async function createS3Store(place: S3Place, cache: string, options: S3StoreOptions = {}): Promise<Store> {
  const bucket = new Bucket(place, options.patience ?? PATIENCE);
  const local = await createLocalStore(cache);
  const files = new DurableFiles(local.location, realFileSystem);

  let probed: Promise<void> | undefined;
  const mayWrite = () => {
    probed ??= probeConditionalPuts(bucket).catch((error: unknown) => {
      probed = undefined; // a server that was away may be back
      throw error;
    });
    return probed;
  };
  if (options.probeNow) await mayWrite();

  const missing = (digest: string) =>
    new StoreError(
      'ArtifactMissing',
      `${digest} is not in the store ${bucket.location}; the shard that made it is run again`,
      digest,
    );

  /** `fetch` returns what it found and its digest. A damaged object is set aside. Throws ArtifactMissing | ArtifactDamaged. */
  async function checked<T extends { found: string; etag: string }>(
    digest: string,
    fetch: (key: string) => Promise<T | undefined>,
  ): Promise<T> {
    const key = keyOfObject(digest);
    let last: T | undefined;
    for (let look = 0; look < LOOKS; look++) {
      last = await fetch(key);
      if (last === undefined) throw missing(digest);
      if (last.found === digest) return last;
    }
    const { found, etag } = last as T;
    const where = await bucket.setAside(key, etag, digest.slice(7));
    throw new StoreError(
      'ArtifactDamaged',
      `${digest} has other bytes (${found}); ${where === undefined ? 'they are gone by now' : `set aside as ${where}`}`,
      digest,
    );
  }

  /** Writes unless it stands already; the first wins if its size is right (its bytes are checked by every reader). */
  async function publish(digest: string, body: Body, size: number): Promise<void> {
    const key = keyOfObject(digest);
    const hash = Buffer.from(digest.slice('sha256:'.length), 'hex').toString('base64');
    await mayWrite();
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if ((await bucket.put(key, body, { absent: true }, hash)) !== undefined) return;
      const stands = await bucket.look(key);
      if (stands?.size === size) return;
      if (stands !== undefined) await bucket.setAside(key, stands.etag, digest.slice(7));
    }
    throw new StoreError(
      'StoreUnreachable',
      `${digest} keeps changing while it is written: ${bucket.location}`,
      digest,
    );
  }

  async function fetchFile(digest: string): Promise<string> {
    const file = files.temporaryPath();
    try {
      await checked(digest, async (key) => {
        const object = await bucket.download(key, file);
        return object && { ...object, found: await files.hashFile(file) };
      });
      await local.adopt(file);
    } finally {
      await rm(file, { force: true });
    }
    return local.open(digest);
  }
  /** Two shards that need the same checkpoint fetch it once. */
  const fetching = new Map<string, Promise<string>>();

  const refOf = (digest: string, bytes: number, rows: number | undefined): ArtifactRef =>
    rows === undefined ? { digest, bytes } : { digest, bytes, rows };

  return {
    location: bucket.location,

    async put(bytes, rows) {
      const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      const digest = digestOf(data);
      await publish(digest, { bytes: data }, data.byteLength);
      return refOf(digest, data.byteLength, rows);
    },

    async adopt(source, rows) {
      const digest = await files.hashFile(source);
      const { size } = await stat(source);
      // Asked first: the bytes of a checkpoint are not sent to be refused.
      const stands = await bucket.look(keyOfObject(digest));
      if (stands?.size !== size) await publish(digest, { file: source, size }, size);
      return local.adopt(source, rows);
    },

    async read(digest) {
      const { bytes } = await checked(digest, async (key) => {
        const object = await bucket.get(key);
        return object && { ...object, found: digestOf(object.bytes) };
      });
      return bytes;
    },

    async open(digest) {
      keyOfObject(digest);
      try {
        return await local.open(digest);
      } catch (error) {
        const lacking = error instanceof StoreError && ['ArtifactMissing', 'ArtifactDamaged'].includes(error.code);
        if (!lacking) throw error;
      }
      const under = fetching.get(digest) ?? fetchFile(digest).finally(() => fetching.delete(digest));
      fetching.set(digest, under);
      return under;
    },

    has: async (digest) => (await bucket.look(keyOfObject(digest))) !== undefined,

    scratch: (name) => local.scratch(name),
    dropScratch: (name) => local.dropScratch(name),

    ...s3Names(bucket, mayWrite),
  };
}
