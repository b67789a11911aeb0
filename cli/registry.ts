/** Names of recipes and tasks: what `run` can be asked for. */
import { recipeById, recipeIds } from '../recipes/index.ts';
import { taskIds } from '../tasks/index.ts';

export interface Names {
  recipes: string[];
  tasks: string[];
}
export const names = (): Names => ({ recipes: recipeIds(), tasks: taskIds() });
export { recipeById };
