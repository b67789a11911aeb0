/**
 * What texts cost by their parts: `costs` of the Engine.
 *
 *   await costsOf(model, [{ prompt: 'acbdca;2a=', parts: ['b', '. so it goes'] }])
 *   // [{ plain: [0.7, 0.02], thinking: [0.1, 0.02], shuffled: [1.9, 0.02] }]
 *
 * Behind thoughts: greedy ones, one before each token of the parts, which sees the true text so far. Shuffled: the thoughts of the next
 * text of the same lengths, at the same places (of a text that has no other its own, each one position before); they are read anew where
 * they now stand. Pauses have nothing to shuffle: both costs are one. A
 * pass takes so many texts of one length, missing ones filled up, that a row's costs do not depend on the others but by rounding.
 */
import { setImmediate } from 'node:timers/promises';
import { EngineError } from '../engine.ts';
import type { EngineControl, PartCosts, PartsRow } from '../engine.ts';
import type { TokenRow } from './batches.ts';
import { Decoder } from './decoder.ts';
import { flatten, parameterLayout } from './layout.ts';
import { tf } from './native.ts';
import type { Tensor } from './native.ts';
import { pick } from './pick.ts';
import { openForm } from './prompt-form.ts';
import { assembleThinking } from './quiet.ts';
import type { ThinkingBatch } from './quiet.ts';
import { Thinker } from './quiet-thinker.ts';
import type { Checkpoint } from './safetensors.ts';
import { tokenLogProbabilities } from './scorer.ts';

/** Texts of one pass. */
const TEXTS = 16;

/** Prompt and parts as ids. */
interface PartedRow extends TokenRow {
  /** Tokens of each part. */
  lengths: number[];
}

/** @throws EngineError TextNotInVocabulary, TrainingDataInvalid (longer than the context); the signal's reason. */
export async function costsOf(
  model: Checkpoint,
  rows: readonly PartsRow[],
  control: EngineControl = {},
): Promise<PartCosts[]> {
  const form = openForm(model.tokenizer);
  const known = rows.map(({ prompt, parts }, index): PartedRow => {
    const { before, prompts } = form.ask('', [prompt]);
    const asked = [...before, ...prompts[0]!];
    const written = parts.map((part) => form.encode(part));
    const tokens = Int32Array.of(...asked, ...written.flat());
    if (tokens.length > model.config.context)
      throw new EngineError(
        'TrainingDataInvalid',
        `row ${index} has ${tokens.length} tokens, the context ${model.config.context}; shorten it`,
      );
    return { tokens, promptLength: asked.length, lengths: written.map(({ length }) => length) };
  });
  const decoder = new Decoder(model);
  try {
    const plain = await tokenLogProbabilities(decoder, form.pad, known, control);
    const costs = known.map((row, n): PartCosts => ({
      plain: byPart(
        row,
        plain[n]!.map((one) => -one),
      ),
    }));
    if (model.config.quiet) await thinkingCosts(model, known, form.pad, costs, control);
    return costs;
  } finally {
    decoder.close();
  }
}

/** A text without a prompt has a first token that nothing predicts. */
function byPart({ lengths, promptLength }: PartedRow, costs: readonly number[]): number[] {
  let at = promptLength === 0 ? -1 : 0;
  return lengths.map((length) => {
    const own = costs.slice(Math.max(0, at), at + length);
    at += length;
    return own.reduce((sum, one) => sum + one, 0);
  });
}

async function thinkingCosts(
  model: Checkpoint,
  rows: readonly PartedRow[],
  pad: number,
  costs: PartCosts[],
  { signal, onProgress }: EngineControl,
): Promise<void> {
  const { config } = model;
  const { tokens, pause } = config.quiet!;
  const aim = { kind: 'quiet', tokens, ...(pause && { pause }), ahead: 1, passes: 1, policy: 0 } as const;
  const thinker = new Thinker(config);
  const weights = tf.keep(tf.tensor1d(flatten(parameterLayout(config), model.tensors)));
  let done = 0;
  /** One pass over the texts of a piece, behind the thoughts that `fill` gives them. */
  const costPiece = async (
    piece: readonly number[],
    column: 'thinking' | 'shuffled',
    fill: (batch: ThinkingBatch, perText: number) => void,
  ): Promise<void> => {
    await setImmediate();
    signal?.throwIfAborted();
    const filled = Array.from({ length: TEXTS }, (_, slot) => rows[piece[slot] ?? piece[0]!]!);
    const batch = assembleThinking(filled, pad, config.vocabSize, aim);
    const perText = batch.asked.length / TEXTS;
    fill(batch, perText);
    const found = behindOf(thinker, batch, weights);
    for (const [slot, index] of piece.entries()) {
      const own = found.subarray(slot * perText, (slot + 1) * perText);
      costs[index]![column] = byPart(rows[index]!, Array.from(own));
    }
    // Pauses are all alike: nothing is shuffled.
    done += pause ? piece.length : piece.length / 2;
    onProgress?.({ done: Math.floor(done), total: rows.length, tokensPerSecond: 0 });
  };
  try {
    for (const pieces of alike(rows)) {
      const thoughts: Int32Array[] = [];
      for (const piece of pieces)
        await costPiece(piece, 'thinking', (batch, perText) => {
          thinker.think(batch, weights, (logits) => pick(logits, { temperature: 0, topP: 1 }, 0));
          if (!pause) for (const slot of piece.keys()) thoughts.push(thoughtsAt(batch, slot, perText * tokens));
        });
      if (pause) for (const index of pieces.flat()) costs[index]!.shuffled = costs[index]!.thinking!;
      else
        for (const [n, piece] of pieces.entries())
          await costPiece(piece, 'shuffled', (batch, perText) => {
            for (const slot of piece.keys())
              put(thinker, batch, slot, perText, nextOf(thoughts, n * TEXTS + slot, tokens));
          });
    }
  } finally {
    weights.dispose();
    thinker.dispose();
  }
}

/** Numbers of the rows, in groups of the same lengths, each in pieces of one pass. */
function alike(rows: readonly PartedRow[]): number[][][] {
  const byShape = new Map<string, number[]>();
  for (const [index, { tokens, promptLength }] of rows.entries()) {
    const key = `${tokens.length} ${promptLength}`;
    byShape.set(key, [...(byShape.get(key) ?? []), index]);
  }
  return [...byShape.values()].map((group) =>
    Array.from({ length: Math.ceil(group.length / TEXTS) }, (_, n) => group.slice(n * TEXTS, (n + 1) * TEXTS)),
  );
}

/** The tokens of a text's thoughts, one after the other. */
const thoughtsAt = ({ targets, firstTarget }: ThinkingBatch, slot: number, length: number): Int32Array =>
  targets.slice(firstTarget + slot * length, firstTarget + (slot + 1) * length);

/** The thoughts of the next text; of one that is alone its own, each at the position before it. */
function nextOf(thoughts: readonly Int32Array[], place: number, tokens: number): Int32Array {
  const next = thoughts[(place + 1) % thoughts.length]!;
  if (thoughts.length > 1) return next;
  return Int32Array.of(...next.subarray(tokens), ...next.subarray(0, tokens));
}

function put(thinker: Thinker, batch: ThinkingBatch, slot: number, perText: number, thoughts: Int32Array): void {
  const tokens = thoughts.length / perText;
  for (const [n, token] of thoughts.entries())
    thinker.put(batch, slot * perText + Math.floor(n / tokens), n % tokens, token);
}

/** Costs of the rows behind thoughts, text by text. */
function behindOf(thinker: Thinker, batch: ThinkingBatch, weights: Tensor): Float32Array {
  const costs = thinker.costs(batch, weights);
  return costs.slice(costs.length - batch.aim!.inputs.partner!.values.length);
}
