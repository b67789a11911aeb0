/**
 * rank: several candidates of each held-out problem, each with its verdict and a verifier's score of it. What they
 * come to (Verifier@k, maj@k, pass@k) stands in the iteration's record; nothing is trained on them, and no decision reads them.
 *
 *   best: { use: 'rank', in: { model: 'next', verifier: 'verifier', test: '$test' }, with: { samples: 16 } }
 *
 * Ranked behind the plain prompt that the verifier was trained with: by V(y|x), as in V-STaR (arXiv:2402.06457 §3.3), or by the
 * reward of a model that `reward-model` has trained. Votes are for what the task holds equal (`vote`), else for the answer's text.
 */
import type { Candidate } from '../schemas/best-of-k.ts';
import { Problem } from '../schemas/problem.ts';
import type { Rows } from '../schemas/port-values.ts';
import { RankedRow, rankingOf } from '../schemas/ranking.ts';
import type { RankedProblem, Ranking } from '../schemas/ranking.ts';
import { readRows, rowBatches, writeRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import type { Dependencies } from './dependencies.ts';
import { dropJournal, journalOf } from './journal.ts';
import { judgeAndVote, unjudgedBecause } from './judge.ts';
import { keyOf, sampleRationales, trainedModel, wholeOf } from './sample.ts';
import { scoreRows } from './score.ts';
import { exampleOf } from './select.ts';
import { stageActivity } from './shard.ts';
import type { ShardWork } from './shard.ts';

/** As in an evaluation. */
const JUDGE = { timeoutMs: 10_000, tries: 2 };

export const rank = (deps: Dependencies) => stageActivity<'rank'>(deps, rankShard, dropJournal(deps));

async function rankShard(shard: ShardWork<'rank'>) {
  const { deps, input, previous, task, control } = shard;
  const { inputs, options } = input;
  const problems = await readRows(deps.store, inputs.test, Problem);
  // A completion is sampled once; what could not be judged then is judged now.
  const earlier = previous ? await readRows(deps.store, wholeOf(previous.outputs.ranking), RankedRow) : [];
  const sampled = new Map(
    earlier
      .filter(({ rationale }) => rationale.finish !== 'failed')
      .map(({ rationale }) => [keyOf(rationale), rationale]),
  );
  const fresh = await sampleRationales(
    shard,
    {
      problems,
      model: trainedModel(inputs.model),
      hinted: false,
      prompt: options.prompt,
      samples: options.samples,
      temperature: options.temperature,
      topP: options.topP,
      has: (key) => sampled.has(key),
    },
    await journalOf(shard),
  );
  for (const rationale of fresh.rationales) sampled.set(keyOf(rationale), rationale);
  const candidates = problems.flatMap((problem) =>
    Array.from({ length: options.samples }, (_, sample) => sampled.get(keyOf({ problem, sample }))!),
  );
  const judged = await shard.busy('verifier', () => judgeAndVote(task, candidates, JUDGE, control));
  const there = candidates.filter(({ finish }) => finish === 'stop' || finish === 'length');
  const scores = await scoreRows(
    shard,
    trainedModel(inputs.verifier),
    there.map((rationale) => {
      const { prompt, completion, completionTokens } = exampleOf(task, rationale);
      return { prompt, completion, ...(completionTokens && { completionTokens }) };
    }),
  );
  const scoreOf = new Map(there.map((rationale, n) => [rationale, scores[n] as number]));
  const rows = judged.map((row): RankedRow => ({ ...row, score: scoreOf.get(row.rationale) ?? null }));
  return {
    outputs: { ranking: await writeRows(deps.store, rows) },
    tokens: fresh.tokens,
    partial: rows.some((row) => row.verdict.verdict === 'unjudged' && row.rationale.finish !== 'overflow'),
    ...unjudgedBecause(judged),
  };
}

/** What the rows of all shards come to. */
export async function rankingIn(store: Store, ranked: Rows): Promise<Ranking> {
  const problems = new Map<string, RankedProblem>();
  for await (const batch of rowBatches(store, ranked, RankedRow))
    for (const row of batch) {
      const { id, stratum } = row.rationale.problem;
      const problem: RankedProblem = problems.get(id) ?? { stratum, candidates: [] };
      problems.set(id, problem);
      const candidate = candidateOf(row);
      if (candidate) problem.candidates?.push(candidate);
      else problem.candidates = undefined;
    }
  return { ...rankingOf([...problems.values()]), rows: ranked.shards };
}

function candidateOf({ verdict, answer, score }: RankedRow): Candidate | undefined {
  if (verdict.verdict === 'unjudged' || score === null) return undefined;
  return { correct: verdict.verdict === 'correct', answer, score };
}
