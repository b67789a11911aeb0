/** A store as if nobody had touched anything in it for two days. */
import { readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { DAY_MS } from '../../store/collect.ts';
import type { Store } from '../../store/store.ts';

export async function age({ location }: Pick<Store, 'location'>): Promise<void> {
  const then = new Date(Date.now() - 2 * DAY_MS);
  for (const entry of await readdir(location, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(path.join(entry.parentPath, entry.name), then, then);
}
