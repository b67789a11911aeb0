import { describe, expect, it } from 'vitest';
import { attempt, judge } from '../../bench/slice.ts';
import type { Probe } from '../../bench/slice.ts';

const spin = (ms: number): void => {
  const before = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(before);
    if (user + system >= ms * 1000) return;
  }
};
const probe = (oursMs: number, count: { n: number }): Probe => ({
  name: 'spin',
  ours: async () => {
    count.n++;
    spin(oursMs);
  },
  calibration: () => spin(8),
});

describe('the slice of CI', () => {
  it('calls a ratio slower only below 85% of the stored one, and never where none is stored', () => {
    expect(judge('x', 0.851, 1).slower).toBe(false);
    expect(judge('x', 0.849, 1).slower).toBe(true);
    expect(judge('x', 0.01, undefined).slower).toBe(false);
  });

  it('fails work that takes a third longer than it did, after three attempts', async () => {
    const count = { n: 0 };
    const verdict = await attempt(probe(12, count), 1, () => undefined, 5);
    expect(verdict.slower).toBe(true);
    expect(verdict.ratio).toBeGreaterThan(0.5);
    expect(count.n).toBe(3 * 9);
  });

  it('passes work that takes as long as it did, at the first attempt', async () => {
    const count = { n: 0 };
    const verdict = await attempt(probe(8, count), 1, () => undefined, 5);
    expect(verdict).toMatchObject({ slower: false, stored: 1 });
    expect(count.n).toBe(9);
  });
});
