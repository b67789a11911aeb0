/** Sizes of a task that an estimate needs. */
import type { Task } from '../tasks/task.ts';

export const heldOutRows = (task: Task, parameters: unknown): number =>
  task.heldOut('dev', parameters).length + task.heldOut('test', parameters).length;

/** The longest completion waited for, over the strata: the first problem of each stands for it. */
export const longestCompletion = (task: Task, parameters: unknown): number =>
  Math.max(1, ...task.strata(parameters).map((stratum) => (stratum.size > 0 ? task.maxNewTokens(stratum.at(0)) : 0)));
