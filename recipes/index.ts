/** The recipes that ship. A method is a file: add one here and it can be run by its name. */
import type { Recipe } from '../schemas/recipe.ts';
import directFineTune from './direct-fine-tune.ts';
import fewShotCot from './few-shot-cot.ts';
import fewShotDirect from './few-shot-direct.ts';
import seedsOnly from './seeds-only.ts';
import starPaper from './star-paper.ts';
import starWithoutHints from './star-without-hints.ts';
import starUnfiltered from './star-unfiltered.ts';
import star from './star.ts';

const recipes = new Map<string, Recipe>(
  [star, starWithoutHints, starUnfiltered, seedsOnly, starPaper, fewShotDirect, fewShotCot, directFineTune].map(
    (recipe) => [recipe.id, recipe],
  ),
);

export const recipeById = (id: string): Recipe | undefined => recipes.get(id);
export const recipeIds = (): string[] => [...recipes.keys()];
