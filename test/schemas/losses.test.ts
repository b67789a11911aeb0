import { describe, expect, it } from 'vitest';
import { lossesOf } from '../../schemas/losses.ts';
import type { LossRow } from '../../schemas/losses.ts';

const part = (kind: string, plain: number, thinking?: number, shuffled?: number) => ({
  ...{ kind, text: 'x', plain },
  ...(thinking !== undefined && { thinking }),
  ...(shuffled !== undefined && { shuffled }),
});
const rows: LossRow[] = [
  {
    problem: 'p',
    stratum: '1',
    parts: [part('hard', 2, 1, 3), part('filler', 0.5, 0.5, 0.5), part('filler', 0.1, 0.2, 0.3)],
  },
  { problem: 'q', stratum: '2', parts: [part('hard', 1, 0, 1)] },
];

describe('losses of held-out text', () => {
  it('are means over the parts of a kind, not over rows, and by stratum', () => {
    const { byKind, byStratum } = lossesOf(rows);
    expect(byKind.hard).toEqual({ n: 2, plain: 1.5, thinking: 0.5, shuffled: 2 });
    expect(byKind.filler!.n).toBe(2);
    expect(byKind.filler!.plain).toBeCloseTo(0.3, 12);
    expect(byStratum['1 hard']).toEqual({ n: 1, plain: 2, thinking: 1, shuffled: 3 });
    expect(Object.keys(byStratum)).toEqual(['1 hard', '1 filler', '2 hard']);
  });

  it('say nothing of thoughts where one part has none', () => {
    const { byKind } = lossesOf([...rows, { problem: 'r', stratum: '2', parts: [part('hard', 3)] }]);
    expect(byKind.hard).toEqual({ n: 3, plain: 2 });
    expect(byKind.filler!.thinking).toBeCloseTo(0.35, 12);
  });
});
