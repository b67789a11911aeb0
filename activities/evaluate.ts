/** evaluate: greedy, the un-hinted prompt, one shard of dev or test; counts by stratum, and the judged rows for reports. */
import { Problem } from '../schemas/problem.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { judgeRows, tallyByStratum } from './judge.ts';
import { sampleRationales, trainedModel } from './sample.ts';
import { stageActivity } from './shard.ts';

/** Judging an evaluation is not a stage of its own, so its limits are fixed here. */
const JUDGE = { timeoutMs: 10_000, tries: 2 };

export const evaluate = (deps: Dependencies) =>
  stageActivity<'evaluate'>(deps, async (shard) => {
    const { inputs } = shard.input;
    const split = inputs.dev.to > inputs.dev.from ? 'dev' : 'test';
    const problems = await readRows(deps.store, inputs[split], Problem);
    const model = trainedModel(inputs.model);
    const rows = await sampleRationales(shard, { problems, model, hinted: false, samples: 1, temperature: 0, topP: 1 });
    const judged = await shard.busy('verifier', () => judgeRows(shard.task, rows, JUDGE, shard.control));
    return {
      outputs: { score: { split, judged: await writeRows(deps.store, judged), byStratum: tallyByStratum(judged) } },
      tokens: rows.reduce((sum, row) => sum + row.tokens.length, 0),
      partial: judged.some((row) => row.verdict.verdict === 'unjudged' && row.rationale.finish !== 'overflow'),
    };
  });
