/** Runs made by code: a store in a temporary folder, the addition task's own problems and scratchpads, wrong ones too. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accuracyOf } from '../../schemas/accuracy.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { IterationRecord, RunDocument } from '../../schemas/run.ts';
import type { Judged, LedgerRow, Outcome } from '../../schemas/verdict.ts';
import star from '../../recipes/star.ts';
import { createLocalStore } from '../../store/local.ts';
import { writeRows } from '../../store/rows.ts';
import type { Store } from '../../store/store.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';
import { tokenizerOf } from '../../tasks/task.ts';

export const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

/** A stream of numbers in [0, 1) that is the same everywhere. */
export function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function temporaryStore(): Promise<{ store: Store; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'report-'));
  return { store: await createLocalStore(join(folder, 'store')), folder };
}

export interface RunShape {
  iterations: number;
  strata: number;
  /** Problems an iteration. */
  drawn: number;
  /** Words for every rationale instead of its own. */
  text?: string;
}

/** Chance of a right answer of `digits` digits after `n` iterations: what the addition run looks like. */
const skill = (n: number, digits: number): number => 1 / (1 + Math.exp(-(n * 0.9 + 3.2 - digits * 1.9)));

/** One rationale: the right one, or one with a digit or carry changed at a line. */
function judgedRow(
  a: number,
  b: number,
  digits: number,
  hinted: boolean,
  kind: string,
  random: () => number,
  text?: string,
): Judged {
  const problem = additionProblem(a, b, digits);
  const lines = addition.goldCompletion(problem).split('\n');
  if (kind === 'wrong' || kind === 'unsound') {
    const at = kind === 'wrong' ? lines.length - 1 : Math.max(1, Math.floor(random() * (lines.length - 1)));
    lines[at] = (lines[at] ?? '').replace(/\d(?!.*\d)/, (d) => String((Number(d) + 1 + Math.floor(random() * 8)) % 10));
    if (kind === 'wrong' && random() < 0.7) lines[1] = (lines[1] ?? '').replace(/\d/, '0');
  }
  const said = text ?? lines.join('\n');
  const steps = addition.checkSteps?.(problem, said) ?? { sound: true, firstWrongStep: null };
  const judged = kind !== 'unjudged';
  return {
    rationale: { problem, sample: 0, hinted, text: said, tokens: [1, 2, 3], finish: judged ? 'stop' : 'overflow' },
    verdict:
      kind === 'wrong'
        ? { verdict: 'incorrect', why: `expected ${problem.gold[0]}, found ${lines.at(-1)}` }
        : judged
          ? { verdict: 'correct' }
          : { verdict: 'unjudged', cause: 'the completion did not fit the context of 128 tokens' },
    sound: judged ? steps.sound : null,
    firstWrongStep: judged ? steps.firstWrongStep : null,
  };
}

async function iteration(store: Store, n: number, shape: RunShape): Promise<IterationRecord> {
  const random = stream(n + 1);
  const [free, hinted, ledger]: [Judged[], Judged[], LedgerRow[]] = [[], [], []];
  const count: Record<Outcome, number> = { 'accepted-free': 0, 'accepted-hinted': 0, unjudged: 0, rejected: 0 };
  for (let i = 0; n > 0 && i < shape.drawn; i++) {
    const digits = 1 + (i % shape.strata);
    const low = digits === 1 ? 0 : 10 ** (digits - 1);
    const [a, b] = [0, 0].map(() => low + Math.floor(random() * (10 ** digits - low))) as [number, number];
    const p = skill(n - 1, digits);
    const roll = random();
    const outcome: Outcome =
      roll < p
        ? 'accepted-free'
        : random() < 0.01
          ? 'unjudged'
          : random() < 0.35 + 0.4 * p
            ? 'accepted-hinted'
            : 'rejected';
    const right = random() < 0.7 + 0.3 * p ? 'right' : 'unsound';
    const rows = {
      'accepted-free': () => [judgedRow(a, b, digits, false, right, random, shape.text)],
      'accepted-hinted': () => [
        judgedRow(a, b, digits, false, 'wrong', random, shape.text),
        judgedRow(a, b, digits, true, right, random, shape.text),
      ],
      unjudged: () => [judgedRow(a, b, digits, false, 'unjudged', random, shape.text)],
      rejected: () => [false, true].map((hint) => judgedRow(a, b, digits, hint, 'wrong', random, shape.text)),
    }[outcome]();
    const id = additionProblem(a, b, digits).id;
    if (ledger.some((row) => row.problem === id) && shape.drawn < 5000) continue;
    for (const row of rows) (row.rationale.hinted ? hinted : free).push(row);
    count[outcome] += 1;
    ledger.push({
      problem: id,
      stratum: String(digits),
      outcome,
      samples: rows.map((row) => ({
        hinted: row.rationale.hinted,
        sample: 0,
        verdict: row.verdict.verdict,
        sound: row.sound,
      })),
    });
  }
  const accepted = [...free, ...hinted].filter((row) => row.verdict.verdict === 'correct');
  const tally = (salt: number, size: number) => {
    const one = stream(1000 * n + salt);
    return accuracyOf(
      Object.fromEntries(
        Array.from({ length: shape.strata }, (_, i) => {
          let correct = 0;
          for (let k = 0; k < size; k++) if (one() < skill(n, i + 1)) correct += 1;
          return [String(i + 1), { correct, judged: size, unjudged: 0 }];
        }),
      ),
    );
  };
  const half = Math.ceil(free.length / 2);
  const model = { checkpoint: { digest: digest('c'), bytes: 400_000 }, weightsDigest: digest(String(n % 10)) };
  const steps = n === 0 ? 1000 : Math.floor(500 * 1.2 ** (n - 1));
  const seconds: Record<string, number> =
    n === 0
      ? { base: 61.4, score: 9.8 }
      : {
          batch: 0.2,
          free: 9 + random(),
          judged: 0.6,
          hinted: (hinted.length / 300) * (1 + random()),
          second: 0.3,
          kept: 0.1,
          next: steps / 17,
          score: 9.6 + random(),
        };
  const tokens: Record<string, number> =
    n === 0
      ? { base: 1_900_000, score: 98_000 }
      : { free: 92_000, hinted: hinted.length * 41, next: steps * 1850, score: 99_000 };
  return IterationRecord.parse({
    n,
    drawn: ledger.length,
    ledger: {
      acceptedFree: count['accepted-free'],
      acceptedHinted: count['accepted-hinted'],
      rejected: count.rejected,
      unjudged: count.unjudged,
    },
    soundShare: accepted.length === 0 ? null : accepted.filter((row) => row.sound).length / accepted.length,
    dev: tally(1, 200),
    accuracy: tally(2, 500),
    seconds,
    trainedOn: accepted.length,
    steps,
    checkpoint: model.checkpoint.digest,
    model,
    weightsDigest: model.weightsDigest,
    ledgerDigest: digest(String(n % 10)),
    ledgerRef: await writeRows(store, ledger),
    judged: await Promise.all([free.slice(0, half), free.slice(half), hinted].map((rows) => writeRows(store, rows))),
    scores: [],
    examples: [],
    tokens,
    shards: { reused: 0, redone: 0 },
    attempt: 1,
    changed: {},
    carried: false,
    partial: false,
  });
}

const ORIGINS = {
  'stages.batch.with.count': { value: 2000, from: 'task' },
  'stages.free.with.samples': { value: 1, from: 'recipe' },
  'stages.free.with.temperature': { value: 0, from: 'recipe' },
  'stages.free.with.topP': { value: 1, from: 'kind' },
  'stages.next.with.learningRate': { value: 0.0025, from: 'task' },
  'stages.next.with.steps': { value: { first: 500, growth: 1.2, add: 0 }, from: 'task' },
  'stop.patience': { value: 4, from: 'set' },
  iterations: { value: 8, from: 'input' },
};

/** A run of the addition task with its artifacts in the store. The same shape ⇒ the same document. */
export async function runOf(store: Store, shape: RunShape): Promise<RunDocument> {
  const iterations: IterationRecord[] = [];
  for (let n = 0; n <= shape.iterations; n++) iterations.push(await iteration(store, n, shape));
  const best = iterations.reduce((top, one) => (one.dev.overall > top.dev.overall ? one : top));
  const slice = { shards: [], rows: 0 };
  const rule = { taskQueue: 'startrail', startToCloseMs: 60_000, heartbeatMs: 8000, maximumAttempts: 0 };
  const kinds = ['draw', 'generate', 'rationalize', 'verify', 'select', 'fine-tune', 'evaluate'];
  return RunDocument.parse({
    format: 1,
    runId: 'night-1',
    workflowId: 'night-1',
    status: 'done',
    reason: null,
    recipe: 'star',
    task: 'addition',
    seed: 1,
    iterations,
    best: { n: best.n, accuracy: best.accuracy.overall },
    ledgerDigest: digest('a'),
    weightsDigest: digest('b'),
    fingerprint: 'tfjs-node-gpu 4.22.0 · TensorFlow 2.18.0 · x86-64 avx2 · threads 1 · piece-1',
    input: { recipe: 'star', task: 'addition', iterations: shape.iterations },
    resolved: {
      context: {
        runId: 'night-1',
        seed: 1,
        task: 'addition',
        parameters: { digits: shape.strata },
        engine: 'tfjs',
        fingerprint: 'f',
        deterministic: true,
        implementation: digest('d'),
      },
      recipe: star,
      prepare: star,
      iterations: shape.iterations,
      shardSize: 500,
      onFailure: 'wait',
      fresh: {
        fresh: { vocabSize: 18, dModel: 64, layers: 3, heads: 4, dFF: 256, activation: 'relu', context: 128 },
        tokenizer: tokenizerOf(addition, { digits: shape.strata }),
      },
      seeds: slice,
      dev: slice,
      test: slice,
      rules: Object.fromEntries(kinds.map((kind) => [kind, rule])),
      origins: await store.put(canonicalJson(ORIGINS)),
    },
    startedAt: '2026-11-22T15:00:00.000Z',
    updatedAt: '2026-11-22T15:12:40.000Z',
  });
}
