import { describe, expect, it } from 'vitest';
import { addTallies, tallyByStratum } from '../../activities/judge.ts';
import type { Judged } from '../../schemas/verdict.ts';
import { additionProblem } from '../../tasks/addition.ts';

const judged = (digits: number, verdict: Judged['verdict'], calls = 0): Judged => ({
  rationale: {
    problem: additionProblem(1, 2, digits),
    ...{ sample: 0, hinted: false, text: '3', tokens: [3], finish: 'stop' },
    ...(calls > 0 && { calls: Array.from({ length: calls }, () => ({ tool: 'calculator' as const, from: 0, to: 1 })) }),
  },
  verdict,
  sound: null,
  firstWrongStep: null,
});
const [right, wrong, open] = [
  { verdict: 'correct' },
  { verdict: 'incorrect', why: 'another sum' },
  { verdict: 'unjudged', cause: 'out of order' },
] as [Judged['verdict'], Judged['verdict'], Judged['verdict']];

describe('counts by stratum', () => {
  const rows = [judged(1, right, 2), judged(1, wrong), judged(1, open, 5), judged(2, right, 1)];

  it('are of what was judged; calls stand there only where the stage names tools', () => {
    expect(tallyByStratum(rows)).toEqual({
      '1': { correct: 1, judged: 2, unjudged: 1 },
      '2': { correct: 1, judged: 1, unjudged: 0 },
    });
    expect(tallyByStratum(rows, true)).toEqual({
      '1': { correct: 1, judged: 2, unjudged: 1, calls: 2 },
      '2': { correct: 1, judged: 1, unjudged: 0, calls: 1 },
    });
    expect(tallyByStratum([judged(1, wrong)], true)['1']).toMatchObject({ calls: 0 });
  });

  it('of shards add up, calls too', () => {
    const shards = [rows.slice(0, 1), rows.slice(1)].map((some) => tallyByStratum(some, true));
    expect(addTallies(shards)).toEqual(tallyByStratum(rows, true));
    expect(addTallies([tallyByStratum(rows)])['1']).not.toHaveProperty('calls');
  });
});
