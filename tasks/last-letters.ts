/**
 * The last letters of some words, joined (Wei et al., arXiv:2201.11903, §5, with words of our own).
 *
 *   Q: What do you get if you join the last letters of "lemon" and "river"?
 *   A: The last letter of lemon is n. The last letter of river is r. The answer is nr.
 *
 * Strata: words, 2 … 4. SmolLM2-135M starts at 6.7% on two. Form: tasks/ladder.ts.
 */
import { readAnswer } from '../verifiers/answer.ts';
import { exact } from '../verifiers/exact.ts';
import { digitsOf, ladder } from './ladder.ts';

const WORDS =
  'apple lemon river house garden window table paper stone cloud winter summer music doctor farmer school bread butter sugar candle mirror bridge forest island valley mountain ocean desert planet rocket engine wheel basket bottle hammer ladder ribbon button pocket jacket silver copper golden purple yellow orange monkey rabbit turtle spider dragon castle temple market office studio kitchen carpet pillow blanket'.split(
    ' ',
  );
const COUNTS = [2, 3, 4];

/** Letters alone, in quotation marks or not; spelled out with spaces or hyphens they are the same. */
function readLetters(stated: string): string | null | undefined {
  const [first = ''] = stated.split(/[.!?](?=\s|$)/);
  const found = /^\W*((?:[a-z](?:[\s-]+(?=[a-z]\b))?)+)\W*$/i.exec(first);
  return found?.[1]?.replace(/[\s-]/g, '').toLowerCase();
}

export default ladder({
  id: 'last-letters',
  title: 'Last letters of words, joined',
  strata: COUNTS.map((count) => ({
    id: String(count),
    size: WORDS.length ** count,
    at: (index) => {
      const words = digitsOf(index, Array<number>(count).fill(WORDS.length)).map((digit) => WORDS[digit]!);
      return {
        id: words.join(' '),
        identity: [...words].sort().join(' '),
        stratum: String(count),
        data: { words },
        gold: [words.map((word) => word.slice(-1)).join('')],
      };
    },
  })),
  question: ({ data }) => {
    const quoted = (data.words as string[]).map((word) => `"${word}"`);
    return `What do you get if you join the last letters of ${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}?`;
  },
  steps: ({ data }) => (data.words as string[]).map((word) => `The last letter of ${word} is ${word.slice(-1)}.`),
  parse: (text, stops) => readAnswer(text, readLetters, stops),
  judge: exact,
  maxNewTokens: 72,
  module: new URL(import.meta.url),
});
