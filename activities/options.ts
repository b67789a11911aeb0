/**
 * Fills in a run's options: kind < recipe < task < input < `--set` (with an `objective` task < recipe), and remembers where each value came from.
 *
 *   fillOptions({ recipe, defaults, set: { 'stages.free.with.temperature': 0.7 } })
 *     → options['stages.free.with.temperature'] = { value: 0.7, from: 'set' }
 *
 * Unknown paths are named with the nearest known one. Pure.
 */
import { z } from 'zod';
import { nearest } from '../schemas/nearest.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { Judging, StopRule } from '../schemas/recipe.ts';
import { HeldOut, TaskDefaults } from '../schemas/run.ts';
import { STAGES, stageRow } from '../schemas/stage.ts';
import type { StageOptions } from '../schemas/stage.ts';
import { DecoderConfig } from '../schemas/checkpoint.ts';
import type { FieldProblem } from './failures.ts';

export type Origin = 'kind' | 'recipe' | 'task' | 'model' | 'input' | 'set';
type Layer = [Origin, Record<string, unknown> | undefined];

export interface Filled {
  recipe: Recipe;
  base: StageOptions<'fine-tune'>;
  model: Omit<DecoderConfig, 'vocabSize'>;
  heldOut: HeldOut;
  iterations: number;
  shardSize: number;
  origins: Record<string, { value: unknown; from: Origin }>;
}

const ModelShape = DecoderConfig.omit({ vocabSize: true });
const DEFAULT_SHARD = 200;

interface Group {
  /** e.g. `stages.free.with`. */
  path: string;
  schema: z.ZodObject;
  layers: Layer[];
}

export function fillOptions(asked: {
  recipe: Recipe;
  defaults: TaskDefaults;
  /** Shape of the pretrained model that the run starts from; then nothing makes or trains a base. */
  pretrained?: DecoderConfig | undefined;
  iterations?: number | undefined;
  shardSize?: number | undefined;
  set: Record<string, unknown>;
}): { filled?: Filled; problems: FieldProblem[] } {
  const defaults = TaskDefaults.parse(asked.defaults);
  const { recipe } = asked;
  const groups: Group[] = Object.entries(recipe.stages).map(([name, stage]) => ({
    path: `stages.${name}.with`,
    schema: stageRow(stage.use).options,
    layers: layersOf(stage, defaults.stages[stage.use]),
  }));
  groups.push({ path: 'base', schema: STAGES['fine-tune'].options, layers: [['task', defaults.base]] });
  const { vocabSize: _, ...shape } = asked.pretrained ?? { vocabSize: 0 };
  groups.push({
    path: 'model',
    schema: ModelShape,
    layers: [asked.pretrained ? ['model', shape] : ['task', defaults.model]],
  });
  groups.push({ path: 'heldOut', schema: HeldOut, layers: [['task', defaults.heldOut]] });
  groups.push({
    path: 'stop',
    schema: StopRule,
    layers: [
      ['recipe', recipe.stop],
      ['task', { ...(defaults.patience && { patience: defaults.patience }) }],
    ],
  });
  groups.push({ path: 'judging', schema: Judging, layers: [['recipe', recipe.judging]] });
  // Without training there is nothing to iterate: the base's evaluation is all.
  const trains = Object.values(recipe.stages).some(({ use }) => use === 'fine-tune' || use === 'think');
  groups.push({
    path: 'run',
    schema: z.strictObject({
      iterations: z
        .int()
        .min(0)
        .max(1000)
        .default(trains ? recipe.stop.atMost : 0),
      shardSize: z.int().min(1).max(100_000).default(DEFAULT_SHARD),
    }),
    layers: [
      ['task', defined({ iterations: trains ? defaults.iterations : undefined, shardSize: defaults.shardSize })],
      ['input', defined({ iterations: asked.iterations, shardSize: asked.shardSize })],
    ],
  });

  const problems = applySet(groups, asked.set);
  if (asked.pretrained)
    for (const path of Object.keys(asked.set).filter((one) => /^(base|model)\./.test(one)))
      problems.push({
        field: `set.${path}`,
        message: 'a pretrained model is taken as it is; leave this out, or model',
      });
  const origins: Filled['origins'] = {};
  const values = new Map<string, unknown>();
  for (const group of groups) {
    const merged = Object.assign({}, ...group.layers.map(([, layer]) => layer ?? {})) as Record<string, unknown>;
    const parsed = group.schema.safeParse(merged);
    if (!parsed.success) {
      for (const issue of parsed.error.issues)
        problems.push({ field: publicPath([group.path, ...issue.path].join('.')), message: issue.message });
      continue;
    }
    values.set(group.path, parsed.data);
    for (const [key, value] of Object.entries(parsed.data)) {
      const from = group.layers.findLast(([, layer]) => layer?.[key] !== undefined)?.[0] ?? 'kind';
      origins[publicPath(`${group.path}.${key}`)] = { value, from };
    }
  }
  if (problems.length > 0) return { problems };
  const run = values.get('run') as { iterations: number; shardSize: number };
  const stages = Object.entries(recipe.stages).map(([name, stage]) => [
    name,
    { ...stage, with: values.get(`stages.${name}.with`) as Record<string, unknown> },
  ]);
  return {
    problems,
    filled: {
      recipe: {
        ...recipe,
        stages: Object.fromEntries(stages) as Recipe['stages'],
        stop: values.get('stop') as StopRule,
        judging: values.get('judging') as Judging,
      },
      base: values.get('base') as StageOptions<'fine-tune'>,
      model: values.get('model') as Omit<DecoderConfig, 'vocabSize'>,
      heldOut: values.get('heldOut') as HeldOut,
      ...run,
      origins,
    },
  };
}

/** A task's sizes go over the recipe's; but how it trains on completions is not how rewards are learnt from: there they go under. */
function layersOf({ with: own }: Recipe['stages'][string], task: Record<string, unknown> | undefined): Layer[] {
  const layers: Layer[] = [
    ['recipe', own],
    ['task', task],
  ];
  return own?.objective === undefined ? layers : layers.reverse();
}

/** Puts each `--set` into its group as the last layer; says which paths there are none of. */
function applySet(groups: Group[], set: Record<string, unknown>): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const known = groups.flatMap((group) =>
    Object.keys(group.schema.shape).map((key) => publicPath(`${group.path}.${key}`)),
  );
  for (const [path, value] of Object.entries(set)) {
    const option = known.find((choice) => path === choice || path.startsWith(`${choice}.`));
    const group = option && groups.find((choice) => internalPath(option, choice.path));
    if (!option || !group) {
      const near = nearest(path, known);
      problems.push({ field: `set.${path}`, message: `no such option${near ? `; did you mean ${near}?` : ''}` });
      continue;
    }
    const key = option.split('.').at(-1) as string;
    const inner = path.slice(option.length + 1);
    const before = Object.assign({}, ...group.layers.map(([, layer]) => layer ?? {})) as Record<string, unknown>;
    group.layers.push([
      'set',
      { [key]: inner === '' ? value : { ...(before[key] as object | undefined), [inner]: value } },
    ]);
  }
  return problems;
}

// A run's own numbers are set by their bare names: `--set shardSize=100`.
const publicPath = (path: string): string => path.replace(/^run\./, '');
const internalPath = (option: string, group: string): boolean =>
  group === 'run'
    ? !option.includes('.')
    : option.startsWith(`${group}.`) && !option.slice(group.length + 1).includes('.');

const defined = (object: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
