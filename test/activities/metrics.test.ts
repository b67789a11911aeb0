/** What metrics say of shards under way and of a sealed iteration, read from a meter that keeps the last value of each. */
import { MockActivityEnvironment } from '@temporalio/testing';
import type { MetricMeter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { runMetrics, shardMetrics } from '../../activities/metrics.ts';
import type { Unpublished } from '../../activities/publish.ts';
import type { StageInput, StageKind, StageOutput } from '../../schemas/stage.ts';

type Tags = Record<string, string>;
function meter() {
  const values: Record<string, number> = {};
  // The SDK adds tags of its own.
  const key = (name: string, tags: Tags) =>
    [name, ...['stage', 'how', 'split', 'verdict', 'reused'].flatMap((tag) => tags[tag] ?? [])].join(' ');
  const make = (name: string) => ({
    set: (value: number, tags: Tags) => void (values[key(name, tags)] = value),
    add: (value: number, tags: Tags) => void (values[key(name, tags)] = (values[key(name, tags)] ?? 0) + value),
    record: () => undefined,
  });
  const fake = { createCounter: make, createGauge: make, createHistogram: make };
  return { values, environment: new MockActivityEnvironment({}, { metricMeter: fake as unknown as MetricMeter }) };
}
const shard = (run: string) =>
  ({ run: { runId: run, recipe: 'star', task: 'addition' }, stage: 'free' }) as unknown as StageInput;
const output = (more: Partial<StageOutput>) =>
  ({ reused: false, tokens: 90, seconds: 1, outputs: {}, ...more }) as unknown as StageOutput<StageKind>;

describe('metrics', () => {
  it('add the speeds of shards under way, and fall to zero when the last one has ended', async () => {
    const { values, environment } = meter();
    await environment.run(async () => {
      const [one, other] = [shardMetrics(shard('a')), shardMetrics(shard('a'))];
      one.progress({ done: 1, total: 2, tokensPerSecond: 40 });
      other.progress({ done: 1, total: 2, tokensPerSecond: 2 });
      expect(values['startrail_tokens_per_second free']).toBe(42);
      one.end();
      expect(values['startrail_tokens_per_second free']).toBe(2);
      other.end();
      expect(values).toMatchObject({ 'startrail_tokens_per_second free': 0, 'startrail_shard_age_seconds free': 0 });
    });
  });

  it('count what was computed, and of what the memo had only that it was reused', async () => {
    const { values, environment } = meter();
    await environment.run(async () => {
      const one = shardMetrics(shard('b'));
      const outputs = { correct: { rows: 3 }, unjudged: { rows: 2 } } as unknown as StageOutput['outputs'];
      one.done(output({ outputs }));
      one.done(output({ outputs, reused: true }));
      one.end();
    });
    expect(values).toMatchObject({
      'startrail_shards free false': 1,
      'startrail_shards free true': 1,
      'startrail_tokens free': 90,
      'startrail_judgements free correct': 3,
      'startrail_judgements free unjudged': 2,
    });
  });

  it('give the shares of the last sealed iteration, and none where nothing was drawn', async () => {
    const { values, environment } = meter();
    const sealed = (drawn: number) => ({
      n: 2,
      drawn,
      ledger: { acceptedFree: 3, acceptedHinted: 2, rejected: 4, unjudged: 1 },
      dev: 0.5,
      test: 0.25,
    });
    const document = (drawn: number) => ({ runId: 'c', recipe: 'star', task: 'addition', iterations: [sealed(drawn)] });
    await environment.run(async () => runMetrics(document(0) as unknown as Unpublished));
    expect(Object.keys(values).filter((name) => name.includes('share'))).toEqual([]);
    await environment.run(async () => runMetrics(document(10) as unknown as Unpublished));
    expect(values).toMatchObject({
      startrail_iteration: 2,
      'startrail_accuracy dev': 0.5,
      'startrail_accuracy test': 0.25,
      'startrail_accepted_share free': 0.3,
      'startrail_accepted_share hinted': 0.2,
      startrail_unjudged_share: 0.1,
    });
  });
});
