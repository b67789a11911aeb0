/**
 * Generation, ours against `transformers.generate` and, where it knows the architecture, llama.cpp: the same weights in
 * float32, the same prompts, greedy, the same threads. Counted are new tokens up to the end mark.
 *
 *   measureGeneration(await tinyWorkload(256, context), { rowsPerSlice: 256, maxNewTokens: 96, ends: true }, context)
 *
 * Ours is the product's way: one-thread processes as many as threads, rows dealt to them. transformers runs under
 * inference_mode with scaled_dot_product_attention, rows sorted by length and padded on the left, in the batch size that was
 * fastest of those tried. llama.cpp decodes all rows as sequences of one context, the shared prefix once.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DecoderConfig } from '../schemas/checkpoint.ts';
import { openTokenizer } from '../engine/tfjs/tokenizer.ts';
import { Contestant } from './contestant.ts';
import { measureSides } from './interleave.ts';
import type { Workload } from './prompts.ts';
import { has, python } from './python.ts';
import type { BenchContext, Measured } from './row.ts';
import { ours } from './training.ts';

export interface GenerationOrder {
  config: DecoderConfig;
  model: { path: string; digest: string };
  threads: number;
  maxNewTokens: number;
  /** null: rows go on to maxNewTokens. */
  end: number | null;
  pad: number;
  /** Text that stands before every row's own; its tokens are the first `prefixTokens` of each row's ids. */
  prefix: string;
  prefixTokens: number;
  rows: { prompt: string; ids: number[] }[];
  rowsPerSlice: number;
  /** Which the peer may try. */
  batchSizes: number[];
}

export interface GenerationShape {
  rowsPerSlice: number;
  maxNewTokens: number;
  /** false: all rows have the same length. */
  ends: boolean;
  batchSizes: number[];
}

/** Sides may differ in the last bits of a logit and so in a token here and there, not in how long their texts are. */
const LENGTH_TOLERANCE = 0.1;
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const LLAMA_CPP = ['llama-cpp-python', 'gguf'];

export function generationOrder(
  { model, prefix, prompts }: Workload,
  { ends, ...shape }: GenerationShape,
  { folder, threads }: BenchContext,
): string {
  const tokenizer = openTokenizer(model.tokenizer);
  // Tokenised apart, as the engine does it.
  const before = tokenizer.encode(prefix);
  const order: GenerationOrder = {
    ...shape,
    config: model.config,
    model: { path: model.path, digest: model.digest },
    threads,
    end: ends ? model.tokenizer.end : null,
    pad: model.tokenizer.pad,
    prefix,
    prefixTokens: before.length,
    rows: prompts.map((prompt) => ({ prompt, ids: [...before, ...tokenizer.encode(prompt)] })),
  };
  const file = path.join(folder, 'order.json');
  writeFileSync(file, JSON.stringify(order));
  return file;
}

export async function measureGeneration(
  workload: Workload,
  shape: GenerationShape,
  context: BenchContext,
): Promise<Measured> {
  const interpreter = await python(context.say);
  const order = generationOrder(workload, shape, context);
  const peer = (label: string, program: string) =>
    Contestant.start(label, interpreter, [here(`peers/${program}`), order]);
  const sides: Contestant[] = [];
  const add = async (starting: Promise<Contestant>) => {
    const side = await starting;
    sides.push(side);
    context.say(`${side.facts.name} is ready`);
  };
  try {
    await add(ours('ours/generate.ts', order, 1));
    await add(peer('transformers', 'generate_transformers.py'));
    agreeInLength(sides[0]!, sides[1]!);
    const why = await llamaCppLacks(workload.model.config, interpreter);
    let failure = why;
    if (why === undefined)
      await add(peer('llama.cpp', 'generate_llama_cpp.py'))
        .then(() => agreeInLength(sides[0]!, sides[2]!))
        .catch(async (error: Error) => {
          failure = error.message.split('\n')[0];
          await Promise.all(sides.splice(2).map((side) => side.end()));
        });
    const measured = await measureSides(sides as [Contestant, Contestant], context.repetitions, context.say);
    if (failure !== undefined)
      measured.beside.push({ peerName: 'llama.cpp', peer: null, ratio: null, spread: null, note: failure });
    return measured;
  } finally {
    await Promise.all(sides.map((side) => side.end()));
  }
}

/** @throws Error where the texts of two sides differ in length by more than a tenth: then they do not do the same work. */
export function agreeInLength(us: Pick<Contestant, 'facts'>, peer: Pick<Contestant, 'facts'>): void {
  const [mine, theirs] = [Number(us.facts.meanNewTokens), Number(peer.facts.meanNewTokens)];
  if (!(Math.abs(mine - theirs) <= LENGTH_TOLERANCE * theirs))
    throw new Error(
      `a row has ${mine} new tokens on average with ${us.facts.name} and ${theirs} with ${peer.facts.name}: they do not do ` +
        `the same work, so their speeds say nothing. Compare the decoders on one prompt.`,
    );
}

async function llamaCppLacks(config: DecoderConfig, interpreter: string): Promise<string | undefined> {
  if (config.activation !== 'swiglu') return 'it has no architecture with a feed-forward block without a gate';
  if (await has(interpreter, LLAMA_CPP)) return undefined;
  return 'not installed; `npm run bench -- --install-llama-cpp` compiles it (10 minutes on two cores)';
}

/** Compiles llama.cpp into the environment of the bench. */
export async function installLlamaCpp(say: (line: string) => void): Promise<void> {
  await python(say, LLAMA_CPP);
}
