import { describe, expect, it } from 'vitest';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { alive, free, read } from '../../engine/tfjs/raw.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { additionPrompt, FAMILIES, randomModel, seedOf, tokenizer } from './models.ts';
import { plainLogits } from './plain-forward.ts';
import { PieceTokenizer } from '../../engine/tfjs/tokenizer.ts';

const VOCAB = 20;
const SLOTS = 32;
const kinds: [string, Partial<DecoderConfig>][] = [
  ['relu, tied', {}],
  ['relu, untied', { tiedEmbeddings: false }],
  ['swiglu, tied', { activation: 'swiglu', dFF: 176 }],
  [
    'swiglu, untied, other widths',
    { activation: 'swiglu', tiedEmbeddings: false, dModel: 48, heads: 3, layers: 2, dFF: 72 },
  ],
  ['wider', { dModel: 256, heads: 4, layers: 2, context: 512 }],
  ['two query heads to a key head', { kvHeads: 2 }],
  ['all query heads on one key head, swiglu', { kvHeads: 1, activation: 'swiglu', dFF: 72, dModel: 48, heads: 3 }],
  ['a window of three tokens', { window: 3 }],
  ['a window of one, learned positions', { window: 1, positions: 'learned' }],
  ...Object.entries(FAMILIES),
];

describe('Decoder', () => {
  it.each(kinds)(
    'gives the logits of a plain forward pass: %s',
    (_, config) => {
      const model = randomModel(config, 3);
      const decoder = new Decoder(model);
      // Lengths 1, 3, 8 share one padded length, so this holds padded and unpadded logits together too.
      const prompts = [[2], [3, 4, 5], [2, 3, 4, 5, 6, 7, 8, 9], [12, 13, 14, 15, 16, 17]];
      const sequences = prompts.map((prompt) => [...prompt]);
      const filled = Array.from({ length: SLOTS }, (_, slot) => prompts[slot] ?? []);
      const { cache, result } = decoder.prefill(filled, 8, 0, 'logits');
      let logits = result;
      const steps: Float32Array[] = [];
      for (let step = 0; step < 40; step++) {
        steps.push(read(logits).slice() as Float32Array);
        free(logits);
        const next = new Int32Array(SLOTS);
        for (const [slot, sequence] of sequences.entries()) {
          next[slot] = 2 + ((step * 5 + slot) % 18);
          sequence.push(next[slot]);
        }
        logits = decoder.step(cache, next, 'logits');
      }
      free(logits);
      cache.close();
      decoder.close();
      let worst = 0;
      for (const [slot, sequence] of sequences.entries()) {
        // What stands behind a position cannot be seen from it: one pass gives what all steps should have.
        const expected = plainLogits(model, sequence).slice(prompts[slot]!.length - 1);
        for (const [step, values] of steps.entries())
          for (const [id, value] of expected[step]!.entries())
            worst = Math.max(worst, Math.abs(value - values[slot * VOCAB + id]!));
      }
      expect(worst).toBeGreaterThan(0);
      expect(worst).toBeLessThan(1e-4);
    },
    300_000,
  );

  it('greedy tokens are those of a plain forward pass', async () => {
    const model = randomModel({}, 5);
    const sampler = new Sampler(model);
    const prompts = Array.from({ length: 12 }, (_, n) => additionPrompt(n));
    const rows = prompts.map((prompt) => ({ prompt, seed: seedOf(0), maxNewTokens: 24 }));
    const completions = await sampler.sample({ rows, sampling: { temperature: 0, topP: 1 } });
    const pieces = new PieceTokenizer(tokenizer);
    for (const [n, prompt] of prompts.entries()) {
      const sequence = pieces.encode(prompt);
      const { tokenIds } = completions[n]!;
      const logits = plainLogits(model, [...sequence, ...tokenIds]).slice(sequence.length - 1, -1);
      expect(tokenIds).toEqual(logits.map((row) => row.indexOf(Math.max(...row))));
      expect(tokenIds.length === 24 || tokenIds.at(-1) === tokenizer.end).toBe(true);
    }
    sampler.close();
  }, 300_000);

  it('leaves no tensor behind', async () => {
    const before = alive();
    const sampler = new Sampler(randomModel());
    const rows = Array.from({ length: 20 }, (_, n) => ({
      prompt: additionPrompt(n),
      seed: seedOf(n),
      maxNewTokens: 40,
    }));
    await sampler.sample({ rows, sampling: { temperature: 1, topP: 0.9 } });
    const loaded = alive();
    await sampler.sample({ rows, sampling: { temperature: 1, topP: 0.9 } });
    expect(alive()).toBe(loaded);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(
      sampler.sample({ rows, sampling: { temperature: 0, topP: 1 } }, { signal: controller.signal }),
    ).rejects.toThrow('enough');
    expect(alive()).toBeLessThanOrEqual(loaded + 200);
    sampler.close();
    expect(alive()).toBe(before);
  });
});
