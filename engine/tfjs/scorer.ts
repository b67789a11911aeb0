/**
 * What completions that are there already are worth: `score` of the Engine. Their log-probabilities, or a reward model's rewards.
 *
 *   await scoresOf(decoder, openForm(spec), [{ prompt: '1+2=', completion: '3' }]);      // [-0.0013]
 *
 * One pass over prompt and completion together. Rows run beside others of the same padded length, in pieces of a count that
 * follows from that length, empty slots filled up: what a row gets depends on that row alone (see decoder.ts). What is added up
 * is added up in float64, in its order.
 */
import { setImmediate } from 'node:timers/promises';
import { EngineError, type EngineControl, type TrainRow } from '../engine.ts';
import { tokensOf } from './batches.ts';
import type { Decoder } from './decoder.ts';
import type { PromptForm } from './prompt-form.ts';

const PROGRESS_MS = 500;

/**
 * @returns one number for each row, in order; as a log-probability 0 for an empty completion.
 * @throws EngineError TextNotInVocabulary, TrainingDataInvalid (longer than the context); the signal's reason.
 */
export async function scoresOf(
  decoder: Decoder,
  form: PromptForm,
  rows: readonly TrainRow[],
  { signal, onProgress }: EngineControl = {},
): Promise<number[]> {
  const { context, vocabSize, rewardHead } = decoder.config;
  const known = rows.map((row, index) => {
    const invalid = (fault: string) => new EngineError('TrainingDataInvalid', `row ${index} to score ${fault}`);
    return tokensOf(row, form, { context, vocabSize }, invalid);
  });
  const byLength = new Map<number, number[]>();
  for (const [index, { tokens }] of known.entries()) {
    // Of a likelihood the last token is only predicted.
    const padded = decoder.paddedLength(rewardHead ? tokens.length : tokens.length - 1);
    byLength.set(padded, [...(byLength.get(padded) ?? []), index]);
  }
  const results = new Array<number>(rows.length).fill(0);
  let [done, tokensDone] = [0, 0];
  let [toldAt, toldTokens] = [performance.now(), 0];
  for (const [padded, indices] of byLength) {
    const slots = decoder.scoredAtOnce(padded);
    for (let at = 0; at < indices.length; at += slots) {
      await setImmediate();
      signal?.throwIfAborted();
      const piece = indices.slice(at, at + slots);
      const filled = Array.from({ length: slots }, (_, slot) => Array.from(known[piece[slot] ?? -1]?.tokens ?? []));
      const rewards = rewardHead && decoder.rewards(filled, padded, form.pad);
      const costs = rewards ? [] : decoder.costs(filled, padded, form.pad);
      for (const [slot, index] of piece.entries()) {
        const { tokens, promptLength } = known[index]!;
        const completion = tokens.length - Math.max(1, promptLength);
        let sum = 0;
        for (const cost of costs.slice((slot + 1) * padded - completion, (slot + 1) * padded)) sum -= cost;
        results[index] = rewards ? rewards[slot]! : sum;
        tokensDone += tokens.length;
      }
      done += piece.length;
      const now = performance.now();
      if (now - toldAt < PROGRESS_MS && done < rows.length) continue;
      const tokensPerSecond = ((tokensDone - toldTokens) / Math.max(1, now - toldAt)) * 1000;
      onProgress?.({ done, total: rows.length, tokensPerSecond });
      [toldAt, toldTokens] = [now, tokensDone];
    }
  }
  return results;
}
