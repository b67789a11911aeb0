/**
 * decide: continue, stop, or roll back to the best and go on from there; from the dev split alone (invariant I13). Pure.
 *
 *   dev .40 .52 .41 .55   regression 0.1: after iteration 2 the run rolls back to 1, whose model samples for iteration 3
 *   dev .40 .52 .41 .40   … and where that falls as far again, the run stops; iteration 1 is its best
 */
import type { StopRule } from '../schemas/recipe.ts';
import type { RunDecision } from '../schemas/run.ts';

export interface Scored {
  n: number;
  /** Overall accuracy on dev. */
  dev: number;
}

export type Decision =
  | { action: 'continue' }
  | { action: 'stop'; rule: RunDecision['rule']; reason: string }
  | { action: 'roll-back'; rule: 'regression'; to: number; reason: string };

/** The iteration with the best dev accuracy, the earliest of equals. */
export function bestIteration(scored: Scored[]): Scored | undefined {
  let best: Scored | undefined;
  for (const one of scored) if (!best || one.dev > best.dev) best = one;
  return best;
}

/** @param decisions those taken so far: a roll-back is taken once after an iteration, and once to the same best. */
export function decide(
  scored: Scored[],
  rule: StopRule,
  iterations: number,
  decisions: Pick<RunDecision, 'after' | 'action' | 'to'>[] = [],
): Decision {
  const last = scored.at(-1);
  if ((last?.n ?? 0) >= iterations)
    return { action: 'stop', rule: 'iterations', reason: `all ${iterations} iterations are done` };
  const best = bestIteration(scored);
  if (!best || !last) return { action: 'continue' };
  const standing = `iteration ${best.n} (dev ${best.dev.toFixed(3)})`;
  if (last.n - best.n >= rule.patience)
    return {
      action: 'stop',
      rule: 'plateau',
      reason: `plateau: no better dev accuracy than ${best.dev.toFixed(3)} (iteration ${best.n}) in ${rule.patience} iterations`,
    };
  if (rule.regression === undefined || best.dev - last.dev <= rule.regression) return { action: 'continue' };
  const rollBacks = decisions.filter(({ action }) => action === 'roll-back');
  if (rollBacks.some(({ after }) => after === last.n)) return { action: 'continue' };
  const fall = `regression: dev fell to ${last.dev.toFixed(3)}, more than ${rule.regression} below ${standing}`;
  return rollBacks.some(({ to }) => to === best.n)
    ? { action: 'stop', rule: 'regression', reason: `${fall}, again after a roll-back to it` }
    : { action: 'roll-back', rule: 'regression', to: best.n, reason: fall };
}
