/**
 * Where the time of a run went, from the spans its worker wrote (`logs/spans.jsonl` of the home).
 *
 * Between a run's first and last activity there is always work that could run (nothing waits for a person), so every moment in
 * which no engine and no verifier is busy counts as orchestration, start-up of the engine included.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Span } from '../activities/dependencies.ts';

interface Interval {
  from: number;
  to: number;
}

/** Seconds covered by at least one of the intervals. */
export function covered(intervals: readonly Interval[]): number {
  let sum = 0;
  let end = -Infinity;
  for (const { from, to } of [...intervals].sort((x, y) => x.from - y.from)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}

const intervalOf = ({ at, seconds }: Span): Interval => ({
  from: Date.parse(at) / 1000,
  to: Date.parse(at) / 1000 + seconds,
});
const isWork = ({ what }: Span): boolean => what === 'engine' || what === 'verifier';

export interface Overhead {
  wallSeconds: number;
  busySeconds: number;
  /** Share of the wall time in which neither engine nor verifier was busy. */
  share: number;
  /** Shards of stages, each counted once however often it was attempted. */
  shards: number;
}

/** @throws RangeError where there are no spans. */
export function overheadOf(spans: readonly Span[]): Overhead {
  if (spans.length === 0) throw new RangeError('no spans: the run left none in logs/spans.jsonl');
  const all = spans.map(intervalOf);
  const wallSeconds = Math.max(...all.map(({ to }) => to)) - Math.min(...all.map(({ from }) => from));
  const busySeconds = covered(spans.filter(isWork).map(intervalOf));
  const shards = new Set(spans.map(({ iteration, stage, shard }) => `${iteration}/${stage}/${shard}`)).size;
  return { wallSeconds, busySeconds, share: 1 - busySeconds / wallSeconds, shards };
}

/** The same for each iteration by itself; the time between two of them belongs to the later one. */
export function overheadByIteration(spans: readonly Span[]): Overhead[] {
  const iterations = [...new Set(spans.map(({ iteration }) => iteration))].sort((a, b) => a - b);
  let before: number | undefined;
  return iterations.map((iteration) => {
    const mine = spans.filter((span) => span.iteration === iteration);
    const overhead = overheadOf(mine);
    const [from, to] = [mine.map(intervalOf).map((one) => one.from), mine.map(intervalOf).map((one) => one.to)];
    const wallSeconds = Math.max(...to) - (before ?? Math.min(...from));
    before = Math.max(...to);
    return { ...overhead, wallSeconds, share: 1 - overhead.busySeconds / wallSeconds };
  });
}

/** When the first activity of a run began, in milliseconds since 1970. */
export const firstActivityAt = (spans: readonly Span[]): number => Math.min(...spans.map(({ at }) => Date.parse(at)));

export const spansOf = (home: string, run: string): Span[] =>
  readFileSync(path.join(home, 'logs', 'spans.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Span)
    .filter((span) => span.run === run);
