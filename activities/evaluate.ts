/** evaluate: greedy where no temperature is asked for, the un-hinted prompt in the form asked for, one shard of dev or test; counts by stratum, and the judged rows for reports. */
import { Problem } from '../schemas/problem.ts';
import { Judged } from '../schemas/verdict.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { dropJournal, journalOf } from './journal.ts';
import { judgeRows, tallyByStratum, unjudgedBecause } from './judge.ts';
import { sampleRationales, trainedModel, wholeOf } from './sample.ts';
import { stageActivity } from './shard.ts';
import type { ShardWork } from './shard.ts';

/** Judging an evaluation is not a stage of its own, so its limits are fixed here. */
const JUDGE = { timeoutMs: 10_000, tries: 2 };

export const evaluate = (deps: Dependencies) => stageActivity<'evaluate'>(deps, evaluateShard, dropJournal(deps));

async function evaluateShard(shard: ShardWork<'evaluate'>) {
  const { deps, input, previous, task, control } = shard;
  const { inputs } = input;
  const { store } = deps;
  const split = inputs.dev.to > inputs.dev.from ? ('dev' as const) : ('test' as const);
  const problems = await readRows(store, inputs[split], Problem);
  // A completion is sampled once; what could not be judged then is judged now.
  const earlier = previous ? await readRows(store, wholeOf(previous.outputs.score.judged), Judged) : [];
  const answered = new Map(
    earlier.filter((row) => row.rationale.finish !== 'failed').map((row) => [row.rationale.problem.id, row]),
  );
  const fresh = await sampleRationales(
    shard,
    {
      problems: problems.filter(({ id }) => !answered.has(id)),
      model: trainedModel(inputs.model),
      hinted: false,
      tools: input.options,
      prompt: input.options.prompt,
      samples: 1,
      temperature: input.options.temperature ?? 0,
      topP: 1,
    },
    await journalOf(shard),
  );
  const open = [...answered.values()].filter(({ verdict }) => verdict.verdict === 'unjudged');
  const asked = [...open.map(({ rationale }) => rationale), ...fresh.rationales];
  for (const row of await shard.busy('verifier', () => judgeRows(task, asked, JUDGE, control)))
    answered.set(row.rationale.problem.id, row);
  const judged = problems.map(({ id }) => answered.get(id) as Judged);
  return {
    outputs: {
      score: {
        split,
        judged: await writeRows(store, judged),
        byStratum: tallyByStratum(judged, { tools: input.options.tools !== undefined, task }),
      },
    },
    tokens: fresh.tokens,
    partial: judged.some((row) => row.verdict.verdict === 'unjudged' && row.rationale.finish !== 'overflow'),
    ...unjudgedBecause(judged),
  };
}
