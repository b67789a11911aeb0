/**
 * The recipes that ship, and the controls of each (recipes/controls.ts). A method is a file: add one here and it can be run by
 * its name.
 */
import type { Recipe } from '../schemas/recipe.ts';
import adaStar from './ada-star.ts';
import bStar from './b-star.ts';
import { controlOf, controlsFor } from './controls.ts';
import directFineTune from './direct-fine-tune.ts';
import expertIteration from './expert-iteration.ts';
import fewShotCot from './few-shot-cot.ts';
import fewShotDirect from './few-shot-direct.ts';
import refit from './refit.ts';
import quietStar from './quiet-star.ts';
import leanStar from './lean-star.ts';
import restEm from './rest-em.ts';
import rft from './rft.ts';
import rlStar from './rl-star.ts';
import seedsOnly from './seeds-only.ts';
import start from './start.ts';
import startWithoutTools from './start-without-tools.ts';
import starPaper from './star-paper.ts';
import starSampled from './star-sampled.ts';
import starSql from './star-sql.ts';
import starWithoutHints from './star-without-hints.ts';
import star from './star.ts';
import vStar from './v-star.ts';
import vStarReward from './v-star-reward.ts';

const shipped = [star, starWithoutHints, starSampled, starSql, starPaper, rft, restEm, expertIteration, vStar].concat([
  vStarReward,
  rlStar,
  refit,
  quietStar,
  start,
  startWithoutTools,
  adaStar,
  leanStar,
  bStar,
  seedsOnly,
  fewShotDirect,
  fewShotCot,
  directFineTune,
]);
const recipes = new Map<string, Recipe>(shipped.map((recipe) => [recipe.id, recipe]));
const controls = new Map<string, Recipe>(
  shipped.flatMap((recipe) => controlsFor(recipe).map((name) => [`${recipe.id}-${name}`, controlOf(recipe, name)])),
);

export const recipeById = (id: string): Recipe | undefined => recipes.get(id) ?? controls.get(id);
export const recipeIds = (): string[] => [...recipes.keys()];
/** e.g. `star-unfiltered`: each control of each recipe that ships. */
export const controlIds = (): string[] => [...controls.keys()];
