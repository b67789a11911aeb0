import { describe, expect, it } from 'vitest';
import { choice } from '../../activities/select.ts';
import gsm8k from '../../tasks/gsm8k.ts';

const taken = (options: Parameters<typeof choice>[1], rows: [string, string][], task = {}) => {
  const isWanted = choice(task, options);
  return rows.filter(([problem, text]) => isWanted(problem, text));
};
const PATHS: [string, string][] = [
  ['a', 'She bakes 6*8 = 48 rolls.\nShe has 48-5 = 43 left.\n#### 43'],
  ['a', 'First, 6 * 8 = 48. Then 48 - 5 = $43.\n#### 43'],
  ['b', 'First, 6 * 8 = 48. Then 48 - 5 = $43.\n#### 43'],
  ['a', 'First 8 - 5 = 3, so 6*8 = 48 and 48-5 = 43.\n#### 43'],
  ['a', 'It is 43.\n#### 43'],
  ['a', 'Just guess.\n#### 43'],
];

describe('which right rationales are taken', () => {
  it('equal texts of one problem once, or all', () => {
    const rows: [string, string][] = [
      ['a', 'x'],
      ['a', 'x'],
      ['b', 'x'],
      ['a', 'y'],
    ];
    expect(taken({ perProblem: null, dedup: true }, rows)).toEqual([rows[0], rows[2], rows[3]]);
    expect(taken({ perProblem: null, dedup: false }, rows)).toEqual(rows);
  });

  it('the first so many of a problem', () => {
    const rows: [string, string][] = [
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
      ['a', '3'],
    ];
    expect(taken({ perProblem: 2, dedup: true }, rows)).toEqual([rows[0], rows[1], rows[2]]);
  });

  it('equal steps once: other words around the same sums are one path, another order or other sums are not', () => {
    expect(taken({ perProblem: null, dedup: 'steps' }, PATHS, gsm8k)).toEqual([0, 2, 3, 4, 5].map((n) => PATHS[n]));
    // Without a word of the task, all but white space counts.
    expect(
      taken({ perProblem: null, dedup: 'steps' }, [
        ['a', 'x  y'],
        ['a', 'x y\n'],
        ['a', 'xy'],
      ]),
    ).toHaveLength(2);
  });
});
