/**
 * Moments of a run that can be seen from outside: a file of a known name appears. Between the artifact of a shard and its memo
 * entry lie a few milliseconds; a look every other millisecond hits that window.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { digestsOf } from '../../store/memo.ts';
import type { Entry, Home } from './home.ts';

export interface Moment {
  name: string;
  /** Whether it has come, in that home. */
  come: (home: Home) => boolean;
  /** Whether it can't come any more; a moment of which nothing is left is else waited for in vain. */
  gone?: (home: Home) => boolean;
  /** Milliseconds to let pass after it has come. */
  after?: number;
}

const LOOK_MS = 2;

export const has = (folder: string, pattern: RegExp): boolean => {
  try {
    return readdirSync(folder).some((name) => pattern.test(name));
  } catch {
    return false;
  }
};

/** The moments of the run that `reference` went through undisturbed. */
export function momentsOf(reference: Home) {
  const entries = reference.entries();
  const entry = (stage: string): Entry => {
    const found = entries.get(stage);
    if (!found) throw new Error(`the undisturbed run has no shard ${stage}; it has ${[...entries.keys()].join(' ')}`);
    return found;
  };
  const document = reference.document();
  const sources = document.resolved as NonNullable<typeof document.resolved>;
  /** An artifact that only this shard makes; others may have made an equal one before (an empty file, say). */
  const own = (stage: string): string => {
    const all = [...entries].flatMap(([name, one]) => (name === stage ? [] : digestsOf(one.output.outputs)));
    const digest = digestsOf(entry(stage).output.outputs).find((one) => !all.includes(one));
    if (digest === undefined) throw new Error(`shard ${stage} shares all its artifacts with others`);
    return digest;
  };
  const scratch = (stage: string, name: string, come: (folder: string) => boolean, after = 0): Moment => ({
    name: `${stage}, ${name}`,
    come: (home) => come(home.scratchOf(entry(stage).key)),
    gone: (home) => existsSync(home.memoOf(entry(stage).key)),
    after,
  });
  return {
    own,
    keyOf: (stage: string): string => entry(stage).key,
    /** The shard's artifact stands, its memo entry does not. */
    written: (stage: string): Moment => ({
      name: `${stage}, written`,
      come: (home) => existsSync(home.objectOf(own(stage))),
    }),
    /** The memo has the shard; Temporal has not heard of it. */
    entered: (stage: string, after = 0): Moment => ({
      name: after === 0 ? `${stage}, entered` : `${after} ms after ${stage}`,
      come: (home) => existsSync(home.memoOf(entry(stage).key)),
      after,
    }),
    /** A fine-tune has its rows and begins. */
    begins: (stage: string): Moment => scratch(stage, 'begins', (folder) => has(folder, /^data-/)),
    /** A fine-tune has a snapshot and is not done. */
    middle: (stage: string, after = 0): Moment =>
      scratch(
        stage,
        after === 0 ? 'first snapshot' : `${after} ms after its first snapshot`,
        (folder) => has(path.join(folder, 'snapshots'), /^step-/),
        after,
      ),
    /** A fine-tune writes its model; the store has not got it. */
    trained: (stage: string): Moment => scratch(stage, 'trained', (folder) => has(folder, /^model-/)),
    /** The server makes its tables; the run is known to nobody. */
    opening: (): Moment => ({ name: 'the database appears', come: ({ paths }) => existsSync(paths.database) }),
    /** The run's sources are written, its engine is not yet asked who it is. */
    resolving: (): Moment => ({
      name: 'resolve',
      come: (home) => existsSync(home.objectOf(sources.seeds.shards[0]?.digest ?? '')),
    }),
    /** The run's document has iteration n; the workflow task that wrote it is still open. */
    published: (n: number): Moment => ({
      name: `${n}/publish`,
      come: (home) => existsSync(home.runFile) && home.document().iterations.length > n,
    }),
    /** The ledger's rows stand, the iteration's record does not. */
    sealing: (n: number): Moment => ({
      name: `${n}/seal`,
      come: (home) => existsSync(home.objectOf(document.iterations[n]?.ledgerRef.digest ?? '')),
    }),
  };
}

/** Waits for the moment. False if the run ended before it came. */
export async function reach(home: Home, moment: Moment, limitS: number): Promise<boolean> {
  const until = Date.now() + limitS * 1000;
  while (!moment.come(home)) {
    if (home.command.over) return false;
    if (moment.gone?.(home)) throw new Error(`${moment.name} was over before anyone looked`);
    if (Date.now() > until) throw new Error(`${moment.name} did not come in ${limitS} s:\n${home.lastWords()}`);
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  if (moment.after) await new Promise((done) => setTimeout(done, moment.after));
  return !home.command.over;
}
