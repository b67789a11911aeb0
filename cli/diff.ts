/**
 * `diff <recipe> <recipe>`: what distinguishes two methods. A side is a recipe's id, a JSON file with a recipe, or a run, which
 * stands for what it was resolved to (all options filled in).
 */
import { readFileSync } from 'node:fs';
import { nearest } from '../schemas/nearest.ts';
import { Recipe } from '../schemas/recipe.ts';
import { recipeDifference } from '../schemas/recipe-difference.ts';
import { readRun, runIds } from './document.ts';
import { CliError, EXIT } from './exit.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { resolvedRun } from './recorded.ts';
import { names, recipeById } from './registry.ts';
import { clean } from './terminal.ts';

async function recipeOf(context: Context, name: string): Promise<Recipe> {
  const known = recipeById(name);
  if (known) return known;
  if (/\.json$|[/\\]/.test(name)) {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(name, 'utf8'));
    } catch (error) {
      throw new CliError(
        EXIT.input,
        'InvalidInput',
        `cannot read ${name}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    const parsed = Recipe.safeParse(value);
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`);
    throw new CliError(EXIT.input, 'InvalidInput', `${name} is no recipe: ${problems.join('; ')}`);
  }
  const store = await readStore(context.home);
  const document = store && (await readRun(store, name));
  if (document) return resolvedRun(document).resolved.recipe;
  const choices = [...names().recipes, ...(store ? await runIds(store) : [])];
  const near = nearest(name, choices);
  throw new CliError(
    EXIT.input,
    'InvalidInput',
    `there is no recipe, file or run '${name}'${near === undefined ? '' : `; did you mean '${near}'?`} Recipes: ${names().recipes.join(', ')}`,
    { found: name, nearest: near ?? null, allowed: names().recipes },
  );
}

export async function diff(context: Context, left: string, right: string): Promise<number> {
  const { terminal } = context;
  const changes = recipeDifference(await recipeOf(context, left), await recipeOf(context, right));
  if (terminal.json) terminal.document({ left, right, changes });
  else if (changes.length === 0) terminal.say('no difference');
  else {
    terminal.say(`- ${left}\n+ ${right}`);
    for (const change of changes) {
      terminal.say(change.path);
      if ('left' in change) terminal.say(clean(`  - ${JSON.stringify(change.left)}`));
      if ('right' in change) terminal.say(clean(`  + ${JSON.stringify(change.right)}`));
    }
  }
  return EXIT.ok;
}
