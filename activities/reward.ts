/**
 * reward: judged rationales, right and wrong, as samples with their reward, those of a problem one after the other.
 *
 *   samples: { use: 'reward', in: { correct: ['judged.correct'], incorrect: ['judged.incorrect'] } }
 *
 * Every one stands, equal ones as often as they were sampled: they are draws from the model, and their mean is an expectation.
 * What is not judged is in none: an outage teaches nothing. What was sampled with the hint is left out, since the model did not
 * say it to the plain prompt that is trained on. Limit: holds the judged rationales of an iteration in memory.
 */
import type { Sample } from '../schemas/sample.ts';
import { RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { isRight, judgedRows } from './labelled.ts';
import { seedOf } from './seed.ts';
import { exampleOf } from './select.ts';
import { stageActivity } from './shard.ts';

export const reward = (deps: Dependencies) =>
  stageActivity<'reward'>(deps, async ({ input, task }) => {
    const { inputs, options, run } = input;
    const problems = new Map<string, { sample: number; row: Sample }[]>();
    for await (const judged of judgedRows(deps.store, inputs)) {
      const { rationale } = judged;
      if (rationale.hinted) continue;
      const { origin: _, ...example } = exampleOf(task, rationale);
      const of = problems.get(example.problem) ?? [];
      problems.set(example.problem, of);
      of.push({ sample: rationale.sample, row: { ...example, reward: isRight(judged) ? 1 : 0 } });
    }
    const made = new RowsWriter(deps.store);
    for (const [problem, rows] of problems) {
      const ordered = rows.sort((x, y) => x.sample - y.sample);
      const rank = (sample: number) => seedOf(run.seed, 'labels', problem, sample);
      // As many rewards as there are, dealt out by rank of hash.
      const dealt = ordered.map(({ row }) => row.reward).sort((x, y) => y - x);
      const drawn = ordered.map(({ sample }) => rank(sample)).sort();
      for (const { sample, row } of ordered)
        await made.add(
          options.labels === 'shuffled' ? { ...row, reward: dealt[drawn.indexOf(rank(sample))] as 0 | 1 } : row,
        );
    }
    return { outputs: { samples: (await made.finish()).ref }, tokens: 0, partial: false };
  });
