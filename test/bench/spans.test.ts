import { describe, expect, it } from 'vitest';
import type { Span } from '../../activities/dependencies.ts';
import { covered, firstActivityAt, overheadByIteration, overheadOf } from '../../bench/spans.ts';

const span = (what: string, iteration: number, shard: number, from: number, seconds: number): Span => ({
  what,
  run: 'r',
  stage: 's',
  iteration,
  shard,
  seconds,
  at: new Date(1e12 + from * 1000).toISOString(),
});

describe('overhead from spans', () => {
  it('counts a moment once however many shards are busy in it', () => {
    expect(
      covered([
        { from: 0, to: 4 },
        { from: 2, to: 6 },
        { from: 3, to: 4 },
        { from: 8, to: 9 },
      ]),
    ).toBe(7);
    expect(covered([])).toBe(0);
  });

  it('is the share of wall time in which neither engine nor verifier works', () => {
    const spans = [span('activity', 1, 0, 0, 10), span('engine', 1, 0, 1, 4), span('verifier', 1, 1, 4, 4)];
    expect(overheadOf(spans)).toEqual({ wallSeconds: 10, busySeconds: 7, share: expect.closeTo(0.3, 12), shards: 2 });
    expect(firstActivityAt(spans)).toBe(1e12);
    expect(() => overheadOf([])).toThrow(/no spans/);
  });

  it('gives the time between two iterations to the later one, so that their sums are those of the run', () => {
    const spans = [
      ...[span('activity', 0, 0, 0, 5), span('engine', 0, 0, 0, 5)],
      ...[span('activity', 1, 0, 8, 4), span('engine', 1, 0, 9, 3)],
    ];
    const parts = overheadByIteration(spans);
    expect(parts.map(({ wallSeconds }) => wallSeconds)).toEqual([5, 7]);
    expect(parts.map(({ share }) => share)).toEqual([0, expect.closeTo(4 / 7, 12)]);
    const sum = parts.reduce((all, { wallSeconds }) => all + wallSeconds, 0);
    expect(sum).toBe(overheadOf(spans).wallSeconds);
  });
});
