/** Inputs and outputs of stages, for tests of the memo. */
import { createHash } from 'node:crypto';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import type { Model } from '../../schemas/checkpoint.ts';
import type { StageInput, StageOutput } from '../../schemas/stage.ts';
import type { FreshModel, Slice } from '../../schemas/port-values.ts';

export const digest = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
export const ref = (text: string, rows = 10): ArtifactRef => ({ digest: digest(text), bytes: 100, rows });
export const slice = (...names: string[]): Slice => ({
  shards: names.map((name) => ref(name)),
  from: 2,
  to: 10 * names.length - 2,
});
export const model = (name: string): Model => ({
  checkpoint: { digest: digest(name), bytes: 5000 },
  weightsDigest: digest(`${name} weights`),
});
export const fresh = (): FreshModel => ({
  fresh: {
    vocabSize: 20,
    dModel: 64,
    layers: 2,
    heads: 2,
    dFF: 128,
    activation: 'relu',
    context: 128,
    ropeTheta: 10_000,
    normEpsilon: 1e-5,
    tiedEmbeddings: true,
  },
  tokenizer: { kind: 'pieces', pieces: ['a', 'b', 'c'], pad: 3, end: 4 },
});

const common = () => ({
  run: {
    runId: 'night-1',
    seed: 1,
    task: 'addition',
    parameters: { digits: 3 },
    engine: 'tfjs',
    fingerprint: 'tfjs cpu 2 threads',
    deterministic: true,
    implementation: digest('code'),
  },
  iteration: 3,
  attempt: 1,
  stage: 'some-stage',
  carried: model('carried'),
  shard: { index: 1, count: 4 },
});

export const verifyInput = (change: Partial<StageInput<'verify'>> = {}): StageInput<'verify'> => ({
  ...common(),
  kind: 'verify',
  options: { timeoutMs: 10_000, tries: 2 },
  inputs: { rationales: slice('r1', 'r2') },
  ...change,
});

export const outputOf = (
  correct: ArtifactRef,
  rest: ArtifactRef,
  partial = false,
): Omit<StageOutput<'verify'>, 'reused'> => ({
  outputs: { correct, incorrect: rest, unjudged: rest, unsolved: rest },
  seconds: 1.5,
  tokens: 0,
  partial,
});

/** One input of every kind of stage. */
export function inputsOfAllKinds(): StageInput[] {
  const sampling = { samples: 1, temperature: 0.7, topP: 1 };
  const examples = [slice('e1', 'e2'), slice('seeds')] as const;
  const training: StageInput<'fine-tune'> = {
    ...common(),
    kind: 'fine-tune',
    options: {
      steps: { first: 40, growth: 1.2, add: 0 },
      learningRate: 1e-3,
      warmupSteps: 10,
      decay: 'constant',
      batchSize: 8,
      clipNorm: 1,
      beta2: 0.999,
      hintedSeeds: 1,
    },
    inputs: {
      ...{ samples: undefined, sampler: undefined, reference: undefined },
      ...{ examples: examples[0], seeds: examples[1], from: model('base') },
    },
  };
  const { hintedSeeds: _, ...preferring } = training.options;
  const all = [
    { ...common(), kind: 'draw', options: { count: 100 }, inputs: { problems: null, queue: undefined } },
    {
      ...common(),
      kind: 'balance',
      options: { temperatures: [0.5, 0.9], problems: 10, samples: 2, enough: 4, topP: 0.9, prompt: 'plain' },
      inputs: { problems: slice('p1', 'p2'), model: model('m') },
    },
    { ...common(), kind: 'generate', options: sampling, inputs: { problems: slice('p1', 'p2'), model: model('m') } },
    { ...common(), kind: 'rationalize', options: sampling, inputs: { problems: slice('p1'), model: model('m') } },
    verifyInput(),
    {
      ...common(),
      kind: 'select',
      options: { perProblem: null, dedup: true },
      inputs: { rationales: slice('c1', 'c2') },
    },
    {
      ...common(),
      kind: 'gather',
      options: { perProblem: null, dedup: true },
      inputs: { examples: slice('e1', 'e2') },
    },
    { ...common(), kind: 'unfiltered', options: {}, inputs: { rationales: slice('r1', 'r2'), like: slice('e1') } },
    { ...common(), kind: 'answers', options: {}, inputs: { problems: slice('p1', 'p2') } },
    {
      ...common(),
      kind: 'import',
      options: {},
      inputs: { from: { pretrained: 'smollm2', files: digest('files'), config: fresh().fresh } },
    },
    training,
    { ...training, inputs: { seeds: examples[1], from: fresh() } },
    {
      ...training,
      options: { ...training.options, objective: 'grpo', kl: 0.1 },
      inputs: { samples: slice('s1'), sampler: model('m'), reference: model('base'), from: model('m') },
    },
    {
      ...common(),
      kind: 'turns',
      options: {},
      inputs: { problems: slice('p1'), correct: slice('c1'), incorrect: slice('i1'), earlier: slice('q1') },
    },
    { ...common(), kind: 'reward', options: {}, inputs: { correct: slice('c1'), incorrect: slice('i1') } },
    {
      ...common(),
      kind: 'pairs',
      options: { perProblem: 16 },
      inputs: { correct: slice('c1'), incorrect: slice('i1'), earlier: slice('earlier') },
    },
    {
      ...common(),
      kind: 'prefer',
      options: { ...preferring, beta: 0.1 },
      inputs: { pairs: slice('pairs'), from: model('base') },
    },
    {
      ...common(),
      kind: 'reward-model',
      options: preferring,
      inputs: { correct: slice('c1'), incorrect: slice('i1'), from: model('base') },
    },
    {
      ...common(),
      kind: 'think',
      options: { ...preferring, thoughts: 'sampled', tokens: 4, ahead: 2, passes: 2, policy: 1, marker: ':' },
      inputs: { problems: slice('p1'), from: model('base') },
    },
    { ...common(), kind: 'perplexity', options: {}, inputs: { model: model('m'), test: slice('t') } },
    { ...common(), kind: 'hard', options: { atMost: 0.25 }, inputs: { correct: slice('c1'), incorrect: slice('i1') } },
    {
      ...common(),
      kind: 'rank',
      options: { ...sampling, samples: 16 },
      inputs: { model: model('m'), verifier: model('v'), test: slice('t') },
    },
    { ...common(), kind: 'evaluate', options: {}, inputs: { model: model('m'), dev: slice('d'), test: slice('t') } },
  ];
  return all as unknown as StageInput[];
}
