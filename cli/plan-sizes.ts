/** Sizes of a task that an estimate needs. */
import type { HeldOut } from '../schemas/run.ts';
import type { Task } from '../tasks/task.ts';

export const heldOutRows = (task: Task, parameters: unknown, { dev, test }: HeldOut = {}): number =>
  Math.min(task.heldOut('dev', parameters).length, dev ?? Infinity) +
  Math.min(task.heldOut('test', parameters).length, test ?? Infinity);

/** The longest completion waited for, over the strata: the first problem of each stands for it. */
export const longestCompletion = (task: Task, parameters: unknown): number =>
  Math.max(1, ...task.strata(parameters).map((stratum) => (stratum.size > 0 ? task.maxNewTokens(stratum.at(0)) : 0)));
