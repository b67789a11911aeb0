/**
 * An adapter's checkpoint: the factors alone (a few MB beside hundreds of the base), and which model they belong on.
 *
 *   const digest = await writeAdapter('adapter.safetensors', { options, base, tensors });
 *   const model = await readModel({ path: 'adapter.safetensors', digest, base: { path: 'base.safetensors', … } });
 *
 * Tensors as PEFT's `adapter_model.safetensors` (names: adapter.ts). `__metadata__` holds `adapter`: rank, alpha and the
 * base's weights digest, so that an adapter never meets another base unseen. Loading merges the two.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Digest } from '../../schemas/artifact.ts';
import { AdapterOptions } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import type { LocalCheckpoint } from '../engine.ts';
import { adapterShapes, mergeSteps } from './adapter.ts';
import { gently } from './gently.ts';
import { REWARD_HEAD } from './parameters.ts';
import {
  digestSteps,
  exactTensors,
  parseMetadata,
  readCheckpoint,
  readSafetensors,
  weightsDigest,
  writeSafetensors,
} from './safetensors.ts';
import type { Checkpoint, NamedTensor } from './safetensors.ts';

const AdapterMetadata = AdapterOptions.extend({
  base: Digest,
  /** It makes the base a reward model, whose head is among the tensors. */
  rewardHead: z.literal(true).optional(),
});

/** Digest of a model that is an adapter on a base: over the digests of both. */
export const adaptedDigest = (adapter: string, base: string): string =>
  `sha256:${createHash('sha256').update(`${adapter}\n${base}\n`).digest('hex')}`;

/** Writes an adapter: same factors, options and base ⇒ same bytes. Gives the digest of the adapted model. */
export async function writeAdapter(file: string, adapter: Adapter): Promise<string> {
  const base = await gently(digestSteps(adapter.base.tensors.values()));
  const rewardHead = adapter.tensors.has(REWARD_HEAD) && { rewardHead: true };
  const metadata = AdapterMetadata.parse({ ...adapter.options, base, ...rewardHead });
  await writeSafetensors(file, { adapter: JSON.stringify(metadata) }, adapter.tensors.values());
  return adaptedDigest(weightsDigest(adapter.tensors.values()), base);
}

/** An adapter beside the model it belongs on. */
export interface Adapter {
  base: Checkpoint;
  options: AdapterOptions;
  tensors: ReadonlyMap<string, NamedTensor>;
}

/** @throws EngineError CheckpointInvalid, naming the file, what is wrong and the cure. */
export async function readAdapter(path: string, base: Pick<LocalCheckpoint, 'path'>): Promise<Adapter> {
  const whole = await readCheckpoint(base.path);
  const { metadata, tensors } = await readSafetensors(path);
  const { base: wanted, rewardHead, ...options } = parseMetadata(path, metadata, 'adapter', AdapterMetadata);
  const found = await gently(digestSteps(whole.tensors.values()));
  if (found !== wanted) {
    throw new EngineError(
      'CheckpointInvalid',
      `${path} is an adapter on the weights ${wanted}, but ${base.path} holds ${found}; give the base it was trained on`,
    );
  }
  const shapes = adapterShapes(whole.config, options, rewardHead);
  return { base: whole, options, tensors: exactTensors(path, tensors, shapes) };
}

/**
 * Reads a model as it computes: an adapter is merged into its base.
 * @throws EngineError CheckpointInvalid, naming the file, what is wrong and the cure.
 */
export async function readModel({ path, base }: Pick<LocalCheckpoint, 'path' | 'base'>): Promise<Checkpoint> {
  if (base === undefined) return readCheckpoint(path);
  const adapter = await readAdapter(path, base);
  const { config } = adapter.base;
  return {
    ...adapter.base,
    config: adapter.tensors.has(REWARD_HEAD) ? { ...config, rewardHead: true } : config,
    tensors: await gently(mergeSteps(adapter.base.tensors, adapter)),
  };
}
