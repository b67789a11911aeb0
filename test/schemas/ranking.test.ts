import { describe, expect, it } from 'vitest';
import { rankingOf } from '../../schemas/ranking.ts';

const candidate = (correct: boolean, score: number) => ({ correct, score, answer: correct ? 'right' : 'wrong' });

describe('a ranking', () => {
  it('weighs strata alike, and leaves out a problem with an unjudged candidate', () => {
    const good = { stratum: '1', candidates: [candidate(true, -1), candidate(false, -2)] };
    const bad = { stratum: '2', candidates: [candidate(true, -2), candidate(false, -1)] };
    const ranking = rankingOf([good, good, good, bad, { stratum: '2', candidates: undefined }]);
    expect(ranking).toMatchObject({ n: 4, unjudged: 1, samples: 2 });
    expect(ranking.byK).toEqual([
      { k: 1, pass: 0.5, majority: 0.5, verifier: 0.5 },
      { k: 2, pass: 1, majority: 0.5, verifier: 0.5 },
    ]);
  });

  it('of nothing judged claims nothing', () => {
    expect(rankingOf([{ stratum: '1', candidates: undefined }])).toEqual({ n: 0, unjudged: 1, samples: 0, byK: [] });
    expect(rankingOf([])).toEqual({ n: 0, unjudged: 0, samples: 0, byK: [] });
  });
});
