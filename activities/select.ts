/**
 * select: right rationales become training rows. What was sampled with the hint is stored under the plain prompt (invariant
 * I2). Deduplication and the cap change what is trained on, never the ledger.
 *
 * Equal steps, other words: one path of reasoning once (RFT, arXiv:2308.01825 §3.3); a cap of 10 is ReST-EM's (arXiv:2312.06585).
 */
import type { Example } from '../schemas/example.ts';
import type { Rationale } from '../schemas/rationale.ts';
import type { StageOptions } from '../schemas/stage.ts';
import { Judged } from '../schemas/verdict.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import type { Task } from '../tasks/task.ts';
import { stageActivity } from './shard.ts';

/** A rationale as a training row, under the plain prompt whatever prompt it was sampled with. */
export const exampleOf = (task: Task, { problem, text, tokens, hinted, calls }: Rationale): Example => ({
  problem: problem.id,
  identity: problem.identity,
  prompt: task.prompt.free(problem),
  completion: text,
  // Without ids the text is tokenised when it is trained on, and the end token appended.
  ...(tokens.length > 0 && { completionTokens: tokens }),
  ...(calls && { calls }),
  origin: hinted ? 'hinted' : 'free',
});

/** Says of each row in turn, by problem id and completion, whether it is taken. */
export function choice(
  task: Pick<Task, 'sameSteps'>,
  { perProblem, dedup }: StageOptions<'select'>,
): (problem: string, text: string) => boolean {
  const taken = new Map<string, Set<string>>();
  const stepsOf = (text: string) => (dedup === 'steps' ? (task.sameSteps ?? withoutSpace)(text) : text);
  return (problem, text) => {
    const of = taken.get(problem) ?? new Set<string>();
    taken.set(problem, of);
    const key = dedup === false ? String(of.size) : stepsOf(text);
    if (of.has(key) || (perProblem !== null && of.size >= perProblem)) return false;
    of.add(key);
    return true;
  };
}
const withoutSpace = (text: string): string => text.replace(/\s+/g, ' ').trim();

export const select = (deps: Dependencies) =>
  stageActivity<'select'>(deps, async ({ input, task }) => {
    const isWanted = choice(task, input.options);
    const examples = new RowsWriter(deps.store);
    const take = async ({ rationale, verdict }: Judged) => {
      const { problem, text } = rationale;
      if (verdict.verdict !== 'correct')
        throw failure('LedgerBroken', `select was handed a rationale of ${problem.id} that is ${verdict.verdict}`);
      if (isWanted(problem.id, text)) await examples.add(exampleOf(task, rationale));
    };
    for await (const batch of rowBatches(deps.store, input.inputs.rationales, Judged))
      for (const row of batch) await take(row);
    return { outputs: { examples: (await examples.finish()).ref }, tokens: 0, partial: false };
  });
