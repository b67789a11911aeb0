/**
 * Manifests: a list of refs that is too long for a payload, as an artifact of its own.
 *
 *   const ref = await writeManifest(store, shards)     // { digest, bytes, rows: the sum, parts: shards.length }
 *   await leavesOf(store, [ref])                       // the shards again
 *
 * A ref with `parts` stands wherever a ref of rows may stand: its lines are refs (of shards or of manifests), and the rows are
 * theirs, in order. Who made a manifest keeps the list beside it as `producers/<hex>` { manifest }, so that a damaged one is
 * put back without running anything.
 */
import { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Slice } from '../schemas/port-values.ts';
import type { Store } from './store.ts';

/** Manifests kept parsed, per store: each of a stage's shards looks into the same one. */
const KEPT = 32;
const kept = new WeakMap<Store, Map<string, ArtifactRef[]>>();

const nameOf = (digest: string) => `producers/${digest.slice('sha256:'.length)}`;

/** One ref for all of these, in order; shards without rows are left out, and a single one stands for itself. */
export async function writeManifest(store: Store, shards: ArtifactRef[]): Promise<ArtifactRef> {
  const held = shards.filter((shard) => shard.rows !== 0);
  const [first] = held.length > 0 ? held : shards;
  if (held.length <= 1 && first) return first;
  const lines = held.map((shard) => `${canonicalJson(shard)}\n`).join('');
  const { digest, bytes } = await store.put(lines);
  await store.createName(nameOf(digest), { manifest: held });
  const rows = held.reduce((sum, shard) => sum + (shard.rows ?? 0), 0);
  return { digest, bytes, rows, parts: held.length };
}

/** Puts a damaged or missing manifest back; false if this digest is none that is known. */
export async function restoreManifest(store: Store, digest: string): Promise<boolean> {
  const found = (await store.getName(nameOf(digest))) as { manifest?: ArtifactRef[] } | undefined;
  if (!found?.manifest) return false;
  return (await writeManifest(store, found.manifest)).digest === digest;
}

async function partsOf(store: Store, { digest }: ArtifactRef): Promise<ArtifactRef[]> {
  const cache = kept.get(store) ?? new Map<string, ArtifactRef[]>();
  kept.set(store, cache);
  const known = cache.get(digest);
  if (known) return known;
  const lines = (await store.read(digest)).toString('utf8').split('\n').filter(Boolean);
  const parts = lines.map((line) => ArtifactRef.parse(JSON.parse(line)));
  cache.set(digest, parts);
  for (const oldest of cache.keys()) {
    if (cache.size <= KEPT) break;
    cache.delete(oldest);
  }
  return parts;
}

/** The shards behind these refs, in order, manifests opened to the last level. Throws as `store.read`. */
export async function leavesOf(store: Store, refs: ArtifactRef[]): Promise<ArtifactRef[]> {
  const leaves: ArtifactRef[] = [];
  for (const ref of refs)
    if (ref.parts === undefined) leaves.push(ref);
    else for (const leaf of await leavesOf(store, await partsOf(store, ref))) leaves.push(leaf);
  return leaves;
}

/** The same rows with shards for manifests, naming only those that hold some of the slice. Throws as `store.read`. */
export async function flatSlice(store: Store, slice: Slice): Promise<Slice> {
  if (slice.shards.every((shard) => shard.parts === undefined)) return slice;
  const leaves = await leavesOf(store, slice.shards);
  const shards: ArtifactRef[] = [];
  let at = 0;
  let skipped = 0;
  for (const leaf of leaves) {
    const end = at + (leaf.rows ?? 0);
    if (end <= slice.from) skipped = end;
    else if (at < slice.to) shards.push(leaf);
    at = end;
  }
  return { shards, from: slice.from - skipped, to: slice.to - skipped };
}
