/**
 * From a command line to a RunInput, or one sentence about what is wrong with it. Nothing is started here.
 *
 *   run star --task addition --seed 3 --set stages.free.with.temperature=0.7 --set parameters.digits=4
 */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { nearest } from '../schemas/nearest.ts';
import { RunId, RunInput } from '../schemas/run.ts';
import { CliError, EXIT } from './exit.ts';
import type { Names } from './registry.ts';

export interface RunOptions {
  task?: string;
  recipe?: string;
  control?: string;
  iterations?: number;
  seed?: number;
  shardSize?: number;
  runId?: string;
  set?: [string, unknown][];
  onFailure?: 'wait' | 'fail';
  engine?: string;
  model?: string;
}

const DEFAULTS = { task: 'addition', recipe: 'star' };

/** For commander: an integer of at least `least`. */
export const integer =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || !Number.isSafeInteger(value))
      throw new InvalidArgumentError('Expected an integer.');
    if (value < least) throw new InvalidArgumentError(`Expected an integer of at least ${least}.`);
    return value;
  };

/** For commander: `1,2,3`, each once. */
export function seedList(text: string): number[] {
  return [...new Set(text.split(',').map((one) => integer(0)(one)))];
}

/** For commander. */
export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

/** For commander: `0.2,0,-0.01`. */
export const numberList = (text: string): number[] => text.split(',').map(decimal);

/** For commander: `a,b`, each once. */
export const wordList = (text: string): string[] => [...new Set(text.split(',').map((word) => word.trim()))];

/** For commander: `path=value`, the value as JSON, or else as the string it is. */
export function setting(text: string, before: [string, unknown][] = []): [string, unknown][] {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  if (at < 1 || !/^[A-Za-z$][\w$-]*(\.[\w$-]+)*$/.test(name))
    throw new InvalidArgumentError('Expected path=value, e.g. stages.free.with.temperature=0.7.');
  const raw = text.slice(at + 1);
  let value: unknown = raw;
  try {
    value = JSON.parse(raw);
  } catch {
    // A plain string.
  }
  return [...before, [name, value]];
}

export function runIdArgument(text: string): string {
  const parsed = RunId.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(`A run id: ${parsed.error.issues[0]?.message ?? 'invalid'}.`);
  return text;
}

const bad = (message: string, details: unknown = null) => new CliError(EXIT.input, 'InvalidInput', message, details);

function unknownName(kind: string, found: string, choices: string[], unlisted: string[] = []): CliError {
  const near = nearest(found, [...choices, ...unlisted]);
  return bad(
    `there is no ${kind} '${found}'${near === undefined ? '.' : `; did you mean '${near}'?`} There are: ${choices.join(', ')}`,
    { field: kind, found, nearest: near ?? null, allowed: choices },
  );
}

function readFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw bad(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`${file}: expected a run's input ({"recipe", "task", …}) or a recipe ({"id", "stages", …})`);
  // A recipe has stages, an input names its recipe.
  if ('stages' in value && !('recipe' in value)) return { recipe: value };
  return value as Record<string, unknown>;
}

const isRecipe = (id: string, { recipes, controls }: Names): boolean => recipes.includes(id) || controls.includes(id);

/** `--control unfiltered` of `star` is the recipe `star-unfiltered`. */
function controlId(recipe: RunInput['recipe'], control: string, { controls }: Names): string {
  if (typeof recipe !== 'string')
    throw bad('--control wants a recipe that ships; of one in a file, write the control as a file of its own');
  const id = `${recipe}-${control}`;
  const own = controls.filter((one) => one.startsWith(`${recipe}-`)).map((one) => one.slice(recipe.length + 1));
  if (!controls.includes(id)) throw unknownName(`control of ${recipe}`, control, own);
  return id;
}

/** What the first argument means, before options go over it. */
function target(name: string, options: RunOptions, names: Names): Record<string, unknown> {
  if (isRecipe(name, names)) {
    if (options.recipe !== undefined && options.recipe !== name)
      throw bad(`'${name}' and --recipe ${options.recipe} contradict each other`);
    return { recipe: name };
  }
  if (names.tasks.includes(name)) {
    if (options.task !== undefined && options.task !== name)
      throw bad(`'${name}' and --task ${options.task} contradict each other`);
    return { task: name };
  }
  if (/\.json$|[/\\]/.test(name)) return readFile(name);
  throw unknownName('recipe or task', name, [...names.recipes, ...names.tasks], names.controls);
}

/** Throws InvalidInput (exit 2) naming the field, what was found and what is allowed. */
export function runInput(name: string, options: RunOptions, names: Names): RunInput {
  const from = target(name, options, names);
  const parameters: Record<string, unknown> = {};
  const set: Record<string, unknown> = {};
  for (const [path, value] of options.set ?? []) {
    const where = path.startsWith('parameters.') ? parameters : set;
    const key = path.startsWith('parameters.') ? path.slice('parameters.'.length) : path;
    if (key in where && JSON.stringify(where[key]) !== JSON.stringify(value))
      throw bad(`--set ${path} is given twice, with different values`);
    where[key] = value;
  }
  const given = Object.fromEntries(
    Object.entries({
      recipe: options.recipe,
      task: options.task,
      seed: options.seed,
      iterations: options.iterations,
      shardSize: options.shardSize,
      onFailure: options.onFailure,
      engine: options.engine,
      model: options.model,
    }).filter(([, value]) => value !== undefined),
  );
  const inner = (key: string) => (typeof from[key] === 'object' && from[key] !== null ? from[key] : {});
  const merged = {
    ...DEFAULTS,
    ...from,
    ...given,
    parameters: { ...inner('parameters'), ...parameters },
    set: { ...inner('set'), ...set },
  };
  const parsed = RunInput.safeParse(merged);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => ({
      field: issue.path.join('.') || '(input)',
      message: issue.message,
    }));
    throw bad(issues.map((issue) => `${issue.field}: ${issue.message}`).join('; '), issues);
  }
  const input = parsed.data;
  if (options.control !== undefined) input.recipe = controlId(input.recipe, options.control, names);
  if (typeof input.recipe === 'string' && !isRecipe(input.recipe, names))
    throw unknownName('recipe', input.recipe, names.recipes, names.controls);
  if (!names.tasks.includes(input.task)) throw unknownName('task', input.task, names.tasks);
  return input;
}

/** `<task>-<recipe>-s<seed>-<n>` with the smallest n that no run has. */
export function chooseRunId(input: RunInput, taken: readonly string[]): string {
  const recipe = typeof input.recipe === 'string' ? input.recipe : input.recipe.id;
  const stem = `${input.task}-${recipe}-s${input.seed}`.slice(0, 90);
  for (let n = 1; ; n++) if (!taken.includes(`${stem}-${n}`)) return `${stem}-${n}`;
}
