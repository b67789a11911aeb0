/**
 * `gc [--dry-run]`: removes from this home what no run, fork or model's history can reach and nobody touched for a day: memo entries
 * first, then artifacts, unfinished work, and workflow code of runs that have ended.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { collectGarbage, DAY_MS } from '../store/collect.ts';
import { isShared } from '../store/open.ts';
import { settings } from '../temporal.config.ts';
import { EXIT } from './exit.ts';
import { homePaths } from './home.ts';
import { readStore, usage } from './parts.ts';
import type { Context } from './parts.ts';
import { byteSize } from './terminal.ts';

/** Bundles older than a day that no open run needs; the newest stays, for it is today's. */
function oldBundles(folder: string, needed: Set<string>): { name: string; bytes: number }[] {
  if (!existsSync(folder)) return [];
  const all = readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .map((name) => ({ name, state: statSync(path.join(folder, name)) }))
    .sort((a, b) => b.state.mtimeMs - a.state.mtimeMs);
  return all
    .slice(1)
    .filter(({ name, state }) => !needed.has(name.replace(/\.js$/, '')) && state.mtimeMs < Date.now() - DAY_MS)
    .map(({ name, state }) => ({ name, bytes: state.size }));
}

export async function gc(context: Context, options: { dryRun?: boolean }): Promise<number> {
  const { terminal } = context;
  const dryRun = options.dryRun ?? false;
  if (isShared(settings.store))
    throw usage('`gc` cleans a store in a home; in a bucket, remove whole prefixes whose runs nobody wants any more');
  const store = await readStore(context.home);
  if (!store) {
    terminal.say('no store here; nothing to remove');
    if (terminal.json) terminal.document({ dryRun, entries: 0, objects: 0, scratch: 0, bundles: 0, bytes: 0 });
    return EXIT.ok;
  }
  const { entries, objects, scratch, bytes, kept, reach } = await collectGarbage(store, { dryRun });
  const { bundles } = homePaths(context.home);
  const old = oldBundles(bundles, reach.bundles);
  if (!dryRun) for (const { name } of old) rmSync(path.join(bundles, name), { force: true });
  const freed = bytes + old.reduce((sum, one) => sum + one.bytes, 0);
  const verb = dryRun ? 'would remove' : 'removed';
  terminal.say(
    `${verb} ${entries.length} memo entries, ${objects.length} artifacts, ${scratch.length} folders of unfinished work, ${old.length} old workflow bundles: ${byteSize(freed)}`,
  );
  terminal.say(`kept ${kept.objects} artifacts, ${byteSize(kept.bytes)}`);
  if (terminal.json)
    terminal.document({
      dryRun,
      entries: entries.length,
      objects: objects.length,
      scratch: scratch.length,
      bundles: old.length,
      bytes: freed,
      kept,
      removed: objects,
    });
  return EXIT.ok;
}
