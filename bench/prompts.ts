/**
 * Prompts that end by themselves, and models that end them.
 *
 * The tiny model is trained for a few hundred steps on the main job's own scratchpads, behind the six worked examples that
 * all prompts share: after that it writes the form and ends it, right or wrong. A random model never does, so that of
 * SmolLM2's shape gets an end token whose logits spread `END_SPREAD` times as wide as the others': it wins at a few percent of
 * the positions, and lengths come out geometric, cut off at the limit. Both sides sample greedily from the same weights.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createHostedEngine } from '../engine/host.ts';
import { TRAINER_VERSION } from '../engine/tfjs/optimizer.ts';
import { readCheckpoint, weightsDigest } from '../engine/tfjs/safetensors.ts';
import { DecoderConfig, tokenizerSize, TrainSchedule } from '../schemas/checkpoint.ts';
import type { Problem } from '../schemas/problem.ts';
import addition from '../tasks/addition.ts';
import { tokenizerOf } from '../tasks/task.ts';
import { numberedPieces, numbers, randomTensors, save, smolLm2, TINY } from './models.ts';
import type { SavedModel } from './models.ts';
import { venvFolder } from './python.ts';
import type { BenchContext } from './row.ts';

const PARAMETERS = addition.parameters.parse({ digits: 5 });
/** Digits of the six worked examples: some 300 tokens in all. */
const SHOTS = [3, 4, 4, 4, 5, 5];
const STEPS = 300;

const worked = (problem: Problem): string => `${addition.prompt.free(problem)}${addition.goldCompletion(problem)}\n`;

/** The prefix that all prompts of the tiny model share. */
export function sixShots(): string {
  const seeds = addition.seeds(PARAMETERS, '1');
  const used = new Map<string, number>();
  return SHOTS.map((digits) => {
    const n = used.get(String(digits)) ?? 0;
    used.set(String(digits), n + 1);
    return worked(seeds.filter(({ problem }) => problem.stratum === String(digits))[n]!.problem);
  }).join('');
}

/** Held-out problems of 1 to 5 digits in turn. */
function questions(count: number): string[] {
  const strata = new Map<string, Problem[]>();
  for (const problem of addition.heldOut('test', PARAMETERS))
    strata.set(problem.stratum, [...(strata.get(problem.stratum) ?? []), problem]);
  const lists = [...strata.values()];
  return Array.from({ length: count }, (_, n) => {
    const list = lists[n % lists.length]!;
    return addition.prompt.free(list[Math.floor(n / lists.length) % list.length]!);
  });
}

/** Prompts, the text that stands before each of them, and the model that answers. */
export interface Workload {
  model: SavedModel;
  prefix: string;
  prompts: string[];
}

/** Trained once, then kept in the cache. */
export async function tinyWorkload(count: number, { threads, say }: BenchContext): Promise<Workload> {
  const prefix = sixShots();
  const tokenizer = tokenizerOf(addition, PARAMETERS);
  const config = DecoderConfig.parse({ ...TINY, vocabSize: tokenizerSize(tokenizer) });
  const schedule = TrainSchedule.parse({
    ...{ steps: STEPS, learningRate: 3e-3, warmupSteps: 30, decay: 'linear', batchSize: 16, clipNorm: 1, beta2: 0.98 },
  });
  const data = addition
    .seeds(PARAMETERS, '2')
    .map(
      ({ problem, rationale }) =>
        `${JSON.stringify({ prompt: prefix + addition.prompt.free(problem), completion: rationale })}\n`,
    )
    .join('');
  const key = createHash('sha256')
    .update(JSON.stringify([config, schedule, TRAINER_VERSION, data]))
    .digest('hex');
  const folder = venvFolder().replace(/-venv$/, '');
  const file = path.join(folder, `tiny-${key.slice(0, 16)}.safetensors`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    say(`training the tiny model on the form, once (${STEPS} steps)`);
    const aside = `${file}.${process.pid}`;
    const dataPath = `${aside}.jsonl`;
    writeFileSync(dataPath, data);
    const engine = createHostedEngine({ entry: 'tfjs', threads, hungAfterMs: 120_000 });
    try {
      const start = { kind: 'fresh' as const, config, tokenizer };
      await engine.train({ start, dataPath, schedule, seed: '1'.repeat(32), outputPath: aside });
    } finally {
      await engine.close();
    }
    renameSync(aside, file);
  }
  const { tensors } = await readCheckpoint(file);
  const model = { path: file, digest: weightsDigest(tensors.values()), config, tokenizer };
  return { model, prefix, prompts: questions(count) };
}

/** Found by trying: at 3.15 hardly a row ends, at 4.2 the mean is 25 tokens. */
const END_SPREAD = 3.8;
const PREFIX_TOKENS = 300;
const QUESTION_TOKENS = 24;

export async function smolLm2Workload(count: number, { folder }: BenchContext): Promise<Workload> {
  const config = smolLm2();
  const tokenizer = numberedPieces(config.vocabSize);
  const tensors = randomTensors(config);
  const { data } = tensors.get('model.embed_tokens.weight')!;
  const end = tokenizer.end * config.dModel;
  for (let i = end; i < end + config.dModel; i++) data[i]! *= END_SPREAD;
  const next = numbers(11);
  const text = (length: number) =>
    Array.from({ length }, () => tokenizer.pieces[2 + Math.floor(next() * (config.vocabSize - 2))]).join('');
  const prefix = text(PREFIX_TOKENS);
  const prompts = Array.from({ length: count }, () => text(QUESTION_TOKENS - Math.floor(next() * 8)));
  return { model: await save(folder, { config, tokenizer, tensors }), prefix, prompts };
}

/** Random prompts of one length for a random model that never ends: its end token's row is zero, and some logit is above. */
export async function plainWorkload(
  config: DecoderConfig,
  { rows, promptTokens }: { rows: number; promptTokens: number },
  { folder }: BenchContext,
): Promise<Workload> {
  const tokenizer = numberedPieces(config.vocabSize);
  const tensors = randomTensors(config);
  const at = tokenizer.end * config.dModel;
  tensors.get('model.embed_tokens.weight')!.data.fill(0, at, at + config.dModel);
  const next = numbers(13);
  const prompts = Array.from({ length: rows }, () =>
    Array.from({ length: promptTokens }, () => tokenizer.pieces[2 + Math.floor(next() * (config.vocabSize - 2))]).join(
      '',
    ),
  );
  return { model: await save(folder, { config, tokenizer, tensors }), prefix: '', prompts };
}
