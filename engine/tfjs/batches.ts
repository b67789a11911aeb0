/**
 * Training rows as token ids, and which of them make up each optimizer step.
 *
 *   const rows = await readRows('train.jsonl', form, config);
 *   const batch = assemble(rows, batchRows(rows, schedule.batchSize, seed, step), form.pad);
 *
 * Order: epochs; in each, rows of similar length share a batch (bucketing: little padding) and batches come in random
 * order. Every row is used once in an epoch; what does not fill a batch is one smaller batch, made at a random place of the
 * sorted rows so that it does not always hold the longest. All of it is a pure function of seed and step: the position in
 * the data needs no state besides the step.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { CallSpan, ToolName } from '../../schemas/tools.ts';
import { piecesOf } from '../../tools/calls.ts';
import { EngineError } from '../engine.ts';
import type { TrainRow } from '../engine.ts';
import { uniform } from './rng.ts';
import type { AimBatch } from './objective.ts';
import type { PromptForm } from './prompt-form.ts';
import type { Streams } from './quiet-streams.ts';

/** One sequence: prompt, then completion. */
export interface TokenRow {
  tokens: Int32Array;
  /** How many of them are the prompt. */
  promptLength: number;
  /** Parts of them, from the row's beginning, that are read and not learnt. */
  given?: readonly Pick<CallSpan, 'from' | 'to'>[];
}

/** What the order of training rows looks at. */
export type Sized = Pick<TokenRow, 'tokens'>;

export const completionShape = {
  completion: z.string(),
  completionTokens: z.array(z.int().nonnegative()).optional(),
};
const Row = z.strictObject({
  prompt: z.string(),
  ...completionShape,
  calls: z.array(CallSpan).optional(),
  tools: z.array(ToolName).optional(),
});

/**
 * Reads JSONL of TrainRow.
 * @throws EngineError TrainingDataInvalid (malformed, empty, longer than the context; the row is named, first = 0) or
 * TextNotInVocabulary.
 */
export const readRows = (file: string, form: PromptForm, config: DecoderConfig): Promise<TokenRow[]> =>
  readLines(file, Row, (row, invalid) => tokensOf(row, form, config, invalid));

/** Reads JSONL of one shape; errors name the row. Throws as `readRows`, and what `made` throws. */
export async function readLines<S extends z.ZodType, R>(
  file: string,
  shape: S,
  made: (line: z.output<S>, invalid: (fault: string) => EngineError) => R,
): Promise<R[]> {
  const rows: R[] = [];
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  for await (const line of lines) {
    if (line.trim() === '') continue;
    const index = rows.length;
    const invalid = (fault: string) => new EngineError('TrainingDataInvalid', `${file}: row ${index} ${fault}`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw invalid('is no JSON; each line must be one {"prompt", "completion"}');
    }
    const parsed = shape.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw invalid(`has a wrong ${issue.path.join('.') || 'shape'}: ${issue.message}`);
    }
    try {
      rows.push(made(parsed.data, invalid));
    } catch (error) {
      if (!(error instanceof EngineError) || error.code === 'TrainingDataInvalid') throw error;
      throw new EngineError(error.code, `${file}: row ${index}: ${error.sentence}`);
    }
  }
  if (rows.length === 0) throw new EngineError('TrainingDataInvalid', `${file} has no rows; give at least one`);
  return rows;
}

/**
 * Prompt and completion as ids. Throws what `invalid` makes of a sentence where they do not fit the model, and
 * EngineError TextNotInVocabulary.
 */
export function tokensOf(
  { prompt: text, completion, completionTokens, calls, tools }: TrainRow,
  form: PromptForm,
  { context, vocabSize }: Pick<DecoderConfig, 'context' | 'vocabSize'>,
  invalid: (fault: string) => EngineError,
): TokenRow {
  const { before, prompts } = form.ask('', [text]);
  const prompt = [...before, ...prompts[0]!];
  const written = completionTokens
    ? { ids: form.sampled(completionTokens), given: calls }
    : tools
      ? withCalls(completion, tools, form)
      : { ids: form.completion(completion) };
  const { ids } = written;
  const tokens = Int32Array.of(...prompt, ...ids);
  if (tokens.length > context)
    throw invalid(`has ${tokens.length} tokens, the context ${context}; shorten it or train a longer context`);
  const stranger = ids.find((id) => id >= vocabSize);
  if (stranger !== undefined) throw invalid(`holds token id ${stranger}, outside the vocabulary of ${vocabSize}`);
  const given = written.given?.map(({ from, to }) => ({ from: prompt.length + from, to: prompt.length + to }));
  return { tokens, promptLength: prompt.length, ...(given && { given }) };
}

/** A text with calls, tokenised as it would have been sampled: what a tool says apart from what stands around it. */
function withCalls(text: string, tools: readonly ToolName[], form: PromptForm): { ids: number[]; given: CallSpan[] } {
  const pieces = piecesOf(text, tools);
  const last = pieces.at(-1);
  // Its end belongs to the last piece of the model's own.
  const own = last === undefined || last.tool ? '' : last.text;
  const ids: number[] = [];
  const given: CallSpan[] = [];
  for (const piece of own === '' ? pieces : pieces.slice(0, -1)) {
    const from = ids.length;
    ids.push(...form.encode(piece.text));
    if (piece.tool) given.push({ tool: piece.tool, from, to: ids.length });
  }
  ids.push(...form.completion(own));
  return { ids, given };
}

/** Counter that keeps the order of the data apart from every other use of the same seed. */
const DATA_ORDER = 2;

/** Fisher–Yates over 0 … n−1; a pure function of its arguments. */
function permutation(seed: string, epoch: number, purpose: number, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniform(seed, DATA_ORDER, epoch, purpose, i) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The batches of an epoch, each a list of row indices. */
export function epochBatches(rows: readonly Sized[], batchSize: number, seed: string, epoch: number): number[][] {
  // Stable sort of a random permutation: ties in length are in random order.
  const sorted = Array.from(permutation(seed, epoch, 0, rows.length)).sort(
    (a, b) => rows[a]!.tokens.length - rows[b]!.tokens.length,
  );
  const count = Math.ceil(sorted.length / batchSize);
  const partial = Math.floor(uniform(seed, DATA_ORDER, epoch, 1) * count);
  const rest = sorted.length - (count - 1) * batchSize;
  const batches: number[][] = [];
  for (let batch = 0, from = 0; batch < count; batch++) {
    const to = from + (batch === partial ? rest : batchSize);
    batches.push(sorted.slice(from, to));
    from = to;
  }
  return Array.from(permutation(seed, epoch, 2, count), (batch) => batches[batch]!);
}

/** Steps through the epochs; keeps only the current one. */
export class BatchOrder {
  #epoch = -1;
  #batches: number[][] = [];
  constructor(
    readonly rows: readonly Sized[],
    readonly batchSize: number,
    readonly seed: string,
  ) {}

  /** Row indices of `step`; steps may be asked for in any order. */
  at(step: number): number[] {
    const perEpoch = Math.ceil(this.rows.length / this.batchSize);
    const epoch = Math.floor(step / perEpoch);
    if (epoch !== this.#epoch) {
      this.#batches = epochBatches(this.rows, this.batchSize, this.seed, epoch);
      this.#epoch = epoch;
    }
    return this.#batches[step % perEpoch]!;
  }
}

/** One batch as arrays; see BatchInputs of gradient.ts for the shapes. */
export interface Batch {
  batch: number;
  time: number;
  ids: Int32Array;
  positions: Int32Array;
  targets: Int32Array;
  /** Tokens that are read and are not padding. */
  tokens: number;
  /** Where something else than the likelihood of its tokens is learnt. */
  aim?: AimBatch;
  /** Where thoughts stand behind each row's text. */
  thinking?: Streams;
}

/** The loss of a step is the mean over so many of these: predicted tokens, or what the aim counts. */
export const countOf = ({ targets, aim }: Batch): number => (aim ? aim.count : targets.length);

/**
 * Pads rows to the longest on the right. A row's last token is only predicted, never read. The first token of a row with an
 * empty prompt has nothing before it and is not predicted.
 */
export function assemble(rows: readonly TokenRow[], pad: number): Batch {
  const time = Math.max(1, ...rows.map(({ tokens }) => tokens.length - 1));
  const ids = new Int32Array(rows.length * time).fill(pad);
  const positions: number[] = [];
  const targets: number[] = [];
  let tokens = 0;
  for (const [index, row] of rows.entries()) {
    const read = row.tokens.subarray(0, -1);
    ids.set(read, index * time);
    tokens += read.length;
    for (let at = Math.max(1, row.promptLength); at < row.tokens.length; at++) {
      if (row.given?.some(({ from, to }) => at >= from && at < to)) continue;
      positions.push(index * time + at - 1);
      targets.push(row.tokens[at]!);
    }
  }
  return {
    batch: rows.length,
    time,
    ids,
    positions: Int32Array.from(positions),
    targets: Int32Array.from(targets),
    tokens,
  };
}
