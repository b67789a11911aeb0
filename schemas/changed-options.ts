/**
 * Options of stages changed after a run was resolved: by a retry or a replay, for one iteration. The same paths as `--set`,
 * those of stages and of `judging`, held against their schemas and against each other as a new run's are. Pure; workflows and the
 * command line use it alike.
 *
 *   withOptions(recipe, { 'stages.next.with.learningRate': 0.001, 'stages.next.with.steps.first': 80 })
 *     → { recipe, problems: [] }
 */
import { nearest } from './nearest.ts';
import { Judging } from './recipe.ts';
import { checkAdapters, checkObjectives } from './recipe-options.ts';
import type { Recipe, RecipeProblem } from './recipe.ts';
import { stageRow } from './stage.ts';

/** `recipe` is the changed one where there are no problems; each problem names its field and the nearest known path. */
export function withOptions(
  recipe: Recipe,
  set: Record<string, unknown>,
): { recipe: Recipe; problems: RecipeProblem[] } {
  let changed = recipe;
  const problems: RecipeProblem[] = [];
  const judging = Object.keys(Judging.shape).map((option) => `judging.${option}`);
  const ofStages = Object.entries(recipe.stages).flatMap(([name, stage]) =>
    Object.keys(stageRow(stage.use).options.shape).map((option) => `stages.${name}.with.${option}`),
  );
  const known = [...ofStages, ...judging];
  for (const [path, value] of Object.entries(set)) {
    const field = `set.${path}`;
    const found = known.find((choice) => path === choice || path.startsWith(`${choice}.`));
    if (found === undefined) {
      const near = nearest(path, known);
      problems.push({ field, message: `no such option of an iteration${near ? `; did you mean ${near}?` : ''}` });
      continue;
    }
    if (judging.includes(found)) {
      const parsed = Judging.safeParse({ ...changed.judging, [path.slice('judging.'.length)]: value });
      if (parsed.success) changed = { ...changed, judging: parsed.data };
      else for (const { message } of parsed.error.issues) problems.push({ field, message });
      continue;
    }
    const [, name = '', , option = ''] = found.split('.');
    const inner = path.slice(found.length + 1);
    const stage = changed.stages[name] as Recipe['stages'][string];
    const before = stage.with?.[option];
    const next = inner === '' ? value : { ...(before as object | undefined), [inner]: value };
    const parsed = stageRow(stage.use).options.safeParse({ ...stage.with, [option]: next });
    if (parsed.success)
      changed = { ...changed, stages: { ...changed.stages, [name]: { ...stage, with: parsed.data } } };
    else
      for (const { path: at, message } of parsed.error.issues)
        problems.push({ field: ['set', 'stages', name, 'with', ...at].join('.'), message });
  }
  if (problems.length === 0)
    problems.push(
      ...[...checkAdapters(changed), ...checkObjectives(changed)].map(({ field, message }) => ({
        field: `set.${field}`,
        message,
      })),
    );
  return { recipe: changed, problems };
}
