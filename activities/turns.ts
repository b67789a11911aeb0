/**
 * turns: the queue after an iteration, for `draw` to take problems from in the next (AdaSTaR's heap, arXiv:2505.16322).
 *
 *   turns: { use: 'turns', in: { problems: 'batch', correct: ['judged.correct'], incorrect: ['judged.incorrect'], earlier: '$queue' } }
 *
 * Rows are carried from iteration to iteration as an artifact, so that the queue survives what the run survives, and a fork or a
 * replay finds that of its iteration. Limit: holds the queue in memory; one row for each problem that had a turn.
 */
import { Problem } from '../schemas/problem.ts';
import { afterTurns, QueueRow } from '../schemas/queue.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Dependencies } from './dependencies.ts';
import { isRight, judgedRows } from './labelled.ts';
import { stageActivity } from './shard.ts';

export const turns = (deps: Dependencies) =>
  stageActivity<'turns'>(deps, async ({ input }) => {
    const { problems, earlier } = input.inputs;
    const drawn = await readRows(deps.store, problems, Problem);
    const turn = new Map(drawn.map(({ id }) => [id, { problem: id, judged: 0, right: 0 }]));
    for await (const row of judgedRows(deps.store, input.inputs)) {
      const of = turn.get(row.rationale.problem.id);
      if (!of) continue;
      of.judged++;
      of.right += Number(isRight(row));
    }
    const before = earlier ? await readRows(deps.store, earlier, QueueRow) : [];
    const queue = await writeRows(deps.store, afterTurns(before, [...turn.values()], input.iteration));
    return { outputs: { queue }, tokens: 0, partial: false };
  });
