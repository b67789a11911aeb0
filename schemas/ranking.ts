/**
 * Candidates of held-out problems, ranked by a verifier: the rows of a rank shard, and what they come to.
 *
 *   rankingOf([{ stratum: '2', candidates: [{ correct: true, answer: '44', score: -3.1 }, …] }, …], 4)
 *   // { n: 500, unjudged: 1, samples: 16, byK: [{ k: 1, pass: 0.61, majority: 0.61, verifier: 0.61 }, …, { k: 16, … }] }
 */
import { z } from 'zod';
import { ArtifactRef } from './artifact.ts';
import { bestOfK, reportedKs } from './best-of-k.ts';
import type { Candidate } from './best-of-k.ts';
import { Judged } from './verdict.ts';

/** One candidate; those of a problem follow one another. */
export const RankedRow = Judged.extend({
  /** What it votes for: the task's `vote`, else the answer as the task reads it; null = nothing. */
  answer: z.string().nullable(),
  /** The verifier's log-probability or reward; null where nothing was sampled. */
  score: z.number().nullable(),
});
export type RankedRow = z.infer<typeof RankedRow>;

const Share = z.number().min(0).max(1);
export const Ranking = z.strictObject({
  /** Problems whose candidates all have a verdict. */
  n: z.int().nonnegative(),
  /** Problems left out because one has none: an outage is not a wrong answer. */
  unjudged: z.int().nonnegative(),
  /** Candidates of each problem. */
  samples: z.int().nonnegative(),
  /** Unweighted means of the strata, as in `accuracy`; pass@1 = the first `pass`. */
  byK: z.array(z.strictObject({ k: z.int().min(1), pass: Share, majority: Share, verifier: Share })),
  /** The rows. */
  rows: z.array(ArtifactRef),
});
export type Ranking = z.infer<typeof Ranking>;

export interface RankedProblem {
  stratum: string;
  /** Undefined where one of them has no verdict. */
  candidates: Candidate[] | undefined;
}

/** Means over the problems, stratum by stratum. Pure; the same problems in the same order give the same bits. */
export function rankingOf(problems: readonly RankedProblem[]): Omit<Ranking, 'rows'> {
  const judged = problems.flatMap(({ stratum, candidates }) => (candidates ? [{ stratum, candidates }] : []));
  const samples = Math.min(...judged.map(({ candidates }) => candidates.length));
  const strata = [...new Set(judged.map(({ stratum }) => stratum))];
  const ks = judged.length === 0 ? [] : reportedKs(samples);
  const byK = ks.map((k) => {
    const found = judged.map(({ stratum, candidates }) => ({ stratum, ...bestOfK(candidates, k) }));
    const mean = (pick: (one: (typeof found)[number]) => number) => {
      const means = strata.map((stratum) => {
        const own = found.filter((one) => one.stratum === stratum);
        return own.reduce((sum, one) => sum + pick(one), 0) / own.length;
      });
      // Rounding must not put a share beyond 1.
      return Math.min(1, means.reduce((sum, one) => sum + one, 0) / strata.length);
    };
    return {
      k,
      pass: mean((one) => one.pass),
      majority: mean((one) => one.majority),
      verifier: mean((one) => one.verifier),
    };
  });
  const unjudged = problems.length - judged.length;
  return { n: judged.length, unjudged, samples: judged.length === 0 ? 0 : samples, byK };
}
