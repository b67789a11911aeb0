/** Names of recipes and tasks: what `run` can be asked for. */
import { controlIds, recipeById, recipeIds } from '../recipes/index.ts';
import { taskIds } from '../tasks/index.ts';

export interface Names {
  recipes: string[];
  /** Ids of their controls; known, but too many to list. */
  controls: string[];
  tasks: string[];
}
export const names = (): Names => ({ recipes: recipeIds(), controls: controlIds(), tasks: taskIds() });
export { recipeById };
