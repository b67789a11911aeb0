/**
 * The controls of any recipe: the same graph with one thing taken away, so that what is left tells what that thing gave.
 *
 *   controlOf(star, 'unfiltered')   →  recipe `star-unfiltered`; `startrail run star-unfiltered`, or `run star --control unfiltered`
 *
 * What each takes away and what it is asked: recipes/control-texts.ts.
 *
 * Steps, batch and schedule stay those of the recipe. Pure; sources: arXiv:2203.14465 §3 and §5 (what the filter and the hint are for).
 */
import { CARRIED } from '../schemas/port-values.ts';
import { readersOf, Recipe, stagesRead } from '../schemas/recipe.ts';
import type { RecipeStage } from '../schemas/recipe.ts';

type Stages = Record<string, RecipeStage>;
type Change = (stages: Stages, recipe: Recipe) => Partial<Pick<Recipe, 'carry'>> & { stages: Stages };

const namesOf = (stages: Stages, ...kinds: string[]): string[] =>
  Object.keys(stages).filter((name) => kinds.includes((stages[name] as RecipeStage).use));

/** Every wire, through `change`. */
const rewired = (stages: Stages, change: (ref: string, stage: string) => string): Stages =>
  Object.fromEntries(
    Object.entries(stages).map(([name, stage]) => {
      const wire = (ref: string) => change(ref, name);
      const wires = Object.entries(stage.in).map(([port, refs]) => [
        port,
        Array.isArray(refs) ? refs.map(wire) : wire(refs),
      ]);
      return [name, { ...stage, in: Object.fromEntries(wires) as RecipeStage['in'] }];
    }),
  );

const withOptions = (stages: Stages, kind: string, options: Record<string, unknown>): Stages =>
  Object.fromEntries(
    Object.entries(stages).map(([name, stage]) => [
      name,
      stage.use === kind ? { ...stage, with: { ...stage.with, ...options } } : stage,
    ]),
  );

/** Kinds that learn which of a problem's rationales are right, and which wrong. */
const LABELLING = ['pairs', 'reward', 'reward-model'];

const CHANGES: Record<string, Change> = {
  unfiltered: (stages) => {
    const sampled = namesOf(stages, 'generate', 'rationalize');
    const any = new Map(namesOf(stages, 'select').map((name, index) => [name, index === 0 ? 'any' : `any-${name}`]));
    const own = Object.fromEntries(
      [...any].map(([kept, name]) => [name, { use: 'unfiltered' as const, in: { rationales: sampled, like: kept } }]),
    );
    return { stages: { ...rewired(stages, (ref) => any.get(ref) ?? ref), ...own } };
  },
  'shuffled-gold': (stages) => ({ stages: withOptions(stages, 'draw', { gold: 'shuffled' }) }),
  'seeds-only': (stages) => ({
    stages: Object.fromEntries(
      Object.entries(stages).map(([name, stage]) => {
        const { examples: _, ...rest } = stage.in;
        return [name, stage.use === 'fine-tune' ? { ...stage, in: { ...rest, seeds: '$seeds' } } : stage];
      }),
    ),
  }),
  'hint-only': (stages) => {
    const drawn = namesOf(stages, 'draw');
    const hinted = namesOf(stages, 'rationalize');
    const judged = namesOf(stages, 'verify').filter((name) => hinted.includes(stages[name]?.in.rationales as string));
    const changed = Object.entries(stages).map(([name, stage]) => {
      if (stage.use === 'rationalize') return [name, { ...stage, in: { ...stage.in, problems: drawn[0] ?? '' } }];
      if (stage.use !== 'select') return [name, stage];
      const rationales = [stage.in.rationales ?? []].flat().filter((ref) => judged.includes(ref.split('.')[0] ?? ''));
      return [name, { ...stage, in: { ...stage.in, rationales } }];
    });
    return { stages: Object.fromEntries(changed) as Stages };
  },
  untrained: (stages, { carry }) => {
    const trained = namesOf(stages, 'fine-tune');
    const base = (ref: string) => (trained.includes(ref.split('.')[0] ?? '') ? '$base' : ref);
    const evaluated = withOptions(rewired(stages, base), 'evaluate', { again: 1 });
    return { stages: evaluated, carry: { ...carry, model: base(carry.model) } };
  },
  'shuffled-labels': (stages) => ({
    stages: LABELLING.reduce((changed, kind) => withOptions(changed, kind, { labels: 'shuffled' }), stages),
  }),
  pause: (stages) => ({ stages: withOptions(stages, 'think', { thoughts: 'pause' }) }),
  silent: (stages) => ({ stages: withOptions(stages, 'think', { thoughts: 'none' }) }),
  'random-tools': (stages) => ({ stages: withOptions(stages, 'evaluate', { toolOutput: 'random' }) }),
};

export const CONTROLS: readonly string[] = Object.keys(CHANGES);

/** What a recipe must have for a control to say something. */
const NEEDS: Record<string, (has: (...kinds: string[]) => boolean, stages: Stages) => boolean> = {
  unfiltered: (has) => has('select'),
  'shuffled-gold': (has) => has('draw') && has('verify'),
  // Seeds have no rewards: beside an objective that learns by them this would be another method, not less of the same.
  'seeds-only': (has, stages) => has('fine-tune') && !Object.values(stages).some((stage) => stage.with?.objective),
  'hint-only': (has) => has('rationalize'),
  untrained: (has) => has('fine-tune'),
  'shuffled-labels': (has) => has(...LABELLING),
  pause: (has) => has('think'),
  silent: (has) => has('think'),
  'random-tools': (_, stages) => Object.values(stages).some(({ use, with: of }) => use === 'evaluate' && of?.tools),
};

/** Controls that mean something for this recipe. */
export const controlsFor = ({ stages }: Recipe): string[] =>
  CONTROLS.filter((name) => NEEDS[name]?.((...kinds) => namesOf(stages, ...kinds).length > 0, stages));

/** The control's recipe; stages that nothing reads any more are gone from it. Throws Error where `controlsFor` does not name it. */
export function controlOf(recipe: Recipe, name: string): Recipe {
  if (!controlsFor(recipe).includes(name))
    throw new Error(`recipe ${recipe.id} has no control '${name}'; it has ${controlsFor(recipe).join(', ') || 'none'}`);
  const { stages, carry } = { carry: recipe.carry, ...(CHANGES[name] as Change)(recipe.stages, recipe) };
  const needed = new Set<string>();
  const need = (stage: string) => {
    if (needed.has(stage) || stages[stage] === undefined) return;
    needed.add(stage);
    for (const one of stagesRead(stages[stage])) need(one);
  };
  const needOf = (ref: string) => need(ref.split('.')[0] ?? '');
  for (const ref of [carry.model, recipe.stop.plateau, ...namesOf(stages, 'rank', 'perplexity')]) needOf(ref);
  const read: Partial<Recipe['carry']> = {};
  // Only where what is left still reads it.
  for (const what of CARRIED) {
    const ref = carry[what];
    if (ref === undefined || !readersOf({ stages }, `$${what}`).some((stage) => needed.has(stage))) continue;
    read[what] = ref;
    needOf(ref);
  }
  return Recipe.parse({
    ...recipe,
    id: `${recipe.id}-${name}`,
    source: `control of ${recipe.id} (${recipe.source})`,
    stages: Object.fromEntries(Object.entries(stages).filter(([stage]) => needed.has(stage))),
    carry: { model: carry.model, ...read },
  });
}
