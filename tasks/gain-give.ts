/**
 * A word problem of two steps: somebody gets more of a thing, then gives some away.
 *
 *   Q: Mia has 12 marbles. She gets 7 more marbles and then gives away 4 marbles. How many marbles does she have now?
 *   A: Mia starts with 12. 12 + 7 = 19. 19 - 4 = 15. The answer is 15.
 *
 * Strata: the largest number, 20, 50, 99. An identity is the three numbers, whoever has whatever. SmolLM2-135M starts at 24.0%
 * on the first. Own writing; form: tasks/ladder.ts.
 */
import { numeric, parseNumber } from '../verifiers/numeric.ts';
import { digitsOf, ladder } from './ladder.ts';

const PEOPLE = [
  ['Mia', 'She', 'she'],
  ['Ben', 'He', 'he'],
  ['Lea', 'She', 'she'],
  ['Tom', 'He', 'he'],
] as const;
const THINGS = ['marbles', 'stamps', 'shells', 'pencils', 'cards'] as const;
/** What there is first and what comes, and the most that is given: never more than there is. */
const RANGES = [
  { id: '20', from: 5, to: 20, most: 10 },
  { id: '50', from: 21, to: 50, most: 40 },
  { id: '99', from: 51, to: 99, most: 90 },
];
interface Data {
  person: number;
  thing: number;
  has: number;
  gets: number;
  gives: number;
}

export default ladder({
  id: 'gain-give',
  title: 'Word problem: get some, give some away',
  strata: RANGES.map(({ id, from, to, most }) => {
    const span = to - from + 1;
    return {
      id,
      size: span * span * (most - 1) * PEOPLE.length * THINGS.length,
      at: (index) => {
        const [person = 0, thing = 0, a = 0, b = 0, c = 0] = digitsOf(index, [
          PEOPLE.length,
          THINGS.length,
          span,
          span,
          most - 1,
        ]);
        const data: Data = { person, thing, has: from + a, gets: from + b, gives: 2 + c };
        const numbers = `${data.has}+${data.gets}-${data.gives}`;
        return {
          id: `${PEOPLE[person]![0]} ${THINGS[thing]} ${numbers}`,
          identity: numbers,
          stratum: id,
          data: { ...data },
          gold: [String(data.has + data.gets - data.gives)],
        };
      },
    };
  }),
  question: ({ data }) => {
    const { person, thing, has, gets, gives } = data as unknown as Data;
    const [name, Subject, subject] = PEOPLE[person]!;
    const things = THINGS[thing]!;
    return `${name} has ${has} ${things}. ${Subject} gets ${gets} more ${things} and then gives away ${gives} ${things}. How many ${things} does ${subject} have now?`;
  },
  steps: ({ data }) => {
    const { person, has, gets, gives } = data as unknown as Data;
    const more = has + gets;
    return [
      `${PEOPLE[person]![0]} starts with ${has}.`,
      `${has} + ${gets} = ${more}.`,
      `${more} - ${gives} = ${more - gives}.`,
    ];
  },
  parse: parseNumber,
  judge: numeric,
  maxNewTokens: 64,
  module: new URL(import.meta.url),
});
