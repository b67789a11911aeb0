/**
 * What a run would cost, before it is started: tokens from the sizes, time from the speed of earlier runs of this home with
 * the same task and model, else from floating-point operations. Upper bounds where lengths are not known: every completion
 * is taken to be as long as is waited for, no iteration to stop early. Within a factor of two or three, not better.
 */
import type { Plan } from '../activities/resolve.ts';
import type { DecoderConfig } from '../schemas/checkpoint.ts';
import { parameterShapes } from '../schemas/decoder-shape.ts';
import type { RunDocument } from '../schemas/run.ts';
import { shapeOf } from '../schemas/port-values.ts';
import { TRAINING } from '../schemas/stage.ts';
import type { StageKind } from '../schemas/stage.ts';
import { heldOutRows, longestCompletion } from './plan-sizes.ts';

export interface Estimate {
  parameters: number;
  tokens: { sampled: number; trained: number };
  seconds: number;
  /** Where the speed comes from. */
  speed: 'earlier runs' | 'arithmetic';
  memoryBytes: number;
  diskBytes: number;
}

type StepRule = { first: number; growth: number; add: number; cap?: number | undefined };
/** Steps of iteration n; see StepRule in schemas/stage-options.ts. */
export const stepsOf = (rule: StepRule, n: number): number =>
  Math.min(rule.cap ?? Infinity, Math.floor(rule.first * rule.growth ** (n - 1) + rule.add * (n - 1)));

/** Numbers that learn in a model. */
export const parameterCount = (model: DecoderConfig): number =>
  parameterShapes(model).reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);

/** Operations a second that small models reach on two cores (research: training 27e9, sampling 6e9). */
const OPERATIONS = { train: 25e9, sample: 6e9 };
/** Server and worker, the engine's library, and its buffers. */
const RESIDENT_BYTES = 900e6;

/** Tokens a second of earlier runs with this task and this shape of model; undefined if there are none. */
export function speedsOf(
  plan: Omit<Plan, 'recipe' | 'pretrained'>,
  documents: RunDocument[],
): { sample: number; train: number } | undefined {
  const sums = { sample: { tokens: 0, seconds: 0 }, train: { tokens: 0, seconds: 0 } };
  const shape = JSON.stringify(Object.entries(plan.filled.model).sort());
  for (const { resolved, iterations } of documents) {
    if (!resolved || resolved.context.task !== plan.task.id || resolved.context.engine !== plan.engine) continue;
    const { vocabSize: _, ...model } = shapeOf(resolved.fresh);
    if (JSON.stringify(Object.entries(model).sort()) !== shape) continue;
    for (const record of iterations)
      for (const [name, tokens] of Object.entries(record.tokens)) {
        const kind: StageKind | undefined = (record.n === 0 ? resolved.prepare : resolved.recipe).stages[name]?.use;
        const sum = kind !== undefined && TRAINING.has(kind) ? sums.train : sums.sample;
        if (tokens === 0) continue;
        sum.tokens += tokens;
        sum.seconds += record.seconds[name] ?? 0;
      }
  }
  const { sample, train } = sums;
  if (sample.seconds === 0 || train.seconds === 0) return undefined;
  return { sample: sample.tokens / sample.seconds, train: train.tokens / train.seconds };
}

export function estimate(
  plan: Omit<Plan, 'recipe' | 'pretrained'> & Partial<Pick<Plan, 'pretrained'>>,
  documents: RunDocument[],
): Estimate {
  const { filled, task, parameters: taskParameters } = plan;
  const { vocabSize } = plan;
  const parameters = parameterCount({ ...filled.model, vocabSize });
  const longest = longestCompletion(task, taskParameters);
  const sequence = Math.min(filled.model.context, longest + 16);
  const heldOut = heldOutRows(task, taskParameters, filled.heldOut);
  const evaluated = heldOut * longest;
  let sampled = evaluated;
  const { steps, batchSize, accumulate } = filled.base;
  // A pretrained base is taken as it is.
  let trained = plan.pretrained ? 0 : stepsOf(steps, 1) * batchSize * (accumulate ?? 1) * sequence;
  const stages = Object.values(filled.recipe.stages);
  const drawn = stages.reduce((sum, stage) => sum + (stage.use === 'draw' ? Number(stage.with?.count ?? 0) : 0), 0);
  let examples = 0;
  for (let n = 1; n <= filled.iterations; n++)
    for (const stage of stages) {
      const samples = Number(stage.with?.samples ?? 1);
      if (stage.use === 'generate' || stage.use === 'rationalize') {
        sampled += drawn * samples * longest;
        examples += drawn * samples;
      } else if (stage.use === 'evaluate') sampled += evaluated;
      else if (stage.use === 'balance')
        sampled +=
          Math.min(drawn, Number(stage.with?.problems)) *
          ((stage.with?.temperatures as number[]).length * samples * longest);
      // The test split alone; dev is about as large.
      else if (stage.use === 'rank') sampled += (evaluated * samples) / 2;
      else if (TRAINING.has(stage.use))
        trained +=
          (stage.use === 'prefer' ? 2 : 1) * // A pair is two sequences.
          stepsOf(stage.with?.steps as StepRule, n) *
          Number(stage.with?.batchSize ?? 8) *
          Number(stage.with?.accumulate ?? 1) *
          sequence;
    }
  const known = speedsOf(plan, documents);
  const speed = known ?? {
    sample: OPERATIONS.sample / (2 * parameters),
    train: OPERATIONS.train / (6 * parameters),
  };
  return {
    parameters,
    tokens: { sampled, trained },
    seconds: sampled / speed.sample + trained / speed.train,
    speed: known ? 'earlier runs' : 'arithmetic',
    // Weights, gradients and two moments, and the activations of a batch.
    memoryBytes:
      RESIDENT_BYTES +
      parameters * 16 +
      filled.base.batchSize * sequence * filled.model.dModel * filled.model.layers * 64,
    // One checkpoint an iteration, and a line of text a judged row.
    diskBytes:
      parameters * 4 * (filled.iterations + 1) +
      (examples * 2 + heldOut * (filled.iterations + 1)) * (300 + longest * 4),
  };
}
