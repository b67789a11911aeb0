/**
 * answers: the gold answer of every problem as a training row, without a rationale. What STaR is held against: a model that was
 * trained on all answers directly (arXiv:2203.14465, "direct fine-tuning").
 *
 *   { prompt: 'Q: What is 12 + 7 + 25?\nA:', completion: ' The answer is 44.' }
 */
import type { Example } from '../schemas/example.ts';
import { Problem } from '../schemas/problem.ts';
import { rowBatches, RowsWriter } from '../store/rows.ts';
import type { Task } from '../tasks/task.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import { stageActivity } from './shard.ts';

export function answerOf(task: Task, problem: Problem): Example {
  if (!task.prompt.direct) throw failure('RecipeInvalid', `task ${task.id} has no direct form`);
  return {
    problem: problem.id,
    identity: problem.identity,
    prompt: task.prompt.free(problem),
    completion: task.prompt.direct.completion(problem),
    origin: 'answer',
  };
}

export const answers = (deps: Dependencies) =>
  stageActivity<'answers'>(deps, async ({ input, task }) => {
    const examples = new RowsWriter(deps.store);
    for await (const batch of rowBatches(deps.store, input.inputs.problems, Problem))
      for (const problem of batch) await examples.add(answerOf(task, problem));
    return { outputs: { examples: (await examples.finish()).ref }, tokens: 0, partial: false };
  });
