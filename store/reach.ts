/**
 * What runs, pointers and forks can reach in a store: the mark phase of `gc`.
 *
 * Roots are all named documents but the caches (memo, producers): run documents, model pointers, whatever comes later; anything
 * in them that looks like a digest counts. From an artifact one reaches
 * - what its own text names (manifests, records, the header of an adapter that names its base);
 * - the shard that made it (`producers/…`), what that read, and the memo's entry of that shard with all its outputs: so a
 *   replay or a fork of a kept run finds every stage, and repair finds what it needs.
 * A run that is not ended also keeps what stands in the memo for its unsealed iterations, and the manifests of that: a
 * fan-out under way names them in its history alone.
 *
 * Conservative on purpose: text that looks like a digest by chance keeps a file for longer, never the other way round.
 */
import { canonicalJson } from '../schemas/canonical.ts';
import { isFinal, RunDocument } from '../schemas/run.ts';
import type { StageInput } from '../schemas/stage.ts';
import { isCache } from './documents.ts';
import { digestOf } from './objects.ts';
import { type Store, StoreError } from './store.ts';

const DIGEST = /sha256:[0-9a-f]{64}/g;

export interface Cached {
  name: string;
  /** The shard's input, where this is a memo entry or a producer. */
  input: StageInput | undefined;
  digests: string[];
  /** Of a producer: the memo key of the shard that made it. */
  key?: string | undefined;
  /** The manifest whose parts these digests are (store/manifest.ts). */
  manifest?: string;
}

export interface Reach {
  digests: Set<string>;
  /** Memo entries and producers to keep. */
  caches: Set<string>;
  /** Those that nothing reaches, with the artifacts they name. */
  unreached: { name: string; digests: string[] }[];
  /** Whether some run is not ended. */
  open: boolean;
  /** Names of workflow bundles that runs were started with and are not done with. */
  bundles: Set<string>;
}

const digestsIn = (value: unknown): string[] => [...new Set(JSON.stringify(value ?? null).match(DIGEST) ?? [])];

/** The digests an artifact's own text names. Of a safetensors file only the header can name one. */
async function namedBy(store: Store, digest: string): Promise<string[]> {
  let bytes: Buffer;
  try {
    bytes = await store.read(digest);
  } catch (error) {
    // Gone or damaged: repair makes it anew from what is kept for its producer.
    if (error instanceof StoreError && error.digest !== undefined) return [];
    throw error;
  }
  const isText = bytes[0] === 0x7b || bytes[0] === 0x5b; // { or [
  const length = isText || bytes.length < 8 ? bytes.length : Number(bytes.readBigUInt64LE(0)) + 8;
  return [...new Set(bytes.subarray(0, length).toString('latin1').match(DIGEST) ?? [])];
}

/** Throws StoreError as the store does; a run document of another format is an error, never an empty root. */
export async function reachOf(
  store: Store,
  /** Memo entries and producers to take for roots, e.g. those that were of use within a day. */
  isRoot: (cached: Cached) => Promise<boolean>,
): Promise<Reach> {
  const names = await store.listNames('');
  const caches = new Map<string, Cached>();
  for (const name of names.filter(isCache)) {
    const value = (await store.getName(name)) as { input?: StageInput; key?: string; manifest?: unknown } | undefined;
    if (value === undefined) continue;
    const made = `sha256:${name.slice('producers/'.length)}`;
    const digests = digestsIn(value);
    const { input, key } = value;
    caches.set(name, { name, input, key, digests, ...(value.manifest !== undefined && { manifest: made }) });
  }
  const reach: Reach = { digests: new Set(), caches: new Set(), unreached: [], open: false, bundles: new Set() };
  const queue: string[] = [];
  const add = (digests: string[]) => {
    for (const digest of digests) {
      if (reach.digests.has(digest)) continue;
      reach.digests.add(digest);
      queue.push(digest);
    }
  };
  const keep = (name: string) => {
    const cached = caches.get(name);
    if (cached === undefined || reach.caches.has(name)) return;
    reach.caches.add(name);
    add(cached.digests);
  };

  const open: RunDocument[] = [];
  for (const name of names.filter((one) => !isCache(one))) {
    const value = await store.getName(name);
    add(digestsIn(value));
    if (!name.startsWith('runs/')) continue;
    const document = RunDocument.parse(value);
    // Workflows hold the records of sealed iterations by digest; the document holds what stands in them.
    for (const record of document.iterations) add([digestOf(canonicalJson(record))]);
    if (isFinal(document.status)) continue;
    open.push(document);
    if (document.resolved?.bundle !== undefined) reach.bundles.add(document.resolved.bundle);
  }
  reach.open = open.length > 0;
  for (const cached of caches.values()) {
    const { name, input } = cached;
    if ((input && open.some((document) => isUnsealedWorkOf(document, input))) || (await isRoot(cached))) keep(name);
  }

  const byKey = new Map<string, string[]>();
  for (const name of caches.keys()) {
    const [kind, key = ''] = name.split('/');
    if (kind === 'memo') byKey.set(key, [...(byKey.get(key) ?? []), name]);
  }
  for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
    add(await namedBy(store, digest));
    const producer = `producers/${digest.slice('sha256:'.length)}`;
    keep(producer);
    for (const name of byKey.get(caches.get(producer)?.key ?? '') ?? []) keep(name);
  }
  // Manifests stand in manifests, so what one round adds another may need.
  const manifests = [...caches.values()].filter((one) => one.manifest !== undefined);
  for (let grown = true; grown;) {
    grown = false;
    for (const { manifest = '', digests } of manifests) {
      if (reach.digests.has(manifest) || !digests.every((digest) => reach.digests.has(digest))) continue;
      reach.digests.add(manifest);
      grown = true;
    }
  }
  // Several shards may give the same bytes and only the first is written down as their producer: an entry of which all is kept
  // anyway costs next to nothing and answers a replay.
  for (const { name, digests } of caches.values()) {
    if (reach.caches.has(name)) continue;
    if (digests.every((digest) => reach.digests.has(digest))) reach.caches.add(name);
    else reach.unreached.push({ name, digests });
  }
  return reach;
}

/** The iteration under way of a run that is not ended, whoever did the shard first. */
const isUnsealedWorkOf = (document: RunDocument, input: StageInput): boolean => {
  const context = document.resolved?.context;
  return (
    context !== undefined &&
    input.run.task === context.task &&
    input.run.seed === context.seed &&
    input.run.implementation === context.implementation &&
    input.iteration >= document.iterations.length
  );
};
