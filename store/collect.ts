/**
 * gc of a store: memo entries before files, nothing that was touched within a day, never what a run, pointer or fork can reach.
 *
 * Safe beside working runs: what they meet is touched, and what is in use is at most a look-up old. Killed in the middle it
 * leaves a sound store: an entry without files would be worse than files without an entry, hence the order.
 */
import { reachOf } from './reach.ts';
import type { Reach } from './reach.ts';
import type { Store } from './store.ts';
import { createUpkeep } from './upkeep.ts';

export const DAY_MS = 86_400_000;

export interface Collected {
  /** Names of memo entries and producers. */
  entries: string[];
  objects: { digest: string; bytes: number }[];
  /** Work folders. */
  scratch: string[];
  bytes: number;
  kept: { objects: number; bytes: number };
}

/** With `dryRun` nothing is removed and the same is told. `now` is the time to reckon ages from. */
export async function collectGarbage(
  store: Store,
  options: { dryRun: boolean; now?: number },
): Promise<Collected & { reach: Reach }> {
  const upkeep = createUpkeep(store.location);
  const before = (options.now ?? Date.now()) - DAY_MS;
  const objects = await upkeep.objects();
  const young = new Set(objects.filter((one) => one.touchedMs >= before).map((one) => one.digest));
  const reach = await reachOf(
    store,
    async ({ name, digests }) =>
      digests.some((digest) => young.has(digest)) || (await upkeep.nameTouchedMs(name)) >= before,
  );
  const collected: Collected = { entries: [], objects: [], scratch: [], bytes: 0, kept: { objects: 0, bytes: 0 } };
  for (const { name, digests } of reach.unreached) {
    if (!options.dryRun) {
      // A worker may have been answered by this entry since it was looked at.
      const touched = await Promise.all(digests.map(upkeep.objectTouchedMs));
      if (touched.some((ms) => ms >= before) || !(await upkeep.removeName(name, before))) continue;
    }
    collected.entries.push(name);
  }
  for (const { digest, bytes, touchedMs } of objects) {
    const unwanted = !reach.digests.has(digest) && touchedMs < before;
    if (unwanted && (options.dryRun || (await upkeep.removeObject(digest, before)))) {
      collected.objects.push({ digest, bytes });
      collected.bytes += bytes;
    } else {
      collected.kept.objects++;
      collected.kept.bytes += bytes;
    }
  }
  // An open run may rest for days in the middle of a fine-tune; its snapshots are worth hours.
  if (!reach.open)
    for (const place of await upkeep.oldScratch(before)) {
      if (!options.dryRun) await upkeep.removeScratch(place);
      collected.scratch.push(place);
    }
  return { ...collected, reach };
}
