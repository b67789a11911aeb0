/**
 * Questions to SQL over small generated schemas: text-to-SQL of a size that a model made from scratch can learn.
 *
 *   prompt       owner ( id name city age rank ) pet ( id owner_id name color weight price )
 *                ? the name of each pet whose weight is above 7
 *                                           hinted: … hint SELECT name FROM pet WHERE weight > 7
 *   completion   show name
 *                from pet
 *                where weight > 7
 *                SELECT name FROM pet WHERE weight > 7
 *
 * Every word has a space in front, so that a word is a token and the last line is SQL as it stands. Test and dev schemas are
 * pairs of tables that no training problem has. A query is judged by what it gives on random databases (verifiers/sql.ts); the
 * hint is the gold query. Form of STaR-SQL (He et al., arXiv:2502.13550), whose Spider is in tasks/spider.ts; own writing.
 *
 * Strata: the kind of question, `filter` … `nested`. Limits: two tables, no question whose words are not in the vocabulary.
 */
import { z } from 'zod';
import type { TokenizerSpec } from '../schemas/checkpoint.ts';
import type { Problem, Split } from '../schemas/problem.ts';
import type { TaskDefaults } from '../schemas/run.ts';
import { INSTANCES, judgeSql, sqlResult } from '../verifiers/sql.ts';
import { drawFromStratum } from './draw.ts';
import { permutation } from './permutation.ts';
import { ask, KINDS, schemaAt, SCHEMAS, schemaText, sqlSchema, variantsOf, WORDS } from './sql-family.ts';
import type { Asked } from './sql-family.ts';
import type { Stratum, Task } from './task.ts';

// ---- every number that was chosen, not derived ----

const HELD_OUT_SCHEMAS = { dev: 6, test: 12 };
/** Problems of each stratum. */
const HELD_OUT = { dev: 40, test: 100 };
/** So few that the base answers about one question in six on schemas it has not seen. */
const SEEDS = 20;
const MARGIN_TOKENS = 4;
const MODEL = { dModel: 96, layers: 4, heads: 3, dFF: 384, activation: 'relu', context: 160 } as const;
const TRAINING = {
  learningRate: 2e-3,
  beta2: 0.98,
  warmupSteps: 50,
  decay: 'linear',
  batchSize: 32,
  clipNorm: 1,
} as const;
const HINTED_SEEDS = 0.4;
const BASE_STEPS = { first: 300, growth: 1, add: 0 };
const STEPS = { first: 500, growth: 1.2, add: 0 };
const REWARD_MODEL = { learningRate: 1e-3, steps: { first: 400, growth: 1, add: 0 } };
const RUN = { iterations: 3, shardSize: 200, draw: 1200 };

const Parameters = z.strictObject({
  /** Random databases that a query is judged on; the fewer, the more wrong queries pass. */
  instances: z.int().min(1).max(100).default(INSTANCES),
});
type SqlParameters = z.infer<typeof Parameters>;

interface Data {
  schema: number;
  kind: string;
  variant: number;
  instances: number;
}
const dataOf = ({ data }: Problem): Data => data as unknown as Data;
const askedOf = (problem: Problem): Asked => {
  const { kind, schema, variant } = dataOf(problem);
  return ask(kind, schemaAt(schema), variant);
};

/** Of the schemas in a fixed order the first are dev, the next test. Never change it: what was trained on would be tested on. */
const place = new Map<number, number>();
const order = permutation(SCHEMAS, 'startrail sql schemas 1');
for (let at = 0; at < SCHEMAS; at++) place.set(order(at), at);
function sideOf(problem: Problem): Split {
  const at = place.get(dataOf(problem).schema)!;
  return at < HELD_OUT_SCHEMAS.dev ? 'dev' : at < HELD_OUT_SCHEMAS.dev + HELD_OUT_SCHEMAS.test ? 'test' : 'train';
}

function strataOf({ instances }: SqlParameters): Stratum[] {
  return Object.keys(KINDS).map((kind) => {
    const variants = variantsOf(kind);
    return {
      id: kind,
      size: SCHEMAS * variants,
      at: (index) => {
        const [schema, variant] = [index % SCHEMAS, Math.floor(index / SCHEMAS)];
        const id = `${kind} ${schema} ${variant}`;
        const data: Data = { schema, kind, variant, instances };
        const { sql } = ask(kind, schemaAt(schema), variant);
        return { id, identity: id, stratum: kind, data: { ...data }, gold: [` ${sql}`] };
      },
    };
  });
}

const fromSide = (stratum: Stratum, side: Split, count: number, seed: string): Problem[] =>
  drawFromStratum(stratum, (problem) => sideOf(problem) === side, count, seed);

const linesOf = (problem: Problem): string[] => {
  const { steps, sql } = askedOf(problem);
  return [...steps, sql].map((line) => ` ${line}`);
};
const goldCompletion = (problem: Problem): string => linesOf(problem).join('\n');
const freePrompt = (problem: Problem): string =>
  `${schemaText(schemaAt(dataOf(problem).schema))} ? ${askedOf(problem).question}\n`;

const PIECES = ['<pad>', '<end>', '\n', ...WORDS.map((word) => ` ${word}`)];
const TOKENIZER: TokenizerSpec = { kind: 'pieces', pieces: PIECES, pad: 0, end: 1 };
const tokensOf = (text: string): number => text.split(/(?=[ \n])/).length;

/** Of the kind alone, whichever words a question has: the longest of its queries. */
const longest = new Map<string, number>();
function maxNewTokens({ stratum }: Problem): number {
  const known = longest.get(stratum);
  if (known !== undefined) return known;
  const lengths = Array.from({ length: 2 * 3 * 7 }, (_, variant) => {
    const { steps, sql } = ask(stratum, schemaAt(0), variant);
    return tokensOf([...steps, sql].map((line) => ` ${line}`).join('\n'));
  });
  const found = Math.max(...lengths) + 1 + MARGIN_TOKENS;
  longest.set(stratum, found);
  return found;
}

const sql: Task<SqlParameters> = {
  id: 'sql',
  title: 'Questions to SQL over generated schemas',
  parameters: Parameters,
  strata: strataOf,
  split: sideOf,
  heldOut: (side, parameters) =>
    strataOf(parameters).flatMap((stratum) => fromSide(stratum, side, HELD_OUT[side], 'held out')),
  seeds: (parameters, seed) =>
    strataOf(parameters)
      .flatMap((stratum) => fromSide(stratum, 'train', SEEDS, `seeds\n${seed}`))
      .map((problem) => ({ problem, rationale: goldCompletion(problem) })),

  prompt: {
    free: freePrompt,
    hinted: (problem) => `${freePrompt(problem).trimEnd()} hint${problem.gold[0]}\n`,
  },
  goldCompletion,
  parse: (text) => /(?:^|\n)( (?:SELECT|WITH)\b[^\n]*)$/.exec(text)?.[1] ?? null,
  judge: (problem, text) => {
    const { schema, instances } = dataOf(problem);
    const answer = sql.parse(text);
    return judgeSql({ schema: sqlSchema(schemaAt(schema)), gold: problem.gold[0]!, answer, instances });
  },
  checkSteps: (problem, text) => {
    const [right, found] = [linesOf(problem), text.split('\n')];
    for (let line = 0; line < Math.max(right.length, found.length); line++)
      if (right[line] !== found[line]) return { sound: false, firstWrongStep: line };
    return { sound: true, firstWrongStep: null };
  },
  vote: (problem, text) => sqlResult({ schema: sqlSchema(schemaAt(dataOf(problem).schema)), answer: sql.parse(text) }),
  stepCount: (text) => text.split('\n').length - 1,

  maxNewTokens,
  tokenizer: () => TOKENIZER,
  defaults: (): TaskDefaults => ({
    iterations: RUN.iterations,
    shardSize: RUN.shardSize,
    model: MODEL,
    base: { ...TRAINING, hintedSeeds: HINTED_SEEDS, steps: BASE_STEPS },
    stages: {
      draw: { count: RUN.draw },
      'fine-tune': { ...TRAINING, hintedSeeds: HINTED_SEEDS, steps: STEPS },
      'reward-model': { ...TRAINING, ...REWARD_MODEL },
    },
  }),
  judging: { memoryMb: 512 },
  modules: [new URL(import.meta.url)],
};
export default sql;
