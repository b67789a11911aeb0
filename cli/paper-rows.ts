/**
 * The rows of the paper's tables (arXiv:2203.14465, tables 1 and 2) as run inputs: which of them a task can have, under which
 * id each runs, and whether a run that is there under that id is the one that is asked for. Pure.
 */
import { canonicalJson } from '../schemas/canonical.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { RunDocument, RunInput } from '../schemas/run.ts';
import { isFinal } from '../schemas/run.ts';
import type { Task } from '../tasks/task.ts';
import { CliError, EXIT } from './exit.ts';
import { runInput } from './input.ts';
import type { Names } from './registry.ts';

export interface PaperOptions {
  model?: string;
  engine?: string;
  seed?: number;
  iterations?: number;
  limit?: number;
  name?: string;
  set?: [string, unknown][];
  dryRun?: boolean;
}

export interface PaperRow {
  recipe: string;
  /** Why the task has no such row; null = it has. */
  lacks: string | null;
}

/** A published file's test split is far more than a small model on two cores can be asked within hours. */
const DATASET_LIMIT = 200;

/** In the paper's order; the control `seeds-only` stands where there is no few-shot base to begin from. */
export function paperRows(task: Task, model: string | undefined): PaperRow[] {
  const noShots =
    model === undefined
      ? 'a model made from scratch knows the seed triples alone, so it is shown no examples; --model <name> starts from a pretrained one'
      : task.prompt.shots
        ? null
        : `task ${task.id} has no worked examples (prompt.shots)`;
  const noDirect = task.prompt.direct
    ? null
    : `task ${task.id} does not say how an answer is given without a rationale (prompt.direct)`;
  return [
    { recipe: 'few-shot-direct', lacks: noShots ?? noDirect },
    { recipe: 'few-shot-cot', lacks: noShots },
    ...(noShots === null ? [] : [{ recipe: 'seeds-only', lacks: null }]),
    { recipe: 'direct-fine-tune', lacks: noDirect },
    { recipe: 'star-without-hints', lacks: null },
    { recipe: 'star', lacks: null },
  ];
}

export const limitOf = (task: Task, { limit }: PaperOptions): number | undefined =>
  limit ?? (task.dataset ? DATASET_LIMIT : undefined);

const stageIn = (path: string): string | undefined => /^stages\.([^.]+)\./.exec(path)?.[1];

/** A stage's option goes to the recipes that have the stage; one that none of them has to the last, which refuses it by name. */
function settingsFor(recipe: Recipe, all: Recipe[], set: [string, unknown][]): [string, unknown][] {
  return set.filter(([path]) => {
    const stage = stageIn(path);
    if (stage === undefined || stage in recipe.stages) return true;
    return recipe === all.at(-1) && !all.some(({ stages }) => stage in stages);
  });
}

/** Throws InvalidInput, as `run` does. */
export function rowInput(recipe: Recipe, all: Recipe[], task: Task, options: PaperOptions, names: Names): RunInput {
  const stages = Object.entries(recipe.stages);
  const limit = limitOf(task, options);
  const drawn = stages.filter(([, { use }]) => use === 'draw').map(([name]) => `stages.${name}.with.count`);
  const own = settingsFor(recipe, all, options.set ?? []);
  const sizes = limit === undefined ? [] : [...drawn, 'heldOut.dev', 'heldOut.test'];
  const limits = sizes.filter((path) => own.every(([given]) => given !== path)).map((path) => [path, limit] as const);
  const { model, engine, seed } = options;
  return runInput(
    recipe.id,
    {
      task: task.id,
      // A failed row must not keep the others waiting; called again, the memo has what it did.
      onFailure: 'fail',
      set: [...limits.map(([path, value]): [string, unknown] => [path, value]), ...own],
      ...(model !== undefined && { model }),
      ...(engine !== undefined && { engine }),
      ...(seed !== undefined && { seed }),
      // Without training there is nothing to iterate.
      ...(options.iterations !== undefined &&
        stages.some(([, { use }]) => use === 'fine-tune') && { iterations: options.iterations }),
    },
    names,
  );
}

/** What all ids of one table begin with: `paper-<task>[-<model>]-s<seed>[-i<iterations>][-n<limit>]`. */
export function paperName(task: Task, options: PaperOptions): string {
  if (options.name !== undefined) return options.name;
  const limit = limitOf(task, options);
  const parts = [
    'paper',
    task.id,
    options.model?.replace(/[^A-Za-z0-9._-]/g, '-'),
    `s${options.seed ?? 1}`,
    options.iterations === undefined ? undefined : `i${options.iterations}`,
    limit === undefined ? undefined : `n${limit}`,
  ];
  return parts.filter((part) => part !== undefined).join('-');
}

/** Run ids of a row in the order in which they are tried: `<name>-<recipe>`, then -2, -3, … (an id can't be used twice). */
export const rowId = (name: string, recipe: string, attempt: number): string =>
  `${name.slice(0, 75)}-${recipe}${attempt === 1 ? '' : `-${attempt}`}`;

/** A run that ended, but not well: the next attempt takes another id and begins with what the memo has. */
export const endedBadly = ({ status }: RunDocument): boolean => isFinal(status) && status !== 'done';

function asked({ onFailure: _, parameters, set, ...rest }: RunInput): Map<string, string> {
  const flat = {
    ...rest,
    ...Object.fromEntries(Object.entries(parameters).map(([key, value]) => [`parameters.${key}`, value])),
    ...Object.fromEntries(Object.entries(set).map(([key, value]) => [`set ${key}`, value])),
  };
  return new Map(
    Object.entries(flat)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, canonicalJson(value)]),
  );
}

/** Throws RunDiffers where the run under a row's id was asked for with other options. */
export function checkSame({ runId, input: before }: Pick<RunDocument, 'runId' | 'input'>, input: RunInput): void {
  const [there, here] = [asked(before), asked(input)];
  const fields = [...new Set([...there.keys(), ...here.keys()])].filter((key) => there.get(key) !== here.get(key));
  if (fields.length === 0) return;
  const told = fields.map((key) => `${key} is ${there.get(key) ?? 'absent'} there, ${here.get(key) ?? 'absent'} here`);
  throw new CliError(
    EXIT.input,
    'RunDiffers',
    `run ${runId} was made with other options (${told.join('; ')}): ask as then, or give --name <name> for a table of its own; what both have in common is not done again`,
    { runId, fields },
  );
}
