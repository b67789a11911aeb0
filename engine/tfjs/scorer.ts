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
import type { TokenRow } from './batches.ts';
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
  control: EngineControl = {},
): Promise<number[]> {
  const { context, vocabSize, rewardHead } = decoder.config;
  const known = rows.map((row, index) => {
    const invalid = (fault: string) => new EngineError('TrainingDataInvalid', `row ${index} to score ${fault}`);
    return tokensOf(row, form, { context, vocabSize }, invalid);
  });
  if (rewardHead) return rewardsOf(decoder, form.pad, known, control);
  const tokens = await tokenLogProbabilities(decoder, form.pad, known, control);
  return tokens.map((row) => row.reduce((sum, one) => sum + one, 0));
}

/** The log-probability of each predicted token of rows that are ids already. Throws the signal's reason. */
export const tokenLogProbabilities = (
  decoder: Decoder,
  pad: number,
  known: readonly TokenRow[],
  control: EngineControl = {},
): Promise<number[][]> =>
  inPieces(known, control, {
    // The last token is only predicted.
    paddedOf: ({ tokens }) => decoder.paddedLength(tokens.length - 1),
    slotsOf: (padded) => decoder.costsAtOnce(padded),
    made: (rows, padded) => {
      const costs = decoder.costs(rows, padded, pad);
      return ({ tokens, promptLength }, slot) => {
        const completion = tokens.length - Math.max(1, promptLength);
        const own = costs.subarray((slot + 1) * padded - completion, (slot + 1) * padded);
        return Array.from(own, (cost) => -cost);
      };
    },
  });

/** What a reward model holds of each whole row. Throws the signal's reason. */
const rewardsOf = (
  decoder: Decoder,
  pad: number,
  known: readonly TokenRow[],
  control: EngineControl,
): Promise<number[]> =>
  inPieces(known, control, {
    paddedOf: ({ tokens }) => decoder.paddedLength(tokens.length),
    slotsOf: (padded) => decoder.rewardsAtOnce(padded),
    made: (rows, padded) => {
      const rewards = decoder.rewards(rows, padded, pad);
      return (_, slot) => rewards[slot]!;
    },
  });

/** How rows of one padded length are computed, so many at once; `made` gives what is then read off for each slot. */
interface Pieces<R> {
  paddedOf(row: TokenRow): number;
  slotsOf(padded: number): number;
  made(rows: number[][], padded: number): (row: TokenRow, slot: number) => R;
}

/** In the order of the rows. */
async function inPieces<R>(
  known: readonly TokenRow[],
  { signal, onProgress }: EngineControl,
  { paddedOf, slotsOf, made }: Pieces<R>,
): Promise<R[]> {
  const byLength = new Map<number, number[]>();
  for (const [index, row] of known.entries()) {
    const padded = paddedOf(row);
    byLength.set(padded, [...(byLength.get(padded) ?? []), index]);
  }
  const results = new Array<R>(known.length);
  let [done, tokensDone] = [0, 0];
  let [toldAt, toldTokens] = [performance.now(), 0];
  for (const [padded, indices] of byLength) {
    const slots = slotsOf(padded);
    for (let at = 0; at < indices.length; at += slots) {
      await setImmediate();
      signal?.throwIfAborted();
      const piece = indices.slice(at, at + slots);
      const filled = Array.from({ length: slots }, (_, slot) => Array.from(known[piece[slot] ?? -1]?.tokens ?? []));
      const read = made(filled, padded);
      for (const [slot, index] of piece.entries()) {
        const row = known[index]!;
        results[index] = read(row, slot);
        tokensDone += row.tokens.length;
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
