/** Whether a recipe's tools can be had: what only task and engine together can say, before anything starts. */
import type { Recipe } from '../schemas/recipe.ts';
import type { ToolName } from '../schemas/tools.ts';
import type { Task } from '../tasks/task.ts';
import type { FieldProblem } from './failures.ts';

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
  const learns = stages.find(([, { use }]) => use === 'prefer' || use === 'rank');
  if (called.length > 0 && learns)
    problems.push({
      field: `recipe.stages.${learns[0]}`,
      message: `${learns[1].use} would learn what tools said, too; take tools or ${learns[1].use} out of ${recipe.id}`,
    });
  const nudged = stages.find(([, { with: options }]) => options?.hint === 'tools');
  if (nudged && !prompt.nudged)
    problems.push({
      field: 'task',
      message: `task ${id} has no nudge to use tools (prompt.nudged), which stage ${nudged[0]} of ${recipe.id} asks for; take one that has, e.g. products`,
    });
  return problems;
}
