/** What a training starts from: a checkpoint, an adapter merged into its base, or fresh weights that the seed gives. */
import { DecoderConfig, TokenizerSpec } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import type { TrainRequest } from '../engine.ts';
import { readModel } from './adapter-file.ts';
import { initialTensors } from './layout.ts';
import { architectureFault } from './parameters.ts';
import type { Checkpoint } from './safetensors.ts';

/** @throws EngineError CheckpointInvalid. */
export async function startingPoint({ start, seed }: Pick<TrainRequest, 'start' | 'seed'>): Promise<Checkpoint> {
  if (start.kind === 'checkpoint') return readModel(start.checkpoint);
  const config = DecoderConfig.parse(start.config);
  const tokenizer = TokenizerSpec.parse(start.tokenizer);
  const fault = architectureFault(config, tokenizer);
  if (fault !== null)
    throw new EngineError('CheckpointInvalid', `the model to start from does not fit together: ${fault}`);
  return { config, tokenizer, tensors: initialTensors(config, seed) };
}
