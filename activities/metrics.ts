/**
 * Metrics of runs on the SDK's own meter, so that one Prometheus endpoint serves Temporal's and these. Where the worker has none
 * (no STARTRAIL_METRICS), the meter does nothing.
 *
 *   startrail_tokens_per_second{run="night-3",recipe="star",task="addition",stage="free"} 5120
 *
 * Counters count what was computed; what the memo gave back is counted as reused shards alone. Nothing here enters an artifact.
 */
import { Context } from '@temporalio/activity';
import type { EngineProgress } from '../engine/engine.ts';
import type { StageInput, StageKind, StageOutput } from '../schemas/stage.ts';
import type { Unpublished } from './publish.ts';

type Labels = Record<'run' | 'recipe' | 'task' | 'stage', string>;
interface UnderWay {
  since: number;
  tokensPerSecond: number;
}
/** Shards of a stage that this worker has under way. */
const underWay = new Map<string, Set<UnderWay>>();

export interface ShardMetrics {
  progress(progress: EngineProgress): void;
  done(output: StageOutput<StageKind>): void;
  /** In any case, at the end. */
  end(): void;
}

export function shardMetrics({ run, stage }: StageInput): ShardMetrics {
  const labels: Labels = { run: run.runId, recipe: run.recipe ?? '', task: run.task, stage };
  const key = JSON.stringify(labels);
  const mine: UnderWay = { since: performance.now(), tokensPerSecond: 0 };
  const shards = underWay.get(key) ?? new Set();
  underWay.set(key, shards.add(mine));
  const meter = Context.current().metricMeter;
  const speed = meter.createGauge('startrail_tokens_per_second', 'float', 'tokens/s', 'of the shards under way');
  const age = meter.createGauge('startrail_shard_age_seconds', 'float', 's', 'of the oldest shard under way');
  const tell = () => {
    const all = [...shards];
    const now = performance.now();
    const oldest = Math.min(now, ...all.map(({ since }) => since));
    speed.set(
      all.reduce((sum, one) => sum + one.tokensPerSecond, 0),
      labels,
    );
    age.set((now - oldest) / 1000, labels);
  };
  const count = (name: string, about: string, by: number, more: Record<string, string> = {}) =>
    meter.createCounter(name, undefined, about).add(by, { ...labels, ...more });
  return {
    progress: ({ tokensPerSecond }) => {
      mine.tokensPerSecond = tokensPerSecond;
      tell();
    },
    done: ({ reused, tokens, seconds, outputs }) => {
      count('startrail_shards', 'shards that ended', 1, { reused: String(reused) });
      if (reused) return;
      count('startrail_tokens', 'sampled or trained on', tokens);
      meter.createHistogram('startrail_shard_seconds', 'float', 's', 'that a shard took').record(seconds, labels);
      for (const verdict of ['correct', 'incorrect', 'unjudged'] as const) {
        const { rows } = (outputs as Record<string, { rows?: number } | undefined>)[verdict] ?? {};
        if (rows !== undefined) count('startrail_judgements', 'of rationales', rows, { verdict });
      }
    },
    end: () => {
      shards.delete(mine);
      tell();
    },
  };
}

/** Of a run's last sealed iteration. */
export function runMetrics({ runId: run, recipe, task, iterations }: Unpublished): void {
  const last = iterations.at(-1);
  if (!last) return;
  const meter = Context.current().metricMeter;
  const set = (name: string, about: string, value: number, more: Record<string, string> = {}) =>
    meter.createGauge(name, 'float', undefined, about).set(value, { run, recipe, task, ...more });
  const { acceptedFree, acceptedHinted, unjudged } = last.ledger;
  set('startrail_iteration', 'last that was sealed', last.n);
  set('startrail_accuracy', 'of its model', last.dev, { split: 'dev' });
  set('startrail_accuracy', 'of its model', last.test, { split: 'test' });
  if (last.drawn === 0) return;
  set('startrail_accepted_share', 'of the problems drawn', acceptedFree / last.drawn, { how: 'free' });
  set('startrail_accepted_share', 'of the problems drawn', acceptedHinted / last.drawn, { how: 'hinted' });
  set('startrail_unjudged_share', 'of the problems drawn', unjudged / last.drawn);
}
