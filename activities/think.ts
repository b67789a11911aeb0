/**
 * think: learns text as it stands, with thoughts before each of its tokens (Quiet-STaR, arXiv:2403.09629), with as many pauses, or
 * without either for as many steps: one kind, so that the three differ by one option.
 *
 *   next: { use: 'think', in: { problems: 'batch', from: '$base' }, with: { thoughts: 'sampled', tokens: 4 } }
 *
 * A row is a problem's free prompt and its gold completion; no rationale is written, none is judged.
 */
import type { TrainRow } from '../engine/engine.ts';
import { Problem } from '../schemas/problem.ts';
import { rowBatches } from '../store/rows.ts';
import type { ShardWork } from './shard.ts';
import { trainingActivity, trainOn } from './training.ts';

export const think = trainingActivity<'think'>(train);

async function train(shard: ShardWork<'think'>) {
  const { deps, input, task } = shard;
  const { inputs, options } = input;
  const { thoughts, tokens, ahead, passes, policy, marker } = options;
  async function* rows() {
    for await (const batch of rowBatches(deps.store, inputs.problems, Problem))
      yield batch.map((problem): TrainRow => ({
        prompt: task.prompt.free(problem),
        completion: task.goldCompletion(problem),
      }));
  }
  const quiet = {
    ...{ tokens, ahead, passes, policy },
    ...(marker !== undefined && { marker }),
    ...(thoughts === 'pause' && { pause: true as const }),
  };
  const made = await trainOn(shard, {
    from: inputs.from,
    options,
    rows: rows(),
    ...(thoughts !== 'none' && { quiet }),
  });
  return {
    outputs: { model: made.model },
    tokens: made.tokens,
    partial: false,
    trained: { rows: made.rows, steps: made.steps, carried: false },
  };
}
