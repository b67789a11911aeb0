/**
 * Outcome reward model: what a row labelled right or wrong has its model's reward head learn.
 *
 *   const rows = await readLabelled('labelled.jsonl', form, config);
 *   const batch = assembleLabelled(rows.slice(0, 8), form.pad);
 *   step.run([batch], 0, 1e-3);                      // summed over the rows: −log σ(z) where right, −log(1 − σ(z)) where wrong
 *
 * The reward z of a text is a linear function of the last token's hidden state behind the last norm. Source: Cobbe et al.,
 * arXiv:2110.14168 §4.2, of whose verifiers this is the form that looks at the end alone.
 */
import { z } from 'zod';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { assemble, completionShape, readLines, tokensOf } from './batches.ts';
import type { Batch, TokenRow } from './batches.ts';
import { REWARD_HEAD } from './parameters.ts';
import type { PromptForm } from './prompt-form.ts';
import type { Checkpoint } from './safetensors.ts';

export interface LabelledTokens extends TokenRow {
  correct: boolean;
}

const Row = z.strictObject({ prompt: z.string(), ...completionShape, correct: z.boolean() });

/** Reads JSONL of LabelledRow; throws as `readRows`. */
export const readLabelled = (file: string, form: PromptForm, config: DecoderConfig): Promise<LabelledTokens[]> =>
  readLines(file, Row, ({ correct, prompt, completion, completionTokens }, invalid) => {
    const row = { prompt, completion, ...(completionTokens && { completionTokens }) };
    return { ...tokensOf(row, form, config, invalid), correct };
  });

/** As `assemble`, but each row is read to its last token, and that one's label is what is predicted. */
export function assembleLabelled(rows: readonly LabelledTokens[], pad: number): Batch {
  // One token more, which nothing reads.
  const read = rows.map(({ tokens }) => ({ tokens: Int32Array.of(...tokens, pad), promptLength: tokens.length }));
  const { positions, ...batch } = assemble(read, pad);
  const targets = Int32Array.from(rows, ({ correct }) => Number(correct));
  return { ...batch, positions, targets, aim: { count: rows.length, inputs: {} } };
}

/** The model with a reward head, zero where it had none: every text is as likely right as wrong. */
export function withRewardHead(model: Checkpoint): Checkpoint {
  if (model.config.rewardHead) return model;
  const { dModel } = model.config;
  const head = { name: REWARD_HEAD, shape: [1, dModel], data: new Float32Array(dModel) };
  return {
    ...model,
    config: { ...model.config, rewardHead: true },
    tensors: new Map([...model.tensors, [REWARD_HEAD, head]]),
  };
}
