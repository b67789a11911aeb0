/**
 * Completions of one shard as they come, for engines that would not give the same ones again: a completion is stored before it
 * is used and never sampled twice. A shard that is begun again, on this machine, finds here what it had.
 *
 *   const journal = await journalOf(shard);                 // undefined: the engine is deterministic
 *   await journal?.add(seed, completion);
 *
 * A file of JSON lines in the shard's scratch folder, one write for each; dropped when the memo has the shard. A line that a kill
 * tore is skipped. A row twice (two attempts at once) counts as first written. Limit: what was not on the disk when the power
 * went is sampled again; nothing was made of it yet.
 */
import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Completion } from '../engine/engine.ts';
import type { StageInput, StageKind } from '../schemas/stage.ts';
import { workNameOf } from '../store/memo-key.ts';
import type { Dependencies } from './dependencies.ts';
import type { ShardWork } from './shard.ts';

export interface Journal {
  /** By the seed of their row. */
  known: Map<string, Completion>;
  add(seed: string, completion: Completion): Promise<void>;
}

export async function journalOf<K extends StageKind>({ deps, input }: ShardWork<K>): Promise<Journal | undefined> {
  if (input.run.deterministic) return undefined;
  const file = path.join(await deps.store.scratch(workNameOf(input)), 'completions.jsonl');
  const known = new Map<string, Completion>();
  for (const line of (await readFile(file, 'utf8').catch(ifAbsent)).split('\n')) {
    const entry = entryOf(line);
    if (entry && !known.has(entry.seed)) known.set(entry.seed, entry.completion);
  }
  return {
    known,
    async add(seed, completion) {
      // Behind a torn line this one still begins on its own.
      await appendFile(file, `\n${JSON.stringify({ seed, completion })}\n`);
    },
  };
}

/** Once the memo has the shard. */
export const dropJournal =
  ({ store }: Dependencies) =>
  async (input: StageInput): Promise<void> => {
    if (!input.run.deterministic) await store.dropScratch(workNameOf(input));
  };

const ifAbsent = (error: NodeJS.ErrnoException): string => {
  if (error.code === 'ENOENT') return '';
  throw error;
};

function entryOf(line: string): { seed: string; completion: Completion } | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as { seed: string; completion: Completion });
  } catch {
    return undefined;
  }
}
