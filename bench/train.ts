/**
 * Training speed against PyTorch, interleaved, on identical batches:
 *
 *   STARTRAIL_BENCH_PYTHON=…/bin/python npx tsx bench/train.ts [train-d64 train-d256 train-smollm2-lora] [--compile]
 *
 * Prints non-padding tokens per second of both and their ratio (above 1: we are ahead), medians of several rounds; each round
 * runs first one, then the other. Both have the same number of threads (STARTRAIL_ENGINE_THREADS, 2 unless set).
 */
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import { DecoderConfig, TrainSchedule } from '../schemas/checkpoint.ts';
import type { AdapterOptions } from '../schemas/checkpoint.ts';
import { adapterLayout, frozenBlocks, initialAdapter } from '../engine/tfjs/adapter.ts';
import { assemble } from '../engine/tfjs/batches.ts';
import type { Batch } from '../engine/tfjs/batches.ts';
import { flatten, initialTensors, parameterLayout } from '../engine/tfjs/layout.ts';
import { threads } from '../engine/tfjs/native.ts';
import { TrainStep } from '../engine/tfjs/step.ts';

/** What some steps took: by the clock, and on all processors together. */
interface Slice {
  seconds: number;
  cpu: number;
}

interface Shape {
  config: DecoderConfig;
  rows: number;
  time: number;
  lora: AdapterOptions | null;
  /** Steps of one slice, and rounds. */
  steps: number;
  rounds: number;
}
const small = { vocabSize: 20, heads: 4, activation: 'relu', context: 256 };
const SHAPES: Record<string, Shape> = {
  'train-d64': {
    config: DecoderConfig.parse({ ...small, dModel: 64, layers: 3, dFF: 256 }),
    ...{ rows: 48, time: 96, lora: null, steps: 5, rounds: 5 },
  },
  'train-d256': {
    config: DecoderConfig.parse({ ...small, dModel: 256, layers: 6, dFF: 1024 }),
    ...{ rows: 16, time: 128, lora: null, steps: 1, rounds: 5 },
  },
  'train-smollm2-lora': {
    config: DecoderConfig.parse({
      ...{
        vocabSize: 49_152,
        dModel: 576,
        layers: Number(process.env.LAYERS ?? 30),
        heads: 9,
        kvHeads: 3,
        dFF: 1536,
        activation: 'swiglu',
      },
      ...{ context: 2048, ropeTheta: 100_000 },
    }),
    ...{ rows: 8, time: 256, lora: { rank: 8, alpha: 16 }, steps: 1, rounds: 3 },
  },
};

/** A fifth of each row is its prompt; lengths differ by up to 4%, as after bucketing. */
function makeBatch({ config, rows, time }: Shape): Batch {
  const lengths = Array.from({ length: rows }, (_, row) => time + 1 - (row % (1 + Math.floor(time / 25))));
  return assemble(
    lengths.map((length, row) => ({
      tokens: Int32Array.from({ length }, (_, i) => (i * 7919 + row * 31) % config.vocabSize),
      promptLength: Math.floor(time / 5),
    })),
    0,
  );
}

function ours({ config, lora }: Shape, batch: Batch) {
  const schedule = TrainSchedule.parse({
    ...{ steps: 1e6, learningRate: 1e-3, warmupSteps: 0, decay: 'constant', batchSize: batch.batch, clipNorm: 1 },
  });
  const seed = '0'.repeat(32);
  const base = initialTensors(config, seed);
  const layout = lora === null ? parameterLayout(config) : adapterLayout(config, lora);
  const zeros = () => new Float32Array(layout.size);
  const weights = flatten(layout, lora === null ? base : initialAdapter(config, lora, seed));
  const frozen = lora === null ? [] : frozenBlocks(adapterLayout(config, lora), base);
  const step = new TrainStep(layout, schedule, { weights, first: zeros(), second: zeros() }, frozen);
  let done = 0;
  return {
    run(steps: number): Slice {
      const [start, used] = [performance.now(), process.cpuUsage()];
      for (let i = 0; i < steps; i++) step.run(batch, done++, 1e-3);
      const { user, system } = process.cpuUsage(used);
      return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
    },
    end: () => step.dispose(),
  };
}

async function peer({ config, lora }: Shape, batch: Batch, options: { compile: boolean; allLogits: boolean }) {
  const python = process.env.STARTRAIL_BENCH_PYTHON ?? `${homedir()}/.cache/startrail-bench-venv/bin/python`;
  const child = spawn(python, [new URL('peers/train.py', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (request: unknown): Promise<Record<string, unknown>> => {
    child.stdin.write(JSON.stringify(request) + '\n');
    const line = await lines.next();
    if (line.done === true) throw new Error('the peer ended; its error stands above');
    return JSON.parse(line.value) as Record<string, unknown>;
  };
  const { batch: rows, time, ids, positions, targets } = batch;
  const arrays = { ids: [...ids], positions: [...positions], targets: [...targets] };
  const { version } = await ask({ config, lora, threads, ...options, batch: { rows, time, ...arrays } });
  return {
    version: String(version),
    run: async (steps: number) => (await ask({ steps })) as unknown as Slice,
    end: () => child.stdin.end(),
  };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const names = process.argv.slice(2).filter((name) => !name.startsWith('--'));
const flag = (name: string) => process.argv.includes(`--${name}`);
for (const name of names.length > 0 ? names : Object.keys(SHAPES)) {
  const shape = SHAPES[name];
  if (shape === undefined) throw new Error(`no shape ${name}; there are ${Object.keys(SHAPES).join(', ')}`);
  const batch = makeBatch(shape);
  const mine = ours(shape, batch);
  const other = flag('alone')
    ? null
    : await peer(shape, batch, { compile: flag('compile'), allLogits: flag('all-logits') });
  mine.run(1);
  await other?.run(1);
  const rounds: [Slice, Slice][] = [];
  for (let round = 0; round < shape.rounds; round++) {
    const a = mine.run(shape.steps);
    rounds.push([a, (await other?.run(shape.steps)) ?? { seconds: NaN, cpu: NaN }]);
  }
  const speed = (seconds: number) => Math.round((shape.steps * batch.tokens) / seconds);
  const ratio = (of: keyof Slice) => {
    const sorted = rounds.map(([a, b]) => b[of] / a[of]).sort((a, b) => a - b);
    return `${median(sorted).toFixed(2)} (${sorted[0]!.toFixed(2)}–${sorted.at(-1)!.toFixed(2)})`;
  };
  const [own, theirs] = [0, 1].map((side) => speed(median(rounds.map((round) => round[side]!.seconds))));
  console.log(
    `${name}, ${threads} threads: ours ${own}, PyTorch ${other?.version}${flag('compile') ? ' compiled' : ''} ${theirs} tokens/s; ` +
      `ratio ${ratio('seconds')}, of processor time ${ratio('cpu')}; ours ${median(rounds.map(([a]) => a.cpu / shape.steps)).toFixed(3)} cpu s a step`,
  );
  mine.end();
  other?.end();
}
