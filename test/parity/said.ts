/** What a decoder says beside what its reference said (reference.py): logits, and greedy tokens until the two first part. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Decoder } from '../../engine/tfjs/decoder.ts';
import { free, read, type Handle } from '../../engine/tfjs/raw.ts';
import { readSafetensors } from '../../engine/tfjs/safetensors.ts';

export interface Said {
  prompts: number[][];
  greedy: number[][];
  /** Between the reference's two likeliest, at each token. */
  gaps: number[][];
}

/** Where the two likeliest are as near as this, either is right. */
const TIE = 2e-3;

export const readSaid = <T extends Said>(stem: string): T => JSON.parse(readFileSync(`${stem}.json`, 'utf8')) as T;

/**
 * All prompts in one batch, padded to `padded`. Fails where a token differs that was no tie.
 * @returns the largest difference of logits after the prompts and after the last token, and how many tokens are equal.
 */
export async function compare(decoder: Decoder, said: Said, stem: string, padded: number) {
  const { vocabSize } = decoder.config;
  const { tensors } = await readSafetensors(`${stem}.logits.safetensors`);
  const slots = decoder.sizes.find((count) => count >= said.prompts.length)!;
  const prompts = Array.from({ length: slots }, (_, slot) => said.prompts[slot] ?? []);
  const take = (handle: Handle) => {
    const values = read(handle).slice() as Float32Array;
    free(handle);
    return (slot: number) => values.subarray(slot * vocabSize, (slot + 1) * vocabSize);
  };
  const differs = (name: 'first' | 'last', slot: number, own: Float32Array) => {
    const wanted = (tensors.get(name)!.data as Float32Array).subarray(slot * vocabSize, (slot + 1) * vocabSize);
    return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - own[i]!)), 0);
  };
  const { cache, result } = decoder.prefill(prompts, padded, 0, 'logits');
  let logits = take(result);
  const running = new Set(said.prompts.keys());
  const first = Math.max(...[...running].map((slot) => differs('first', slot, logits(slot))));
  const steps = said.greedy[0]!.length;
  let [tokens, last] = [0, 0];
  for (let step = 0; step < steps; step++) {
    const next = new Int32Array(slots);
    for (const slot of said.prompts.keys()) {
      const own = logits(slot);
      if (step === steps - 1 && running.has(slot)) last = Math.max(last, differs('last', slot, own));
      next[slot] = own.reduce((best, value, id) => (value > own[best]! ? id : best), 0);
      if (!running.has(slot)) continue;
      if (next[slot] === said.greedy[slot]![step]) tokens++;
      else {
        expect(said.gaps[slot]![step], `prompt ${slot}, token ${step}`).toBeLessThan(TIE);
        running.delete(slot);
      }
    }
    if (step < steps - 1) logits = take(decoder.step(cache, next, 'logits'));
  }
  cache.close();
  return { first, last, tokens, whole: running.size };
}
