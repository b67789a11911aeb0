/**
 * select: right rationales become training rows. What was sampled with the hint is stored under the plain prompt (invariant
 * I2). Deduplication and the cap change what is trained on, never the ledger.
 */
import type { Example } from '../schemas/example.ts';
import type { Rationale } from '../schemas/rationale.ts';
import { Judged } from '../schemas/verdict.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import type { Task } from '../tasks/task.ts';
import { stageActivity } from './shard.ts';

/** A rationale as a training row, under the plain prompt whatever prompt it was sampled with. */
export const exampleOf = (task: Task, { problem, text, tokens, hinted }: Rationale): Example => ({
  problem: problem.id,
  identity: problem.identity,
  prompt: task.prompt.free(problem),
  completion: text,
  // Without ids the text is tokenised when it is trained on, and the end token appended.
  ...(tokens.length > 0 && { completionTokens: tokens }),
  origin: hinted ? 'hinted' : 'free',
});

export const select = (deps: Dependencies) =>
  stageActivity<'select'>(deps, async ({ input, task }) => {
    const { perProblem, dedup } = input.options;
    const taken = new Map<string, Set<string>>();
    const examples = new RowsWriter(deps.store);
    const take = async ({ rationale, verdict }: Judged) => {
      const { problem, text } = rationale;
      if (verdict.verdict !== 'correct')
        throw failure('LedgerBroken', `select was handed a rationale of ${problem.id} that is ${verdict.verdict}`);
      const texts = taken.get(problem.id) ?? new Set<string>();
      taken.set(problem.id, texts);
      if ((dedup && texts.has(text)) || (perProblem !== null && texts.size >= perProblem)) return;
      texts.add(dedup ? text : `${texts.size}`);
      await examples.add(exampleOf(task, rationale));
    };
    for await (const batch of rowBatches(deps.store, input.inputs.rationales, Judged))
      for (const row of batch) await take(row);
    return { outputs: { examples: (await examples.finish()).ref }, tokens: 0, partial: false };
  });
