/**
 * What ids stand for in training, and what that learns.
 *
 *   const words = embedding(k, config, learner, inputs);     // [N, d], with what learned positions add
 *   words.back(dWords);                                      // the learner has the rest
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';
import type { Learner } from './learner.ts';
import type { PassInputs } from './pass-inputs.ts';

export interface Embedding<V> {
  value: V;
  /** Frees its argument. */
  back(dValue: V): void;
}

/** @param marks blocks of one row each that stand behind the vocabulary: with V tokens the first is id V. */
export function embedding<V>(
  k: Kernels<V>,
  { vocabSize, context, positions }: DecoderConfig,
  learner: Learner<V>,
  { ids, places }: Pick<PassInputs<V>, 'ids' | 'places'>,
  marks: readonly string[] = [],
): Embedding<V> {
  const blocks = ['embed', ...marks];
  const words = k.gather(k.concat(blocks.map((name) => learner.block(name))), ids);
  const learned = positions === 'learned';
  return {
    value: learned ? k.add(words, k.gather(learner.block('places'), places)) : words,
    back(dValue) {
      const table = k.segmentSum(dValue, ids, k.ints([vocabSize + marks.length], []));
      const parts = marks.length === 0 ? [table] : k.splitBy(table, [vocabSize, ...marks.map(() => 1)]);
      for (const [n, name] of blocks.entries()) learner.learnBlock(name, parts[n]!);
      if (learned) learner.learnBlock('places', k.segmentSum(dValue, places, k.ints([context], [])));
      k.free(dValue);
    },
  };
}
