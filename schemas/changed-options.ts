/**
 * Options of stages changed after a run was resolved: by a retry or a replay, for one iteration. The same paths as `--set`,
 * stages only, held against the schemas of the stages and against each other as a new run's are. Pure; workflows and the
 * command line use it alike.
 *
 *   withOptions(recipe, { 'stages.next.with.learningRate': 0.001, 'stages.next.with.steps.first': 80 })
 *     → { recipe, problems: [] }
 */
import { nearest } from './nearest.ts';
import { checkAdapters } from './recipe.ts';
import type { Recipe, RecipeProblem } from './recipe.ts';
import { stageRow } from './stage.ts';

/** `recipe` is the changed one where there are no problems; each problem names its field and the nearest known path. */
export function withOptions(
  recipe: Recipe,
  set: Record<string, unknown>,
): { recipe: Recipe; problems: RecipeProblem[] } {
  let changed = recipe;
  const problems: RecipeProblem[] = [];
  const known = Object.entries(recipe.stages).flatMap(([name, stage]) =>
    Object.keys(stageRow(stage.use).options.shape).map((option) => `stages.${name}.with.${option}`),
  );
  for (const [path, value] of Object.entries(set)) {
    const field = `set.${path}`;
    const found = known.find((choice) => path === choice || path.startsWith(`${choice}.`));
    if (found === undefined) {
      const near = nearest(path, known);
      problems.push({ field, message: `no such option of a stage${near ? `; did you mean ${near}?` : ''}` });
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
    problems.push(...checkAdapters(changed).map(({ field, message }) => ({ field: `set.${field}`, message })));
  return { recipe: changed, problems };
}
