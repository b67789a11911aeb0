/**
 * What distinguishes two recipes: stages, wires, options, what is carried and when to stop. Pure.
 *
 *   recipeDifference(star, starWithoutHints)
 *     → [{ path: 'stages.hinted', left: { use: 'rationalize', … } }, …, { path: 'stages.kept.in.rationales', left: […], right: […] }]
 */
import { canonicalJson } from './canonical.ts';
import type { Recipe } from './recipe.ts';

/** A side without the path has no such key. */
export interface RecipeChange {
  path: string;
  left?: unknown;
  right?: unknown;
}

/** Ids and sources are names, no differences. A stage that only one side has is told whole. */
export function recipeDifference(left: Recipe, right: Recipe): RecipeChange[] {
  const changes: RecipeChange[] = [];
  const walk = (path: string, a: unknown, b: unknown, depth: number): void => {
    if (canonicalJson(a ?? null) === canonicalJson(b ?? null)) return;
    const both = [a, b].every((side) => typeof side === 'object' && side !== null && !Array.isArray(side));
    if (!both || depth === 0) {
      changes.push({ path, ...(a !== undefined && { left: a }), ...(b !== undefined && { right: b }) });
      return;
    }
    const [x, y] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
    for (const key of new Set([...Object.keys(x), ...Object.keys(y)]))
      walk(path === '' ? key : `${path}.${key}`, x[key], y[key], depth - 1);
  };
  const graph = ({ stages, carry, stop }: Recipe) => ({
    stages: Object.fromEntries(Object.entries(stages).map(([name, stage]) => [name, { with: {}, ...stage }])),
    carry,
    stop,
  });
  walk('', graph(left), graph(right), 6);
  return changes;
}
