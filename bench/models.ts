/**
 * The models that are measured, with random weights, and numbers to fill them and batches with.
 *
 * Speed does not depend on what the weights are worth, except where a model must end its text by itself: for those see
 * `bench/prompts.ts`. Checkpoints are ours (safetensors, tensor names of Hugging Face's Llama), so that each peer reads the
 * very same weights.
 */
import path from 'node:path';
import { DecoderConfig } from '../schemas/checkpoint.ts';
import type { PiecesSpec, TokenizerSpec } from '../schemas/checkpoint.ts';
import { parameterShapes } from '../engine/tfjs/parameters.ts';
import { weightsDigest, writeCheckpoint } from '../engine/tfjs/safetensors.ts';
import type { NamedTensor } from '../engine/tfjs/safetensors.ts';
import { NotAvailable } from './row.ts';

/** The main job's model. */
export const TINY = DecoderConfig.parse({
  vocabSize: 20,
  dModel: 64,
  layers: 3,
  heads: 4,
  dFF: 256,
  activation: 'relu',
  context: 512,
});

export const D256 = DecoderConfig.parse({ ...TINY, dModel: 256, layers: 6, dFF: 1024 });

/** The shape of HuggingFaceTB/SmolLM2-135M (its config.json). @throws NotAvailable without grouped-query attention. */
export function smolLm2(): DecoderConfig {
  if (!('kvHeads' in DecoderConfig.shape))
    throw new NotAvailable('The decoder has no grouped-query attention yet, which the shape of SmolLM2-135M needs.');
  const shape = {
    vocabSize: 49_152,
    dModel: 576,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    dFF: 1536,
    activation: 'swiglu',
    context: 2048,
    ropeTheta: 100_000,
    normEpsilon: 1e-5,
    tiedEmbeddings: true,
  };
  return DecoderConfig.parse(shape);
}

/** Uniform in [0, 1); the same seed gives the same numbers (mulberry32, public domain). Quick: weights are many. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Llama's own initialisation is normal with 0.02; uniform numbers of that spread serve as well. Gains are 1. */
export function randomTensors(config: DecoderConfig, seed = 1, spread = 0.02): Map<string, NamedTensor> {
  const next = numbers(seed);
  const width = 2 * spread * Math.sqrt(3);
  return new Map(
    parameterShapes(config).map(({ name, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      if (shape.length === 1) data.fill(1);
      else for (let i = 0; i < data.length; i++) data[i] = (next() - 0.5) * width;
      return [name, { name, shape, data }];
    }),
  );
}

export interface SavedModel {
  path: string;
  digest: string;
  config: DecoderConfig;
  tokenizer: TokenizerSpec;
}

export async function save(
  folder: string,
  model: { config: DecoderConfig; tokenizer: TokenizerSpec; tensors: Map<string, NamedTensor> },
): Promise<SavedModel> {
  const file = path.join(folder, 'model.safetensors');
  await writeCheckpoint(file, model);
  return {
    path: file,
    digest: weightsDigest(model.tensors.values()),
    config: model.config,
    tokenizer: model.tokenizer,
  };
}

/** A vocabulary whose text is unambiguous at any size: piece i is `⟨i⟩`. Ids 0 and 1 are padding and end. */
export function numberedPieces(size: number): PiecesSpec {
  return { kind: 'pieces', pieces: Array.from({ length: size }, (_, id) => `⟨${id}⟩`), pad: 0, end: 1 };
}
