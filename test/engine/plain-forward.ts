/** What the plain decoder says to one sequence: what the fast one must agree with. */
import { tf } from '../../engine/tfjs/native.ts';
import type { Checkpoint } from '../../engine/tfjs/safetensors.ts';
import { plainDecoder } from './plain-decoder.ts';

/** Logits [time, vocab] of one sequence of ids. */
export function plainLogits({ config, tensors }: Checkpoint, ids: readonly number[]): number[][] {
  const { vocabSize } = config;
  const flat = tf.tidy(() => {
    const get = (name: string) => {
      const found = tensors.get(name);
      return found && tf.tensor(found.data, found.shape);
    };
    return plainDecoder(config, get, Int32Array.from(ids)).dataSync();
  });
  return ids.map((_, t) => Array.from(flat.slice(t * vocabSize, (t + 1) * vocabSize)));
}
