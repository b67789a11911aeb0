/**
 * Tokens per second of generation against `transformers.generate`: same shapes, prompts, lengths and threads, in turn.
 *
 *   npx tsx bench/generate.ts --shape tiny --prefix            # the loop's own workload: six shots before every problem
 *   npx tsx bench/generate.ts --shape smollm2 --repetitions 3
 *   npx tsx bench/generate.ts --shape tiny --no-peer --lanes 0 # ours alone, in this process, with its time on the processor
 *
 * The peer (PEER_PYTHON, a Python with torch and transformers) gets its best of several batch sizes. Weights are random and
 * not the same on the two sides; lengths of completions are given (a scratchpad's with --prefix, fixed without), so that the
 * count of tokens is the same. `--peer-rows` lets it do the first n rows only, where all of them take minutes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DecoderConfig, tokenizerSize, type TokenizerSpec } from '../schemas/checkpoint.ts';
import { createHostedEngine } from '../engine/host.ts';
import { createLanedEngine } from '../engine/lanes.ts';
import { createTfjsEngine } from '../engine/tfjs/engine.ts';
import { parameterShapes } from '../engine/tfjs/parameters.ts';
import { openTokenizer } from '../engine/tfjs/tokenizer.ts';
import type { Checkpoint } from '../engine/tfjs/safetensors.ts';
import addition from '../tasks/addition.ts';
import { tokenizerOf } from '../tasks/task.ts';
import { modelFolder, seedOf } from '../test/engine/models.ts';

const { values: args } = parseArgs({
  allowNegative: true,
  options: {
    shape: { type: 'string', default: 'tiny' },
    prefix: { type: 'boolean', default: false },
    rows: { type: 'string' },
    repetitions: { type: 'string', default: '5' },
    lanes: { type: 'string', default: '2' },
    temperature: { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
    peer: { type: 'boolean', default: true },
    batches: { type: 'string', default: '32,64,128,256' },
    'peer-rows': { type: 'string' },
  },
});
const threads = Number(args.threads);
const lanes = Number(args.lanes);
const tokenizer = tokenizerOf(addition, { digits: 5 });
const SHAPES: Record<string, DecoderConfig> = {
  tiny: DecoderConfig.parse({
    vocabSize: tokenizerSize(tokenizer),
    ...{ dModel: 64, layers: 3, heads: 4, dFF: 256, activation: 'relu', context: 512 },
  }),
  // HuggingFaceTB/SmolLM2-135M, config.json
  smollm2: DecoderConfig.parse({
    ...{ vocabSize: 49_152, dModel: 576, layers: 30, heads: 9, kvHeads: 3, dFF: 1536 },
    ...{ activation: 'swiglu', context: 2048, ropeTheta: 100_000 },
  }),
};
const config = SHAPES[args.shape]!;

/** Random, quick to make, and never ending a text by itself. */
function model(spec: TokenizerSpec): Checkpoint {
  let state = 12345;
  const next = () => ((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 0x7fffffff - 0.5) * 0.07;
  const tensors: Checkpoint['tensors'] = new Map();
  for (const { name, shape } of parameterShapes(config)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let at = 0; at < data.length; at++) data[at] = shape.length === 1 ? 1 : next();
    tensors.set(name, { name, shape, data });
  }
  // A row of zeros for the end token: some other logit is above 0, so it is never the largest.
  tensors.get('model.embed_tokens.weight')!.data.fill(0, spec.end * config.dModel, (spec.end + 1) * config.dModel);
  return { config, tokenizer: spec, tensors };
}

const strata = addition.strata({ digits: 5 });
const problem = (n: number) => strata[n % 5]!.at((n * 7919) % strata[n % 5]!.size);
const shots = [4, 3, 9, 2, 8, 7].map(
  (n) => `${addition.prompt.free(problem(n))}${addition.goldCompletion(problem(n))}\n`,
);
const prefix = args.prefix ? shots.join('') : '';
const pieces = openTokenizer(tokenizer);
const rows = Array.from({ length: Number(args.rows ?? (args.prefix ? 256 : 64)) }, (_, n) => {
  const gold = pieces.encode(addition.goldCompletion(problem(n))).length + 1;
  const plain = `${'1234567890+12345'.slice(0, 16)}`;
  return {
    prompt: args.prefix ? addition.prompt.free(problem(n)) : plain,
    seed: seedOf(n),
    maxNewTokens: args.prefix ? Math.min(96, gold) : args.shape === 'tiny' ? 96 : 24,
  };
});

const files = modelFolder();
const checkpoint = await files.save(model(tokenizer));
const lane = (count: number) => createHostedEngine({ entry: 'tfjs', threads: count, hungAfterMs: 600_000 });
const hosted = Array.from({ length: lanes }, () => lane(Math.max(1, Math.floor(threads / lanes))));
const engine = lanes === 0 ? createTfjsEngine() : createLanedEngine({ sampling: hosted, training: hosted[0]! });
const sampling = { temperature: Number(args.temperature), topP: 1 };

interface Measured {
  tokens: number;
  seconds: number;
  /** Seconds on the processor: on a busy machine the clock measures the neighbours. Lanes have their own. */
  cpu: number;
}
async function ours(): Promise<Measured> {
  const before = process.cpuUsage();
  const started = performance.now();
  const completions = await engine.sample({ model: checkpoint, rows, sampling, prefix });
  const { user, system } = process.cpuUsage(before);
  const tokens = completions.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  return { tokens, seconds: (performance.now() - started) / 1000, cpu: (user + system) / 1e6 };
}

const peerRows = rows.slice(0, Number(args['peer-rows'] ?? rows.length));
const before = pieces.encode(prefix);
const work = {
  prompts: peerRows.map((row) => [...before, ...pieces.encode(row.prompt)]),
  lengths: peerRows.map((row) => row.maxNewTokens),
};
const script = fileURLToPath(new URL('./peers/generate.py', import.meta.url));
const python = args.peer
  ? spawn(process.env.PEER_PYTHON ?? 'python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  : null;
const lines = python === null ? null : createInterface({ input: python.stdout })[Symbol.asyncIterator]();
async function ask<X>(message: object): Promise<X> {
  python!.stdin.write(`${JSON.stringify(message)}\n`);
  return JSON.parse((await lines!.next()).value as string) as X;
}
const peer = (batch: number) => ask<Measured>({ batch, ...work });

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const rate = ({ tokens, seconds }: Measured) => tokens / seconds;
const perCpu = ({ tokens, cpu }: Measured) => tokens / cpu;
const onProcessor = lanes === 0;
function say(label: string, results: Measured[]): void {
  const rates = results.map(rate);
  const [least, most] = [Math.min(...rates), Math.max(...rates)].map(Math.round);
  const cpu = onProcessor ? `, ${Math.round(median(results.map(perCpu)))} a CPU-second` : '';
  console.log(`${label}: ${Math.round(median(rates))} tokens/s (${least}–${most})${cpu}`);
}
console.log(
  `${args.shape}, ${rows.length} rows, prefix of ${before.length} tokens, lanes ${lanes}, threads ${threads}`,
);
const repetitions = Number(args.repetitions);
const first = await ours();
console.log(`first call, loading included: ${first.seconds.toFixed(1)} s, ${first.tokens} tokens`);
const mine: Measured[] = [];
if (python === null) {
  for (let n = 0; n < repetitions; n++) mine.push(await ours());
  say('ours', mine);
} else {
  const { ready } = await ask<{ ready: string }>({ threads, shape: config });
  console.log(ready);
  const sizes = args.batches.split(',').map(Number);
  const theirs = new Map<number, Measured[]>(sizes.map((batch) => [batch, []]));
  for (let n = 0; n < repetitions; n++) {
    for (const batch of sizes) {
      mine.push(await ours());
      theirs.get(batch)!.push(await peer(batch));
    }
  }
  say('ours', mine);
  for (const [batch, results] of theirs) say(`peer, batches of ${batch}`, results);
  const ratio = (of: (measured: Measured) => number) =>
    (median(mine.map(of)) / Math.max(...[...theirs.values()].map((results) => median(results.map(of))))).toFixed(2);
  console.log(`ratio to its best: ${ratio(rate)}${onProcessor ? `, on the processor ${ratio(perCpu)}` : ''}`);
  python.stdin.end();
  await once(python, 'exit');
}
await engine.close();
files.clean();
