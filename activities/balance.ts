/**
 * balance: which temperature to sample at, by trying each of a grid on a few of the drawn problems (B-STaR's score, schemas/balance.ts).
 *
 *   tuned: { use: 'balance', in: { problems: 'batch', model: '$model' } },
 *   free: { use: 'generate', in: { problems: 'batch', model: '$model', sampling: 'tuned' }, with: { samples: 8 } }
 *
 * One row a temperature, in the order of the grid; each has samples of its own. A problem with an unjudged sample at any of them is left
 * out at all of them: an outage moves no score. What is sampled here is neither trained on nor in the ledger.
 */
import { balanceOf } from '../schemas/balance.ts';
import type { BalanceRow, Probed } from '../schemas/balance.ts';
import { Problem } from '../schemas/problem.ts';
import type { Judged } from '../schemas/verdict.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { dropJournal, journalOf } from './journal.ts';
import { judgeRows, unjudgedBecause } from './judge.ts';
import { sampleRationales, trainedModel } from './sample.ts';
import { choice } from './select.ts';
import { stageActivity } from './shard.ts';
import type { ShardWork } from './shard.ts';

/** As an evaluation's: judging here is no stage of its own. */
const JUDGE = { timeoutMs: 10_000, tries: 2 };

export const balance = (deps: Dependencies) => stageActivity<'balance'>(deps, tryEach, dropJournal(deps));

async function tryEach(shard: ShardWork<'balance'>) {
  const { deps, input, task, control } = shard;
  const { inputs, options } = input;
  const { from, to, shards } = inputs.problems;
  // Drawn problems are mixed: the first of them are a sample of them all.
  const few = { shards, from, to: Math.min(to, from + options.problems) };
  const problems = await readRows(deps.store, few, Problem);
  const journal = await journalOf(shard);
  const judged: Judged[][] = [];
  let tokens = 0;
  for (const [index, temperature] of options.temperatures.entries()) {
    const plan = { problems, model: trainedModel(inputs.model), hinted: false, prompt: options.prompt, temperature };
    const sampled = await sampleRationales(
      shard,
      // Seeds follow the number of a sample, and a journal the seeds: no two temperatures share one.
      { ...plan, samples: options.samples, firstSample: index * options.samples, topP: options.topP },
      journal,
    );
    tokens += sampled.tokens;
    judged.push(await shard.busy('verifier', () => judgeRows(task, sampled.rationales, JUDGE, control)));
  }
  const rows = balanceRows(options, problems, judged, choice(task, { perProblem: null, dedup: 'steps' }));
  deps.log.info('temperatures tried', { run: input.run.runId, iteration: input.iteration, rows });
  const all = judged.flat();
  return {
    outputs: { sampling: await writeRows(deps.store, rows) },
    tokens,
    partial: all.some(({ verdict }) => verdict.verdict === 'unjudged'),
    ...unjudgedBecause(all),
  };
}

/**
 * @param judged of each temperature its samples.
 * @param isNew says of each in turn, by a key and its text, whether its steps are new under that key.
 */
export function balanceRows(
  { temperatures, enough }: { temperatures: readonly number[]; enough: number },
  problems: readonly { id: string }[],
  judged: readonly (readonly Judged[])[],
  isNew: (key: string, text: string) => boolean,
): BalanceRow[] {
  const unknown = new Set(
    judged.flat().flatMap(({ rationale, verdict }) => (verdict.verdict === 'unjudged' ? [rationale.problem.id] : [])),
  );
  return temperatures.map((temperature, index) => {
    const probed = new Map<string, Probed>(
      problems.filter(({ id }) => !unknown.has(id)).map(({ id }) => [id, { right: 0, unique: 0 }]),
    );
    for (const { rationale, verdict } of judged[index] ?? []) {
      const { problem, text } = rationale;
      const of = probed.get(problem.id);
      if (of === undefined || verdict.verdict !== 'correct') continue;
      of.right++;
      if (isNew(`${index} ${problem.id}`, text)) of.unique++;
    }
    const all = [...probed.values()];
    const sum = (what: keyof Probed) => all.reduce((total, one) => total + one[what], 0);
    const counts = { problems: all.length, right: sum('right'), unique: sum('unique') };
    return { temperature, score: balanceOf(all, enough), ...counts };
  });
}
