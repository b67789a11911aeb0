/**
 * Training, ours against PyTorch: the same initial weights, the same batches (one file, read by both sides), the same threads.
 *
 *   measureTraining({ config: TINY, batchSize: 48, tokensPerRow: 96, stepsPerSlice: 10 }, context)
 *
 * A step is forward, backward, clipping by global norm and Adam. Counted are the tokens that are read and are no padding;
 * lengths differ by up to 4%, as after bucketing, and a fifth of each row is its prompt, on which there is no loss. The side
 * of PyTorch: scaled_dot_product_attention, one output layer over the predicted positions only, and the fastest of its Adams
 * (fused, foreach, plain), found by trying. Both sides tell the loss of the first batch: they must agree, or nothing is
 * measured.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DecoderConfig } from '../schemas/checkpoint.ts';
import { assemble } from '../engine/tfjs/batches.ts';
import type { Batch } from '../engine/tfjs/batches.ts';
import { Contestant } from './contestant.ts';
import { measureSides } from './interleave.ts';
import { numberedPieces, numbers, randomTensors, save } from './models.ts';
import { python } from './python.ts';
import type { BenchContext, Measured } from './row.ts';

export interface TrainingShape {
  config: DecoderConfig;
  batchSize: number;
  /** Tokens read of the longest row. */
  tokensPerRow: number;
  stepsPerSlice: number;
  /** Rank of low-rank adapters on all projections of each layer; without it all weights are trained. */
  loraRank?: number;
}

/** What both sides are told; batches with arrays as plain lists. */
export interface TrainingOrder {
  config: DecoderConfig;
  weights: string;
  threads: number;
  learningRate: number;
  clipNorm: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  stepsPerSlice: number;
  loraRank: number | null;
  batches: { batch: number; time: number; tokens: number; ids: number[]; positions: number[]; targets: number[] }[];
}

const BATCHES = 8;
const LOSS_TOLERANCE = 1e-3;

/** Batches of rows with random ids, lengths within 4%. */
export function trainingBatches({ config, batchSize, tokensPerRow }: TrainingShape): Batch[] {
  const next = numbers(7);
  return Array.from({ length: BATCHES }, () => {
    const rows = Array.from({ length: batchSize }, (_, row) => {
      // The first row is as long as the batch is wide; ids 0 and 1 are padding and end.
      const length = tokensPerRow + 1 - (row === 0 ? 0 : Math.floor(next() * (1 + tokensPerRow / 25)));
      const tokens = Int32Array.from({ length }, () => 2 + Math.floor(next() * (config.vocabSize - 2)));
      return { tokens, promptLength: Math.floor(tokensPerRow / 5) };
    });
    return assemble(rows, 0);
  });
}

export async function trainingOrder(shape: TrainingShape, { folder, threads }: BenchContext): Promise<string> {
  const { config } = shape;
  const model = { config, tokenizer: numberedPieces(config.vocabSize), tensors: randomTensors(config) };
  const { path: weights } = await save(folder, model);
  const order: TrainingOrder = {
    config,
    weights,
    threads,
    ...{ learningRate: 1e-4, clipNorm: 1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    stepsPerSlice: shape.stepsPerSlice,
    loraRank: shape.loraRank ?? null,
    batches: trainingBatches(shape).map(({ ids, positions, targets, ...rest }) => ({
      ...rest,
      ids: [...ids],
      positions: [...positions],
      targets: [...targets],
    })),
  };
  const file = path.join(folder, 'order.json');
  writeFileSync(file, JSON.stringify(order));
  return file;
}

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

export const ours = (program: string, order: string, threads: number): Promise<Contestant> =>
  Contestant.start('ours', process.execPath, ['--import', 'tsx', here(program), order], {
    env: { STARTRAIL_ENGINE_THREADS: String(threads) },
  });

export async function measureTraining(shape: TrainingShape, context: BenchContext): Promise<Measured> {
  const interpreter = await python(context.say);
  const order = await trainingOrder(shape, context);
  const torch = (...words: string[]) =>
    Contestant.start(`PyTorch ${words.join(' ')}`, interpreter, [here('peers/train_torch.py'), order, ...words]);
  const sides: Contestant[] = [];
  try {
    const us = await ours('ours/train.ts', order, context.threads);
    sides.push(us);
    context.say(`${us.facts.name} is ready`);
    const eager = await torch('eager');
    sides.push(eager);
    context.say(`${eager.facts.name} is ready`);
    agree(us, eager);
    // What the compiler cannot do on this machine is told beside the row and does not cost the row.
    const compiled = await torch('compiled').catch((error: Error) => error);
    if (compiled instanceof Contestant) {
      sides.push(compiled);
      context.say(`${compiled.facts.name} is ready`);
      agree(us, compiled);
    }
    const measured = await measureSides(sides as [Contestant, Contestant], context.repetitions, context.say);
    if (compiled instanceof Error) {
      const note = compiled.message.split('\n')[0]!;
      measured.beside.push({ peerName: 'PyTorch, torch.compile', peer: null, ratio: null, spread: null, note });
    }
    return measured;
  } finally {
    await Promise.all(sides.map((side) => side.end()));
  }
}

/** @throws Error where the two sides do not compute the same thing. */
export function agree(us: Pick<Contestant, 'facts'>, peer: Pick<Contestant, 'facts'>): void {
  const [mine, theirs] = [Number(us.facts.firstLoss), Number(peer.facts.firstLoss)];
  if (!(Math.abs(mine - theirs) <= LOSS_TOLERANCE * Math.abs(theirs)))
    throw new Error(
      `the first batch has loss ${mine} with ${us.facts.name} and ${theirs} with ${peer.facts.name}: they do not train ` +
        `the same model, so their speeds say nothing. Compare engine/tfjs/gradient.ts with bench/peers/decoder.py.`,
    );
}
