/** The loss in plain tfjs operations that its tape can differentiate: what the pass by hand must agree with. */
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { plainDecoder } from './plain-decoder.ts';

/** Summed over the completion tokens of the rows. */
export function plainLoss(config: DecoderConfig, rows: TokenRow[], tensors: Map<string, Tensor>): Tensor {
  let total: any = tf.scalar(0);
  for (const { tokens, promptLength } of rows) {
    const logits = plainDecoder(config, (name) => tensors.get(name), tokens.subarray(0, -1));
    const logSoftmax = tf.logSoftmax(logits as any);
    for (let at = promptLength; at < tokens.length; at++) {
      total = total.sub(logSoftmax.slice([at - 1, tokens[at]!], [1, 1]).sum());
    }
  }
  return total;
}
