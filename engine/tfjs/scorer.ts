/**
 * Log-probabilities of completions that are there already: `score` of the Engine.
 *
 *   await logProbabilities(decoder, openForm(spec), [{ prompt: '1+2=', completion: '3' }]);      // [-0.0013]
 *
 * One pass over prompt and completion together. Rows run beside others of the same padded length, in pieces of a count that
 * follows from that length, empty slots filled up: what a row gets depends on that row alone (see decoder.ts). The numbers of
 * its tokens are added up in float64, in their order.
 */
import { setImmediate } from 'node:timers/promises';
import { EngineError, type EngineControl, type TrainRow } from '../engine.ts';
import { tokensOf } from './batches.ts';
import type { TokenRow } from './batches.ts';
import type { Decoder } from './decoder.ts';
import type { PromptForm } from './prompt-form.ts';

const PROGRESS_MS = 500;

/**
 * @returns one number for each row, in order; 0 for an empty completion.
 * @throws EngineError TextNotInVocabulary, TrainingDataInvalid (longer than the context); the signal's reason.
 */
export async function logProbabilities(
  decoder: Decoder,
  form: PromptForm,
  rows: readonly TrainRow[],
  control: EngineControl = {},
): Promise<number[]> {
  const { context, vocabSize } = decoder.config;
  const known = rows.map((row, index) => {
    const invalid = (fault: string) => new EngineError('TrainingDataInvalid', `row ${index} to score ${fault}`);
    return tokensOf(row, form, { context, vocabSize }, invalid);
  });
  const tokens = await tokenLogProbabilities(decoder, form.pad, known, control);
  return tokens.map((row) => row.reduce((sum, one) => sum + one, 0));
}

/** The same for each predicted token of rows that are ids already. Throws the signal's reason. */
export async function tokenLogProbabilities(
  decoder: Decoder,
  pad: number,
  known: readonly TokenRow[],
  { signal, onProgress }: EngineControl = {},
): Promise<number[][]> {
  const byLength = new Map<number, number[]>();
  for (const [index, { tokens }] of known.entries()) {
    const padded = decoder.paddedLength(tokens.length - 1);
    byLength.set(padded, [...(byLength.get(padded) ?? []), index]);
  }
  const results = new Array<number[]>(known.length);
  let [done, tokensDone] = [0, 0];
  let [toldAt, toldTokens] = [performance.now(), 0];
  for (const [padded, indices] of byLength) {
    const slots = decoder.scoredAtOnce(padded);
    for (let at = 0; at < indices.length; at += slots) {
      await setImmediate();
      signal?.throwIfAborted();
      const piece = indices.slice(at, at + slots);
      const filled = Array.from({ length: slots }, (_, slot) => Array.from(known[piece[slot] ?? -1]?.tokens ?? []));
      const costs = decoder.costs(filled, padded, pad);
      for (const [slot, index] of piece.entries()) {
        const { tokens, promptLength } = known[index]!;
        const completion = tokens.length - Math.max(1, promptLength);
        const own = costs.subarray((slot + 1) * padded - completion, (slot + 1) * padded);
        results[index] = Array.from(own, (cost) => -cost);
        tokensDone += tokens.length;
      }
      done += piece.length;
      const now = performance.now();
      if (now - toldAt < PROGRESS_MS && done < known.length) continue;
      const tokensPerSecond = ((tokensDone - toldTokens) / Math.max(1, now - toldAt)) * 1000;
      onProgress?.({ done, total: known.length, tokensPerSecond });
      [toldAt, toldTokens] = [now, tokensDone];
    }
  }
  return results;
}
