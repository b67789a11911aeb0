/**
 * Three numbers added one after the other.
 *
 *   Q: What is 12 + 7 + 25?
 *   A: 12 + 7 = 19. 19 + 25 = 44. The answer is 44.
 *
 * Strata: the numbers' range, 2–30, 31–60, 61–99. SmolLM2-135M starts at 14.7% on the first. Own writing; form: tasks/ladder.ts.
 */
import { numeric, parseNumber } from '../verifiers/numeric.ts';
import { digitsOf, ladder } from './ladder.ts';

const RANGES = [
  [2, 30],
  [31, 60],
  [61, 99],
] as const;

export default ladder({
  id: 'three-sum',
  title: 'Sum of three numbers',
  strata: RANGES.map(([from, to]) => {
    const span = to - from + 1;
    return {
      id: `${from}-${to}`,
      size: span ** 3,
      at: (index) => {
        const numbers = digitsOf(index, [span, span, span]).map((digit) => from + digit);
        return {
          id: numbers.join('+'),
          identity: [...numbers].sort((x, y) => x - y).join('+'),
          stratum: `${from}-${to}`,
          data: { numbers },
          gold: [String(numbers.reduce((sum, number) => sum + number))],
        };
      },
    };
  }),
  question: ({ data }) => `What is ${(data.numbers as number[]).join(' + ')}?`,
  steps: ({ data }) => {
    const [a = 0, b = 0, c = 0] = data.numbers as number[];
    return [`${a} + ${b} = ${a + b}.`, `${a + b} + ${c} = ${a + b + c}.`];
  },
  parse: parseNumber,
  judge: numeric,
  maxNewTokens: 48,
  module: new URL(import.meta.url),
});
