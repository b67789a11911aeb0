/**
 * A product of the multiplication table and a number more.
 *
 *   Q: What is 7 * 8 + 25?
 *   A: 7 * 8 = 56. 56 + 25 = 81. The answer is 81.
 *
 * Strata: the first factor, 2–9 and 10–12; the second is 2–9, what is added 2–120. An identity does not know the factors' order. Few
 * facts, many problems: a right product that is found once helps everywhere. Own writing; form: tasks/ladder.ts.
 */
import { numeric, parseNumber } from '../verifiers/numeric.ts';
import { digitsOf, ladder } from './ladder.ts';

const SECOND = [2, 9] as const;
const ADDED = [2, 120] as const;
const FIRST = [
  [2, 9],
  [10, 12],
] as const;
const spanOf = ([from, to]: readonly [number, number]): number => to - from + 1;

interface Data {
  factors: [number, number];
  added: number;
}
const dataOf = ({ data }: { data: unknown }): Data => data as Data;

export default ladder({
  id: 'times-plus',
  title: 'A product and a number more',
  strata: FIRST.map((first) => ({
    id: first.join('-'),
    size: spanOf(first) * spanOf(SECOND) * spanOf(ADDED),
    at: (index) => {
      const [a = 0, b = 0, c = 0] = digitsOf(index, [spanOf(first), spanOf(SECOND), spanOf(ADDED)]);
      const factors: [number, number] = [first[0] + a, SECOND[0] + b];
      const added = ADDED[0] + c;
      const data: Data = { factors, added };
      return {
        id: `${factors.join('*')}+${added}`,
        identity: `${[...factors].sort((x, y) => x - y).join('*')}+${added}`,
        stratum: first.join('-'),
        data: { ...data },
        gold: [String(factors[0] * factors[1] + added)],
      };
    },
  })),
  question: (problem) => {
    const { factors, added } = dataOf(problem);
    return `What is ${factors.join(' * ')} + ${added}?`;
  },
  steps: (problem) => {
    const { factors, added } = dataOf(problem);
    const product = factors[0] * factors[1];
    return [`${factors.join(' * ')} = ${product}.`, `${product} + ${added} = ${product + added}.`];
  },
  parse: parseNumber,
  judge: numeric,
  maxNewTokens: 48,
  module: new URL(import.meta.url),
});
