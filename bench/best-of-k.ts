/**
 * What a verifier adds at best-of-k, over runs of several seeds: Verifier@k less maj@k, maj@k less the mean (pass@1), Verifier@k
 * less the mean, each with its pooled interval and its verdict.
 *
 *   node --import tsx bench/best-of-k.ts --k 8 --smallest 3 <home>/store sql-star-sql-s1-1 sql-star-sql-s2-1 sql-star-sql-s3-1
 *
 * Of each run the last iteration counts, or `--iteration n`; of its problems those of `--strata a,b`. Per problem the means over all subsets of k candidates
 * (schemas/best-of-k.ts); problems are resampled within resampled seeds (report/pooled.ts), strata count alike. Reads only.
 */
import { parseArgs } from 'node:util';
import { mean, pooled, verdictOn } from '../report/pooled.ts';
import { bestOfK } from '../schemas/best-of-k.ts';
import type { BestOfK, Candidate } from '../schemas/best-of-k.ts';
import { RankedRow } from '../schemas/ranking.ts';
import type { IterationRecord } from '../schemas/run.ts';
import { RunDocument } from '../schemas/run.ts';
import { createLocalStore } from '../store/local.ts';
import { readRows } from '../store/rows.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    k: { type: 'string', default: '8' },
    smallest: { type: 'string', default: '3' },
    iteration: { type: 'string' },
    strata: { type: 'string' },
  },
});
const [folder, ...runs] = positionals;
if (folder === undefined || runs.length === 0) throw new Error('give the folder of a store, then run ids');
const store = await createLocalStore(folder);
const wanted = values.strata?.split(',');

/** Strata, each with what its problems come to; a problem with an unjudged candidate is left out. */
async function problemsOf(run: string): Promise<BestOfK[][]> {
  const { iterations } = RunDocument.parse(await store.getName(`runs/${run}`));
  const record: IterationRecord | undefined = iterations.at(Number(values.iteration ?? -1));
  if (!record?.ranking) throw new Error(`${run} has no ranking in iteration ${values.iteration ?? 'last'}`);
  const problems = new Map<string, { stratum: string; candidates: Candidate[]; whole: boolean }>();
  for (const shard of record.ranking.rows) {
    const slice = { shards: [shard], from: 0, to: shard.rows ?? 0 };
    for (const { rationale, verdict, answer, score } of await readRows(store, slice, RankedRow)) {
      const { id, stratum } = rationale.problem;
      if (wanted && !wanted.includes(stratum)) continue;
      const one = problems.get(id) ?? { stratum, candidates: [], whole: true };
      problems.set(id, one);
      if (verdict.verdict === 'unjudged' || score === null) one.whole = false;
      else one.candidates.push({ correct: verdict.verdict === 'correct', answer, score });
    }
  }
  const strata = new Map<string, BestOfK[]>();
  for (const { stratum, candidates, whole } of problems.values()) {
    if (!whole) continue;
    // pass@1 is the mean; pass@k is not asked for.
    const found = { ...bestOfK(candidates, Number(values.k)), pass: bestOfK(candidates, 1).pass };
    strata.set(stratum, [...(strata.get(stratum) ?? []), found]);
  }
  if (strata.size === 0) throw new Error(`${run} has no ranked problem of ${values.strata ?? 'any stratum'}`);
  return [...strata.values()];
}

const seeds = await Promise.all(runs.map(problemsOf));
const points = (share: number) => (100 * share).toFixed(1);
for (const [n, run] of runs.entries()) {
  const of = (pick: keyof BestOfK) => points(mean(seeds[n]!.map((stratum) => mean(stratum.map((one) => one[pick])))));
  const count = seeds[n]!.reduce((sum, { length }) => sum + length, 0);
  console.log(
    `${run}: mean ${of('pass')}, maj@${values.k} ${of('majority')}, verifier@${values.k} ${of('verifier')}, n = ${count}`,
  );
}
for (const [ahead, behind] of [
  ['verifier', 'majority'],
  ['majority', 'pass'],
  ['verifier', 'pass'],
] as const) {
  const found = pooled(seeds.map((strata) => strata.map((stratum) => stratum.map((one) => one[ahead] - one[behind]))));
  if (!found) continue;
  const { value, low, high, bySeed } = found;
  const verdict = verdictOn(found, Number(values.smallest) / 100);
  console.log(
    `${ahead} less ${behind === 'pass' ? 'mean' : behind}: ${points(value)} (${points(low)} to ${points(high)}), ` +
      `by seed ${bySeed.map(points).join(', ')}: ${verdict}`,
  );
}
