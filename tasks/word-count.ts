/**
 * How often a word stands in a list, looked at word by word.
 *
 *   Q: How often is "cat" in this list: cat, dog, cat?
 *   A: cat is yes. dog is no. cat is yes. That is 2 times. The answer is 2.
 *
 * Strata: words of the list, 3 … 7. SmolLM2-135M starts at 45.3% over all of them. Own writing; form: tasks/ladder.ts.
 */
import { numeric, parseNumber } from '../verifiers/numeric.ts';
import { digitsOf, ladder } from './ladder.ts';

const WORDS = ['cat', 'dog', 'sun', 'tree', 'book', 'fish', 'milk', 'door', 'bird', 'hat', 'rain', 'cup'] as const;
/** Each place holds the word that is looked for, or one of four others. */
const KINDS = 5;
const LENGTHS = [3, 4, 5, 6, 7];
interface Data {
  word: string;
  list: string[];
}

export default ladder({
  id: 'word-count',
  title: 'How often a word is in a list',
  strata: LENGTHS.map((length) => ({
    id: String(length),
    size: WORDS.length * KINDS ** length,
    at: (index) => {
      const [target = 0, ...places] = digitsOf(index, [WORDS.length, ...Array<number>(length).fill(KINDS)]);
      const word = WORDS[target]!;
      const list = places.map((kind) => WORDS[(target + kind * 5) % WORDS.length]!);
      const id = `${word} in ${list.join(' ')}`;
      const data: Data = { word, list };
      return {
        id,
        identity: id,
        stratum: String(length),
        data: { ...data },
        gold: [String(list.filter((one) => one === word).length)],
      };
    },
  })),
  question: ({ data }) => {
    const { word, list } = data as unknown as Data;
    return `How often is "${word}" in this list: ${list.join(', ')}?`;
  },
  steps: ({ data, gold }) => {
    const { word, list } = data as unknown as Data;
    return [...list.map((one) => `${one} is ${one === word ? 'yes' : 'no'}.`), `That is ${gold[0]} times.`];
  },
  parse: parseNumber,
  judge: numeric,
  maxNewTokens: 72,
  module: new URL(import.meta.url),
});
