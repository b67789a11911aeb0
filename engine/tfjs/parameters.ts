/**
 * The tensors of a decoder, and whether a config and a tokenizer fit together. Names and shapes: schemas/decoder-shape.ts.
 */
import { tokenizerSize, type DecoderConfig, type TokenizerSpec } from '../../schemas/checkpoint.ts';
import { shapeFault } from '../../schemas/decoder-shape.ts';

export { headWidthOf, kvHeadsOf, LAST_OF_MIXING, parameterShapes, REWARD_HEAD } from '../../schemas/decoder-shape.ts';
export type { ParameterShape } from '../../schemas/decoder-shape.ts';

/** What is wrong with this pair as one sentence, or null: what a schema of single fields cannot see. */
export function architectureFault(config: DecoderConfig, tokenizer: TokenizerSpec): string | null {
  const { vocabSize } = config;
  const fault = shapeFault(config);
  if (fault !== null) return fault.message;
  if (tokenizerSize(tokenizer) > vocabSize) {
    return `the tokenizer has ${tokenizerSize(tokenizer)} pieces, the model a vocabulary of ${vocabSize}`;
  }
  for (const special of ['pad', 'end'] as const) {
    if (tokenizer[special] >= vocabSize) {
      return `the tokenizer's ${special} id ${tokenizer[special]} is outside the vocabulary of ${vocabSize}`;
    }
  }
  return null;
}
