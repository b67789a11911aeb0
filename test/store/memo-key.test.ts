import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type StageInput, StageKind, STAGES } from '../../schemas/stage.ts';
import { type Slice } from '../../schemas/port-values.ts';
import { keyInput } from '../../store/memo-inputs.ts';
import { memoKeyOf } from '../../store/memo-key.ts';
import { digest, inputsOfAllKinds, ref, verifyInput } from './stage-inputs.ts';

type Path = (string | number)[];

function leaves(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [at];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, [...at, key]));
}

/** A copy with another value at the path, of the same type where that matters. */
function changed<T>(value: T, [key, ...rest]: Path): T {
  if (key === undefined) {
    if (typeof value === 'number') return (value + 1) as T;
    if (typeof value === 'boolean') return !value as T;
    if (typeof value === 'string') return (value.startsWith('sha256:') ? digest(value) : `${value}x`) as T;
    return { other: true } as T;
  }
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string | number, unknown>;
  copy[key] = changed(copy[key], rest);
  return copy as T;
}

const NEVER = /^(run\.(runId|engine|deterministic)|attempt|stage|shard\..*|redo.*)$/;
// Bytes and tensors follow from the digest; how row counts enter is tested below.
const IMPLIED = /\.(bytes|weightsDigest)$/;
const ROWS = /\.shards\.\d+\.rows$/;

function matters(kind: StageKind, name: string): boolean {
  if (NEVER.test(name) || IMPLIED.test(name)) return false;
  const bothEnter = ['generate', 'rationalize', 'fine-tune', 'prefer', 'reward-model', 'rank', 'think', 'balance'];
  if (name === 'iteration') return [...bothEnter, 'draw', 'unfiltered', 'turns'].includes(kind);
  if (name === 'run.fingerprint') return [...bothEnter, 'evaluate', 'perplexity'].includes(kind);
  if (kind === 'import') return ['options', 'inputs.from.files'].includes(name);
  if (name.startsWith('carried')) return kind === 'fine-tune';
  return true;
}

describe('the memo key', () => {
  const inputs = inputsOfAllKinds();

  it('is tested for every kind of stage', () => {
    expect(new Set(inputs.map((input) => input.kind))).toEqual(new Set(StageKind.options));
    for (const { kind, options } of inputs) expect(STAGES[kind].options.safeParse(options).success).toBe(true);
  });

  it.each(inputs.map((input) => [`${input.kind} ${Object.keys(input.inputs).join(' ')}`, input] as const))(
    'of %s depends on each field that may change the output, and on no other',
    (_, input) => {
      const key = memoKeyOf(input);
      expect(key).toMatch(/^[0-9a-f]{64}$/);
      const paths = leaves({ ...input, redo: { digest: digest('x') } }).filter(
        (at) => at[0] !== 'kind' && !ROWS.test(at.join('.')),
      );
      expect(paths.length).toBeGreaterThan(15);
      for (const at of paths) {
        const other = memoKeyOf(changed(input, at));
        if (matters(input.kind, at.join('.'))) expect(other, at.join('.')).not.toBe(key);
        else expect(other, at.join('.')).toBe(key);
      }
    },
  );

  it('differs between kinds with the same everything else, and when a port is left out or swapped', () => {
    const keys = inputs.map(memoKeyOf);
    expect(new Set(keys).size).toBe(keys.length);
    const generate = inputs.find((input) => input.kind === 'rationalize')!;
    expect(memoKeyOf({ ...generate, kind: 'generate' })).not.toBe(memoKeyOf(generate));
    const evaluate = inputs.find((input): input is StageInput<'evaluate'> => input.kind === 'evaluate')!;
    const { model, dev, test } = evaluate.inputs;
    expect(memoKeyOf({ ...evaluate, inputs: { model, dev: test, test: dev } })).not.toBe(memoKeyOf(evaluate));
    const training = inputs.find((input): input is StageInput<'fine-tune'> => input.kind === 'fine-tune')!;
    const { examples: _, ...rest } = training.inputs;
    expect(memoKeyOf({ ...training, inputs: { examples: undefined, ...rest } })).not.toBe(memoKeyOf(training));
    expect(memoKeyOf({ ...training, inputs: { examples: undefined, ...rest } })).toBe(
      memoKeyOf({ ...training, inputs: rest as typeof training.inputs }),
    );
    expect(memoKeyOf({ ...training, carried: null })).not.toBe(memoKeyOf(training));
  });

  it('is what it was where no form of the prompt is asked for', () => {
    expect(Object.keys(STAGES.generate.options.parse({}))).toEqual(['samples', 'temperature', 'topP']);
    expect(STAGES.evaluate.options.parse({})).toEqual({});
    const evaluate = inputs.find((input): input is StageInput<'evaluate'> => input.kind === 'evaluate')!;
    const direct = memoKeyOf({ ...evaluate, options: { prompt: 'direct' } });
    expect(direct).not.toBe(memoKeyOf(evaluate));
    expect(direct).not.toBe(memoKeyOf({ ...evaluate, options: { prompt: 'direct-plain' } }));
    expect(memoKeyOf(evaluate)).toBe('df2d4c3f38a933daab0c0437bd63f65a2e3dea770e3a03554651f3894dac924a');
  });

  it('is the same in every process: known answer', () => {
    // A change of this value throws away every memo there is: mean it.
    expect(memoKeyOf(verifyInput())).toBe('355faa7366896301f9b38f3ce6a01562145df4e192a26d56206aa48edc343369');
  });
});

describe('a slice in the memo key', () => {
  const shards = (prefix: string) =>
    fc.array(fc.nat({ max: 6 }), { maxLength: 5 }).map((counts) => counts.map((rows, i) => ref(`${prefix}${i}`, rows)));
  const total = (slice: Slice['shards']) => slice.reduce((sum, shard) => sum + (shard.rows ?? 0), 0);
  /** What the slice really holds: which row of which artifact, in order. */
  const content = (slice: Slice) =>
    slice.shards
      .flatMap((shard) => Array.from({ length: shard.rows ?? 0 }, (_, i) => `${shard.digest} ${i}`))
      .slice(slice.from, slice.to);

  it('does not depend on shards beyond its rows', () => {
    fc.assert(
      fc.property(shards('before'), shards('in'), shards('after'), fc.nat(), fc.nat(), (before, own, after, a, b) => {
        const rows = total(own);
        const from = a % (rows + 1);
        const to = from + (b % (rows - from + 1));
        const shift = total(before);
        expect(keyInput({ shards: [...before, ...own, ...after], from: from + shift, to: to + shift })).toEqual(
          keyInput({ shards: own, from, to }),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is equal exactly where the rows are', () => {
    const bounds = fc.tuple(fc.nat({ max: 30 }), fc.nat({ max: 30 }));
    fc.assert(
      fc.property(shards('s'), bounds, bounds, (own, [a, b], [c, d]) => {
        const cut = (from: number, length: number): Slice => {
          const start = Math.min(from, total(own));
          return { shards: own, from: start, to: Math.min(start + length, total(own)) };
        };
        const [one, two] = [cut(a, b), cut(c, d)];
        const same = JSON.stringify(content(one)) === JSON.stringify(content(two));
        expect(JSON.stringify(keyInput(one)) === JSON.stringify(keyInput(two))).toBe(same);
      }),
      { numRuns: 500 },
    );
  });

  it('takes in all shards where their lengths are not known', () => {
    const unknown = (names: string[]) => names.map((name) => ({ digest: digest(name), bytes: 1 }));
    expect(keyInput({ shards: unknown(['a', 'b']), from: 0, to: 1 })).not.toEqual(
      keyInput({ shards: unknown(['a', 'c']), from: 0, to: 1 }),
    );
  });
});
