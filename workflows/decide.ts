/** decide: continue or stop, from the dev split alone (invariant I13). Pure. */
import type { StopRule } from '../schemas/recipe.ts';

export interface Scored {
  n: number;
  /** Overall accuracy on dev. */
  dev: number;
}

export type Decision = { action: 'continue' } | { action: 'stop'; reason: string };

/** The iteration with the best dev accuracy, the earliest of equals. */
export function bestIteration(scored: Scored[]): Scored | undefined {
  let best: Scored | undefined;
  for (const one of scored) if (!best || one.dev > best.dev) best = one;
  return best;
}

export function decide(scored: Scored[], rule: StopRule, iterations: number): Decision {
  const last = scored.at(-1)?.n ?? 0;
  if (last >= iterations) return { action: 'stop', reason: `all ${iterations} iterations are done` };
  const best = bestIteration(scored);
  if (best && last - best.n >= rule.patience)
    return {
      action: 'stop',
      reason: `plateau: no better dev accuracy than ${best.dev.toFixed(3)} (iteration ${best.n}) in ${rule.patience} iterations`,
    };
  return { action: 'continue' };
}
