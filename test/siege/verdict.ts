/** How a run came through, held against the undisturbed one: digests, and every problem of every iteration by its id. */
import type { RunDocument } from '../../schemas/run.ts';
import { RunDocument as RunDocumentSchema } from '../../schemas/run.ts';
import type { Store } from '../../store/store.ts';
import { pause } from '../chaos/installation.ts';
import type { Place } from './place.ts';

export interface Undisturbed {
  ledgerDigest: string | null;
  weightsDigest: string | null;
  /** Ids of the problems in each iteration's ledger, in their order. */
  problems: string[][];
  shards: number;
}

export interface Verdict {
  finished: boolean;
  equal: boolean;
  lost: number;
  doubled: number;
  /** What is wrong, for people. */
  wrong: string[];
}

async function problemsOf(store: Store, document: RunDocument): Promise<string[][]> {
  const all: string[][] = [];
  for (const { ledgerRef } of document.iterations) {
    const text = (await store.read(ledgerRef.digest)).toString('utf8');
    const rows = text.split('\n').filter((line) => line !== '');
    all.push(rows.map((line) => (JSON.parse(line) as { problem: string }).problem));
  }
  return all;
}

const documentOf = async (store: Store, runId: string): Promise<RunDocument> =>
  RunDocumentSchema.parse(await store.getName(`runs/${runId}`));

/** Throws unless the run is a fair measure: one in which nothing is accepted would be equal to itself however treated. */
export async function undisturbed(place: Place): Promise<Undisturbed> {
  const { code, document: said, errors } = await place.end();
  if (code !== 0 || !said) throw new Error(`the undisturbed run ended with exit code ${code}:\n${errors}`);
  for (const { n, ledger } of said.iterations.slice(1))
    if (Math.min(ledger.acceptedFree, ledger.acceptedHinted, ledger.rejected) === 0)
      throw new Error(`iteration ${n} of the undisturbed run lacks an outcome: ${JSON.stringify(ledger)}`);
  const store = await place.store();
  const { ledgerDigest, weightsDigest } = said;
  const problems = await problemsOf(store, await documentOf(store, place.runId));
  return { ledgerDigest, weightsDigest, problems, shards: place.shardsDone() };
}

/** @param limitMs for the command under way to end */
export async function judge(place: Place, wanted: Undisturbed, limitMs: number): Promise<Verdict> {
  const { code, document: said, errors } = await place.end(limitMs);
  const verdict: Verdict = {
    finished: code === 0 && said?.status === 'done',
    equal: false,
    lost: 0,
    doubled: 0,
    wrong: [],
  };
  const { wrong } = verdict;
  if (!verdict.finished) {
    wrong.push(`exit code ${code}, ${said?.status ?? 'no document'}:\n${errors}\n${place.lastWords()}`);
    return verdict;
  }
  verdict.equal = said?.ledgerDigest === wanted.ledgerDigest && said?.weightsDigest === wanted.weightsDigest;
  if (!verdict.equal)
    wrong.push(
      `digests: ledger ${said?.ledgerDigest}, weights ${said?.weightsDigest}; wanted ${wanted.ledgerDigest}, ${wanted.weightsDigest}`,
    );
  const store = await place.store();
  const found = await problemsOf(store, await documentOf(store, place.runId));
  for (const [n, ids] of wanted.problems.entries()) {
    const those = found[n] ?? [];
    verdict.doubled += those.length - new Set(those).size;
    verdict.lost += ids.filter((id) => !those.includes(id)).length;
    if (JSON.stringify(those) !== JSON.stringify(ids)) wrong.push(`iteration ${n} has other problems than it should`);
  }
  if (place.codec && !(await place.codec.opens())) wrong.push('the codec server does not open payloads any more');
  place.endSecondWorker();
  for (let tries = 0; tries < 100 && place.living().length > 0; tries++) await pause(100);
  for (const { command } of place.living()) wrong.push(`left behind: ${command}`);
  return verdict;
}
