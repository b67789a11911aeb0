/**
 * What an import reads from: named tensors that are read one at a time, and what each fault says.
 *
 *   const weights = await openGguf('model.gguf');
 *   const values = await weights.read('blk.0.attn_q.weight');   // float32, whatever the file holds
 *
 * A file of numbers is checked for its whole length before the first tensor is read: a torn download fails at once.
 */
import { EngineError } from '../../engine.ts';

export interface Weights {
  /** Shapes as torch has them: the last side runs fastest. */
  shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** A fault of the source, as one sentence: file, what is wrong, what to do. */
export const refused = (file: string, fault: string, cure = 'fetch it again from where it came'): EngineError =>
  new EngineError('CheckpointInvalid', `${file} ${fault}; ${cure}`);

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);
