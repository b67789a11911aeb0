/**
 * What a stage's options ask of its wires: adapters rest on the base, objectives read samples. Checked when options are filled in.
 *
 *   checkObjectives(recipe)   →  [{ field: 'stages.next.in.sampler', message: 'next learns by rewards (grpo) and needs sampler; …' }]
 */
import type { Recipe, RecipeProblem, RecipeStage } from './recipe.ts';
import { TRAINING } from './stage.ts';
import type { PolicyObjective } from './stage-options.ts';

/** An adapter is fresh in every fine-tune and rests on one whole, frozen model: the run's base. Options filled in. Pure. */
export function checkAdapters(recipe: Recipe): RecipeProblem[] {
  return Object.entries(recipe.stages).flatMap(([name, { use, in: inputs, with: options }]) =>
    TRAINING.has(use) && options?.adapter !== undefined && inputs.from !== '$base'
      ? [
          {
            field: `stages.${name}.with.adapter`,
            message: `an adapter rests on the run's base, but ${name}.from reads ${String(inputs.from)}; wire it to $base or leave adapter out`,
          },
        ]
      : [],
  );
}

const CURES: Record<string, string> = {
  samples: "a 'reward' stage",
  sampler: 'the model that the samples come from',
  reference: 'the model to stay near, e.g. $base',
};
/** Options and ports that say something only where an objective is named. */
const OF_OBJECTIVES = { options: ['baseline', 'clip', 'kl'], ports: Object.keys(CURES) };

/** What an objective reads is wired, and nothing else. Options filled in. Pure. */
export function checkObjectives(recipe: Recipe): RecipeProblem[] {
  return Object.entries(recipe.stages).flatMap(([name, stage]) =>
    stage.use === 'fine-tune'
      ? faultsOf(name, stage).map(({ field, message }) => ({ field: `stages.${name}.${field}`, message }))
      : [],
  );
}

function faultsOf(name: string, { in: inputs, with: options = {} }: RecipeStage): RecipeProblem[] {
  const objective = options.objective as PolicyObjective | undefined;
  const wired = (port: string) => inputs[port] !== undefined;
  const given = (option: string) => options[option] !== undefined;
  if (objective === undefined) {
    const cure = `give ${name} the objective reinforce or grpo, or leave it out`;
    return [
      ...OF_OBJECTIVES.ports.filter(wired).map((port) => [`in.${port}`, port]),
      ...OF_OBJECTIVES.options.filter(given).map((option) => [`with.${option}`, option]),
    ].map(([field = '', what]) => ({ field, message: `${what} is read by an objective alone; ${cure}` }));
  }
  const learns = `${name} learns by rewards (${objective})`;
  const needed = ['samples', ...(objective === 'grpo' ? ['sampler'] : []), ...(given('kl') ? ['reference'] : [])];
  const strange = objective === 'grpo' ? ['baseline'] : ['clip'];
  return [
    ...needed
      .filter((port) => !wired(port))
      .map((port) => ({ field: `in.${port}`, message: `${learns} and needs ${port}; wire it to ${CURES[port]}` })),
    ...['examples', 'seeds']
      .filter(wired)
      .map((port) => ({ field: `in.${port}`, message: `${learns}, and ${port} have none; take the wire away` })),
    ...strange
      .filter(given)
      .map((option) => ({ field: `with.${option}`, message: `${objective} has no ${option}; leave it out` })),
  ];
}
