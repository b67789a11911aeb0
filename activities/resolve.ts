/**
 * resolve: turns what was asked for into what will be run. Looks up names, fills defaults, checks everything that can be
 * checked, pins digests and the engine's fingerprint. What it returns stands in history, so a replay never depends on
 * today's defaults. Bad input fails at once as `InvalidInput` with every field that is wrong, before an engine is started.
 */
import { tokenizerSize } from '../schemas/checkpoint.ts';
import { shapeFault } from '../schemas/decoder-shape.ts';
import { notCalled } from '../schemas/nearest.ts';
import { checkRecipe, Recipe } from '../schemas/recipe.ts';
import { checkAdapters, checkObjectives } from '../schemas/recipe-options.ts';
import type { HeldOut, ResolvedRun, RunInput } from '../schemas/run.ts';
import { RunId } from '../schemas/run.ts';
import type { Problem } from '../schemas/problem.ts';
import type { RunContext } from '../schemas/run-context.ts';
import type { PretrainedModel, Rows } from '../schemas/port-values.ts';
import type { Store } from '../store/store.ts';
import { writeRows } from '../store/rows.ts';
import { tokenizerOf } from '../tasks/task.ts';
import type { Task } from '../tasks/task.ts';
import { checkEngine, checkTools } from './check-engine.ts';
import type { Dependencies } from './dependencies.ts';
import { fieldsOf, invalidInput, rethrow } from './failures.ts';
import type { FieldProblem } from './failures.ts';
import { fillOptions } from './options.ts';
import type { Filled } from './options.ts';
import { snapshotDataset } from './dataset.ts';
import { snapshotProblems, taskOfRun } from './problem-source.ts';
import { seedOf } from './seed.ts';
import { implementationOf } from './shard.ts';
import { canonicalJson } from '../schemas/canonical.ts';

export interface Plan {
  recipe: Recipe;
  task: Task;
  parameters: Record<string, unknown>;
  engine: string;
  /** The model that the run starts from, where it is not made from scratch. */
  pretrained: PretrainedModel | undefined;
  vocabSize: number;
  filled: Filled;
}

/** The pretrained model that an input names. Throws InvalidInput; EngineError where its files are at fault. */
export async function modelOf(
  { models }: Pick<Dependencies, 'models'>,
  { model }: RunInput,
): Promise<PretrainedModel | undefined> {
  if (model === undefined) return undefined;
  if (!models?.names.includes(model))
    throw invalidInput([
      { field: 'model', message: notCalled('pretrained model on this worker', model, models?.names ?? []) },
    ]);
  return { pretrained: model, ...(await models.inspect(model)) };
}

/** Everything about an input that can be known without an engine or a store. Throws InvalidInput. */
export function planRun(
  deps: Pick<Dependencies, 'recipe' | 'recipeIds' | 'task' | 'taskIds' | 'engineNames' | 'defaultEngine'>,
  input: RunInput,
  pretrained?: PretrainedModel,
): Plan {
  const problems: FieldProblem[] = [];
  const unknown = (field: string, found: string, what: string, choices: string[]) =>
    problems.push({ field, message: notCalled(what, found, choices) });
  const recipe = findRecipe(deps, input.recipe, problems, unknown);
  const task = deps.task(input.task);
  if (!task) unknown('task', input.task, 'task', deps.taskIds);
  const engine = input.engine ?? deps.defaultEngine;
  if (!deps.engineNames.includes(engine)) unknown('engine', engine, 'engine on this worker', deps.engineNames);

  const set = { ...input.set };
  const asked: Record<string, unknown> = { ...input.parameters };
  for (const path of Object.keys(set).filter((key) => key.startsWith('parameters.'))) {
    asked[path.slice('parameters.'.length)] = set[path];
    delete set[path];
  }
  if (!task || !recipe) throw invalidInput(problems);
  if (!task.tokenizer && !pretrained)
    throw invalidInput([
      ...problems,
      { field: 'model', message: `task ${task.id} needs a pretrained model; give --model <name>` },
    ]);
  const parsed = task.parameters.safeParse(asked);
  if (!parsed.success) throw invalidInput([...problems, ...fieldsOf(parsed.error, ['parameters'])]);
  const parameters = parsed.data as Record<string, unknown>;
  const options = fillOptions({
    recipe,
    defaults: task.defaults(recipe, parameters),
    pretrained: pretrained?.config,
    iterations: input.iterations,
    shardSize: input.shardSize,
    set,
  });
  problems.push(...options.problems);
  const { filled } = options;
  if (filled) {
    problems.push(...checkFilled(filled));
    problems.push(...checkForms(task, filled.recipe));
    problems.push(...(task.check?.(parameters, { contextTokens: filled.model.context }) ?? []));
  }
  if (!filled || problems.length > 0) throw invalidInput(problems);
  const vocabSize = pretrained?.config.vocabSize ?? tokenizerSize(tokenizerOf(task, parameters));
  return { recipe, task, parameters, engine, pretrained, vocabSize, filled };
}

function findRecipe(
  deps: Pick<Dependencies, 'recipe' | 'recipeIds'>,
  asked: RunInput['recipe'],
  problems: FieldProblem[],
  unknown: (field: string, found: string, what: string, choices: string[]) => void,
): Recipe | undefined {
  if (typeof asked === 'string') {
    const recipe = deps.recipe(asked);
    if (!recipe) unknown('recipe', asked, 'recipe', deps.recipeIds);
    return recipe;
  }
  const parsed = Recipe.safeParse(asked);
  if (!parsed.success) {
    problems.push(...fieldsOf(parsed.error, ['recipe']));
    return undefined;
  }
  const found = checkRecipe(parsed.data);
  problems.push(
    ...found.map(({ field, message }) => ({ field: `recipe.${field}`, message: `RecipeInvalid: ${message}` })),
  );
  return found.length === 0 ? parsed.data : undefined;
}

function checkModel({ model }: Filled): FieldProblem[] {
  const fault = shapeFault(model);
  return fault === null ? [] : [{ field: `model.${fault.field}`, message: fault.message }];
}

/** What options contradict together, though each of them alone is right. Pure. */
export function checkFilled(filled: Filled): FieldProblem[] {
  const problems = [...checkModel(filled), ...checkAdapters(filled.recipe), ...checkObjectives(filled.recipe)];
  if (filled.base.adapter !== undefined)
    problems.push({
      field: 'base.adapter',
      message: 'the base is trained whole; give adapter to a stage that starts from $base',
    });
  if (filled.base.objective !== undefined)
    problems.push({
      field: 'base.objective',
      message: 'the base is trained on its seeds, which have no rewards; give objective to a stage that reads samples',
    });
  return problems;
}

/** A form of text that the task does not declare. Pure. */
function checkForms(task: Task, recipe: Recipe): FieldProblem[] {
  const costed = Object.keys(recipe.stages).find((name) => recipe.stages[name]?.use === 'perplexity');
  if (costed !== undefined && !task.parts)
    return [
      {
        field: 'task',
        message: `task ${task.id} does not say of which kinds its text is (parts), which stage ${costed} of ${recipe.id} needs; take one that does, e.g. hidden-steps`,
      },
    ];
  if (task.prompt.direct) return [];
  return Object.entries(recipe.stages).flatMap(([name, { use, with: options }]) => {
    const direct = /^direct/.test(String(options?.prompt));
    if (use !== 'answers' && !direct) return [];
    const asked = direct ? `stages.${name}.with.prompt` : 'recipe';
    const message = `task ${task.id} does not say how an answer is given without a rationale (prompt.direct), which stage ${name} of ${recipe.id} needs`;
    return [{ field: asked, message }];
  });
}

/** Those with the lowest hashes of their identities, in their order. */
function atMost(problems: Problem[], count: number | undefined): Problem[] {
  if (count === undefined || problems.length <= count) return problems;
  const placeOf = ({ identity }: Problem) => seedOf('held out', identity);
  const last = problems.map(placeOf).sort()[count - 1] as string;
  return problems.filter((problem) => placeOf(problem) <= last).slice(0, count);
}

/** Writes what a run's sources stand for; the same bytes each time, so it also restores them when they are damaged. */
export async function writeSources(
  store: Store,
  task: Task,
  parameters: unknown,
  runSeed: number,
  heldOut: HeldOut = {},
): Promise<{ seeds: Rows; dev: Rows; test: Rows }> {
  const whole = async (rows: unknown[]): Promise<Rows> => ({
    shards: [await writeRows(store, rows)],
    rows: rows.length,
  });
  return {
    seeds: await whole(task.seeds(parameters, seedOf(runSeed, 'seeds'))),
    dev: await whole(atMost(task.heldOut('dev', parameters), heldOut.dev)),
    test: await whole(atMost(task.heldOut('test', parameters), heldOut.test)),
  };
}

/** The graph that makes iteration 0: a base trained from scratch on the seed triples, or imported, and its evaluation in the recipe's form. */
export function prepareRecipe(filled: Filled, pretrained: boolean): Recipe {
  const scored = filled.recipe.stop.plateau.split('.')[0] as string;
  // What is to be evaluated again has to have been evaluated once.
  const { again: _, ...evaluation } = filled.recipe.stages[scored]?.with ?? {};
  return {
    id: 'prepare',
    source: '',
    stages: {
      base: pretrained
        ? { use: 'import', in: { from: '$fresh' }, with: {} }
        : { use: 'fine-tune', in: { seeds: '$seeds', from: '$fresh' }, with: filled.base },
      [scored]: {
        use: 'evaluate',
        in: { model: 'base', dev: '$dev', test: '$test' },
        with: evaluation,
      },
    },
    carry: { model: 'base' },
    stop: filled.recipe.stop,
    judging: filled.recipe.judging,
  };
}

export const resolve =
  (deps: Dependencies) =>
  async (input: RunInput, runId: string): Promise<ResolvedRun> => {
    try {
      if (!RunId.safeParse(runId).success)
        throw invalidInput([
          { field: 'workflowId', message: `"${runId}" can't name a run; use letters, digits, dots, dashes` },
        ]);
      const { task, parameters, engine, pretrained, vocabSize, filled } = planRun(
        deps,
        input,
        await modelOf(deps, input),
      );
      const chosen = deps.engine(engine) as NonNullable<ReturnType<Dependencies['engine']>>;
      const cannot = checkEngine(engine, chosen, filled.recipe);
      if (cannot.length > 0) throw invalidInput(cannot.slice(0, 1));
      const withTools = checkTools(task, filled.recipe, engine, chosen.tools ?? []);
      if (withTools.length > 0) throw invalidInput(withTools);
      const price = deps.price?.(engine);
      if (filled.recipe.stop.budget?.money !== undefined && !price)
        throw invalidInput([
          {
            field: 'stop.budget.money',
            message: `engine ${engine} has no price; declare one in temporal.config.ts (engines.${engine}.price), or give the budget in tokens or wallMinutes`,
          },
        ]);
      const source = input.problems && (await snapshotProblems(deps, task, input.problems, input.gate ?? false));
      const dataset = source ? undefined : await snapshotDataset(deps, task, parameters);
      const seen = await taskOfRun(deps.store, task, { source, dataset, ...(input.gate && { gate: true as const }) });
      const sources = await writeSources(deps.store, seen, parameters, input.seed, filled.heldOut);
      const { fingerprint, deterministic } = await chosen.describe();
      const context: RunContext = {
        runId,
        recipe: filled.recipe.id,
        seed: input.seed,
        task: task.id,
        parameters,
        engine,
        fingerprint,
        deterministic,
        ...(input.gate && { gate: true as const }),
        ...(Object.keys(filled.heldOut).length > 0 && { heldOut: filled.heldOut }),
        ...(source && { source }),
        ...(dataset && { dataset }),
        implementation: await implementationOf(task),
      };
      return {
        context,
        recipe: filled.recipe,
        prepare: prepareRecipe(filled, pretrained !== undefined),
        iterations: filled.iterations,
        shardSize: filled.shardSize,
        onFailure: input.onFailure,
        ...(price && { price }),
        fresh: pretrained ?? { fresh: { ...filled.model, vocabSize }, tokenizer: tokenizerOf(task, parameters) },
        ...sources,
        shardsInFlight: deps.shardsInFlight,
        fanOutAbove: deps.fanOutAbove,
        rules: deps.rules,
        origins: await deps.store.put(canonicalJson(filled.origins)),
        ...(deps.searchAttributes && { searchAttributes: true as const }),
        ...(deps.bundle !== undefined && { bundle: deps.bundle }),
      };
    } catch (error) {
      rethrow(error);
    }
  };
