/** Whether an engine can do what a recipe asks, and a task its part of it: told before anything starts. */
import type { Engine } from '../engine/engine.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { PolicyObjective } from '../schemas/stage-options.ts';
import type { ToolName } from '../schemas/tools.ts';
import type { Task } from '../tasks/task.ts';
import type { FieldProblem } from './failures.ts';
import { noScores } from './score.ts';

/** What the engine would have to do for this recipe and cannot. Pure. */
export function checkEngine(
  name: string,
  engine: Pick<Engine, 'score' | 'learns' | 'costs'>,
  { stages }: Recipe,
): FieldProblem[] {
  const cure = 'name one that trains with tfjs';
  return Object.entries(stages).flatMap(([stage, { use, with: options }]) => {
    const says = (message: string) => [{ field: 'engine', message }];
    if ((use === 'prefer' || use === 'rank') && !engine.score)
      return says(`${noScores(name)}, which ${stage} needs; ${cure}`);
    if (use === 'prefer' && !engine.learns?.includes('preference'))
      return says(`engine ${name} does not learn by preferences, as ${stage} asks; ${cure}`);
    if (use === 'reward-model' && !engine.learns?.includes('reward-model'))
      return says(`engine ${name} does not train reward models, as ${stage} asks; ${cure}`);
    if (use === 'think' && options?.thoughts !== 'none' && !engine.learns?.includes('quiet'))
      return says(`engine ${name} does not learn thoughts within text, as ${stage} asks; ${cure}`);
    if (use === 'perplexity' && !engine.costs)
      return says(`engine ${name} does not tell what parts of a text cost, as ${stage} asks; ${cure}`);
    const objective = options?.objective as PolicyObjective | undefined;
    if (use === 'fine-tune' && objective !== undefined && !engine.learns?.includes('policy'))
      return says(`engine ${name} does not learn by rewards (${objective}), as ${stage} asks; ${cure}`);
    return [];
  });
}

/** Tools that the engine does not run, or a nudge to use them that the task does not have. Pure. */
export function checkTools(
  { id, prompt }: Task,
  recipe: Recipe,
  engine: string,
  tools: readonly ToolName[],
): FieldProblem[] {
  const stages = Object.entries(recipe.stages);
  const called = stages.flatMap(([name, { with: options }]) =>
    ((options?.tools ?? []) as ToolName[]).map((tool) => ({ name, tool })),
  );
  const problems: FieldProblem[] = [];
  const missing = called.find(({ tool }) => !tools.includes(tool));
  if (missing)
    problems.push({
      field: 'engine',
      message: `engine ${engine} runs no ${missing.tool} inside a text, which stage ${missing.name} of ${recipe.id} asks for; name one that samples and trains with tfjs, or take a recipe without tools, e.g. start-without-tools`,
    });
  // Only the likelihood of completions leaves out what a tool gave.
  const learns = stages.find(
    ([, { use, with: options }]) => use === 'prefer' || use === 'rank' || (use === 'fine-tune' && options?.objective),
  );
  if (called.length > 0 && learns) {
    const what = (learns[1].with?.objective as string | undefined) ?? learns[1].use;
    problems.push({
      field: `recipe.stages.${learns[0]}`,
      message: `${what} would learn what tools said, too; take tools or ${what} out of ${recipe.id}`,
    });
  }
  const nudged = stages.find(([, { with: options }]) => options?.hint === 'tools');
  if (nudged && !prompt.nudged)
    problems.push({
      field: 'task',
      message: `task ${id} has no nudge to use tools (prompt.nudged), which stage ${nudged[0]} of ${recipe.id} asks for; take one that has, e.g. products`,
    });
  return problems;
}
