import { describe, expect, it } from 'vitest';
import { addTallies, tallyByStratum } from '../../activities/judge.ts';
import type { Judged } from '../../schemas/verdict.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';
import gsm8k from '../../tasks/gsm8k.ts';

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
    expect(tallyByStratum(rows, { tools: true })).toEqual({
      '1': { correct: 1, judged: 2, unjudged: 1, calls: 2 },
      '2': { correct: 1, judged: 1, unjudged: 0, calls: 1 },
    });
    expect(tallyByStratum([judged(1, wrong)], { tools: true })['1']).toMatchObject({ calls: 0 });
  });

  it('hold the steps of each text and of its gold where the task says what a step is', () => {
    const text = ' 2+2 = 4 pears.\n 4+1 = 5 pears.\n 5+1 = 6 pears.\n#### 6';
    const problem = {
      ...{ id: 'g', identity: 'g', stratum: '2', gold: ['6'] },
      data: { question: 'How many?', rationale: '2+2 = 4\n4+2 = 6' },
    };
    const row: Judged = { ...judged(2, right), rationale: { ...judged(2, right).rationale, problem, text } };
    const tallies = tallyByStratum([row, row, { ...row, verdict: open }], { task: gsm8k });
    expect(tallies['2']).toEqual({ correct: 2, judged: 2, unjudged: 1, steps: { own: 6, gold: 4 } });
    expect(addTallies([tallies, tallies])['2']?.steps).toEqual({ own: 12, gold: 8 });
    expect(tallyByStratum(rows, { task: addition })['1']).not.toHaveProperty('steps');
  });

  it('of shards add up, calls too', () => {
    const shards = [rows.slice(0, 1), rows.slice(1)].map((some) => tallyByStratum(some, { tools: true }));
    expect(addTallies(shards)).toEqual(tallyByStratum(rows, { tools: true }));
    expect(addTallies([tallyByStratum(rows)])['1']).not.toHaveProperty('calls');
  });
});
