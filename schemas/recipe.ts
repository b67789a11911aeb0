/**
 * Recipe: one iteration of a method as a dataflow graph.
 *
 *   defineRecipe({ id: 'star', source: '…', stages: { batch: { use: 'draw', in: { problems: '$train' } }, … },
 *                  carry: { model: 'next' }, stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 } })
 *
 * Ports are typed twice: `defineRecipe` makes a wrong wire a compile error, `checkRecipe` makes it a sentence for recipes
 * that come as JSON. There is no `if` in a recipe.
 */
import { z } from 'zod';
import { Budget } from './budget.ts';
import { nearest } from './nearest.ts';
import { CARRIED } from './port-values.ts';
import { SOURCES } from './ports.ts';
import type { PortType, Source } from './ports.ts';
import { StageKind, stageRow } from './stage.ts';
import type { STAGES } from './stage.ts';

const Ref = z
  .string()
  .regex(/^(\$[a-z]+|[a-zA-Z][\w-]*(\.[a-zA-Z]+)?)$/, 'expected "$source", "stage" or "stage.port"');
const Id = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'expected lower-case letters, digits and dashes');

export const RecipeStage = z.strictObject({
  use: StageKind,
  in: z.record(z.string(), z.union([Ref, z.array(Ref).min(1)])),
  with: z.record(z.string(), z.unknown()).optional(),
});
export type RecipeStage = z.infer<typeof RecipeStage>;

export const StopRule = z.strictObject({
  /** A number of an iteration, by path; never of the test split. */
  plateau: z.string().regex(/^[\w-]+\.dev\.accuracy$/, 'expected "<evaluate stage>.dev.accuracy"'),
  /** Iterations without a better value before the run stops. */
  patience: z.int().min(1).default(3),
  atMost: z.int().min(1).max(1000).default(16),
  /**
   * A fall of that number by more than this (0..1) below the best rolls the run back: the next iteration samples from the best
   * model. Falling as far again ends the run. Absent: no roll-back.
   */
  regression: z.number().gt(0).max(1).optional(),
  /** What the run may spend; then it stops at a shard's end and can be continued. Absent: no limit. */
  budget: Budget.optional(),
});
export type StopRule = z.infer<typeof StopRule>;

export const Judging = z.strictObject({
  /**
   * Share (0..1) of an iteration's judgements that may be missing. Above it the iteration fails with `JudgingTrouble` before
   * it trains, or decides, on what is left.
   */
  atMostUnjudged: z.number().min(0).max(1).default(0.2),
});
export type Judging = z.infer<typeof Judging>;

export const Recipe = z.strictObject({
  id: Id,
  source: z.string().default(''),
  stages: z.record(z.string().regex(/^[a-zA-Z][\w-]*$/), RecipeStage),
  /** What `$model`, `$kept`, `$pairs` and `$queue` stand for in the next iteration. */
  carry: z.strictObject({ model: Ref, kept: Ref.optional(), pairs: Ref.optional(), queue: Ref.optional() }),
  stop: StopRule,
  /** Absent: the default; in a run that was resolved before it stood here, no limit. */
  judging: Judging.optional(),
});
export type Recipe = z.infer<typeof Recipe>;

export interface RecipeProblem {
  /** e.g. `stages.kept.in.rationales` */
  field: string;
  message: string;
}

/** What stands under a name that came from outside: `constructor` is no stage, though every object has one. */
const own = <T>(object: Record<string, T>, name: string): T | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined;

/** The type a reference has in this recipe, or undefined if there is no such thing. */
export function portTypeOf(recipe: Recipe, ref: string): PortType | undefined {
  if (ref.startsWith('$')) return own<PortType>(SOURCES, ref);
  const [name = '', port] = ref.split('.');
  const stage = own(recipe.stages, name);
  if (!stage) return undefined;
  const row = stageRow(stage.use);
  const output = port ?? row.main;
  return output === undefined ? undefined : own(row.outputs, output);
}

/** Everything a reference could be, with its type. */
function allRefs(recipe: Recipe): [string, PortType][] {
  const refs: [string, PortType][] = Object.entries(SOURCES);
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const row = stageRow(stage.use);
    for (const [port, type] of Object.entries(row.outputs))
      refs.push([port === row.main ? name : `${name}.${port}`, type]);
  }
  return refs;
}

/** Names of the stages that a stage reads; some may come twice. */
export const stagesRead = (stage: RecipeStage): string[] =>
  Object.values(stage.in)
    .flat()
    .filter((ref) => !ref.startsWith('$'))
    .map((ref) => ref.split('.')[0] as string);

/** Names of the stages that read this reference. */
export const readersOf = ({ stages }: Pick<Recipe, 'stages'>, ref: string): string[] =>
  Object.keys(stages).filter((name) =>
    Object.values(stages[name]?.in ?? {})
      .flat()
      .includes(ref),
  );

/** Stage names in an order in which every stage comes after what it reads; undefined if there is a circle. */
export function stageOrder(recipe: Recipe): string[] | undefined {
  const order: string[] = [];
  const left = new Map(Object.entries(recipe.stages).map(([name, stage]) => [name, new Set(stagesRead(stage))]));
  while (left.size > 0) {
    const ready = [...left]
      .filter(([, needs]) => [...needs].every((need) => order.includes(need)))
      .map(([name]) => name);
    if (ready.length === 0) return undefined;
    for (const name of ready) {
      order.push(name);
      left.delete(name);
    }
  }
  return order;
}

/** Checks wires, options and the stop rule; an empty list means that the recipe can run. Pure. */
export function checkRecipe(recipe: Recipe): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const refs = allRefs(recipe);
  const say = (field: string, message: string) => problems.push({ field, message });
  const suggest = (wanted: PortType, ref: string) => {
    const fitting = refs.filter(([, type]) => type === wanted).map(([name]) => name);
    const stage = ref.split('.')[0] as string;
    const choice =
      fitting.find((name) => name.split('.')[0] === stage) ??
      nearest(ref, fitting) ??
      (fitting.length === 1 ? fitting[0] : undefined);
    return choice === undefined ? '' : ` Did you mean ${choice}?`;
  };
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const row = stageRow(stage.use);
    for (const [port, value] of Object.entries(stage.in)) {
      const field = `stages.${name}.in.${port}`;
      const wanted = own(row.inputs, port);
      if (!wanted) {
        const known = Object.keys(row.inputs);
        say(field, `${recipe.id} › ${name}: '${stage.use}' has no input ${port}; it has ${known.join(', ')}.`);
        continue;
      }
      if (Array.isArray(value) && !wanted.many)
        say(field, `${recipe.id} › ${name}.${port} takes one reference, not a list.`);
      for (const ref of [value].flat()) {
        const found = portTypeOf(recipe, ref);
        if (found === wanted.type) continue;
        const what = found === undefined ? `reads ${ref}, which does not exist` : `reads ${ref}`;
        say(field, `${recipe.id} › ${name}.${port} ${what}; needs '${wanted.type}'.${suggest(wanted.type, ref)}`);
      }
    }
    for (const [port, wanted] of Object.entries(row.inputs))
      if (!wanted.optional && stage.in[port] === undefined)
        say(`stages.${name}.in.${port}`, `${recipe.id} › ${name}.${port} is not connected; needs '${wanted.type}'.`);
    const options = row.options.partial().safeParse(stage.with ?? {});
    for (const issue of options.error?.issues ?? [])
      say(['stages', name, 'with', ...issue.path].join('.'), `${recipe.id} › ${name}: ${issue.message}`);
  }
  if (portTypeOf(recipe, recipe.carry.model) !== 'model')
    say(
      'carry.model',
      `${recipe.id} › carry.model reads ${recipe.carry.model}; needs 'model'.${suggest('model', recipe.carry.model)}`,
    );
  for (const what of CARRIED) {
    const carried = recipe.carry[what];
    const wanted = SOURCES[`$${what}`];
    const field = `carry.${what}`;
    if (carried !== undefined && portTypeOf(recipe, carried) !== wanted)
      say(field, `${recipe.id} › ${field} reads ${carried}; needs '${wanted}'.${suggest(wanted, carried)}`);
    const [reader] = readersOf(recipe, `$${what}`);
    if (carried === undefined && reader !== undefined)
      say(field, `${recipe.id} › ${reader} reads $${what}, but ${field} names nothing that would be kept.`);
  }
  const scored = recipe.stop.plateau.split('.')[0] as string;
  if (own(recipe.stages, scored)?.use !== 'evaluate')
    say('stop.plateau', `${recipe.id} › stop.plateau names ${scored}; needs an 'evaluate' stage.`);
  if (problems.length === 0 && !stageOrder(recipe))
    say('stages', `${recipe.id}: the stages read each other in a circle.`);
  return problems;
}

// ---- the same checks for the compiler ----

type Outputs<K extends StageKind> = (typeof STAGES)[K]['outputs'];
type Main<K extends StageKind> = (typeof STAGES)[K] extends { main: infer M } ? M : never;
type RefsOf<S, T extends PortType> =
  | { [N in Source]: (typeof SOURCES)[N] extends T ? N : never }[Source]
  | {
      [N in keyof S & string]: S[N] extends { use: infer K extends StageKind }
        ? {
            [P in keyof Outputs<K> & string]: Outputs<K>[P] extends T ? (P extends Main<K> ? N : `${N}.${P}`) : never;
          }[keyof Outputs<K> & string]
        : never;
    }[keyof S & string];
type InputsOf<S, K extends StageKind> = (typeof STAGES)[K]['inputs'] extends infer I
  ? {
      [P in keyof I as I[P] extends { optional: true } ? never : P]: I[P] extends { type: infer T extends PortType }
        ? I[P] extends { many: true }
          ? readonly RefsOf<S, T>[]
          : RefsOf<S, T>
        : never;
    } & {
      [P in keyof I as I[P] extends { optional: true } ? P : never]?: I[P] extends { type: infer T extends PortType }
        ? RefsOf<S, T>
        : never;
    }
  : never;
type Checked<S> = {
  [N in keyof S]: S[N] extends { use: infer K extends StageKind }
    ? { use: K; in: InputsOf<S, K>; with?: Partial<z.input<(typeof STAGES)[K]['options']>> }
    : { use: StageKind; in: object };
};

/** A recipe whose wires the compiler has checked. Throws `RecipeInvalid` for what types can't say (circles, the stop rule). */
export function defineRecipe<const S extends Record<string, { use: StageKind; in: object; with?: object }>>(recipe: {
  id: string;
  source: string;
  stages: S & Checked<S>;
  carry: {
    model: RefsOf<S, 'model'>;
    kept?: RefsOf<S, 'examples'>;
    pairs?: RefsOf<S, 'pairs'>;
    queue?: RefsOf<S, 'queue'>;
  };
  stop: z.input<typeof StopRule>;
  judging?: z.input<typeof Judging>;
}): Recipe {
  const parsed = Recipe.parse(recipe);
  const problems = checkRecipe(parsed);
  if (problems.length > 0) throw new Error(`RecipeInvalid: ${problems.map((problem) => problem.message).join(' ')}`);
  return parsed;
}
