/**
 * Spider: questions about databases of many domains, answered with SQL; from published files.
 *
 *   prompt      Q: pet(id, owner_id, age); owner(id, name); pet.owner_id = owner.id
 *               How many pets are older than 3?
 *               A:                          hinted: A: (The query is SELECT count(*) FROM pet WHERE age > 3.)
 *   completion   We count rows of pet. We keep those with age > 3.
 *               SQL: SELECT count(*) FROM pet WHERE age > 3
 *
 * A query is judged by what it gives on random databases that are filled for the schema and the gold query, so the published
 * ones are not needed (verifiers/sql.ts). Whole databases are held out. The hint is the gold query (STaR-SQL, He et al.,
 * arXiv:2502.13550); the examples are our own. Strata: Spider's difficulty. Format: Yu et al., arXiv:1809.08887.
 */
import { z } from 'zod';
import type { Problem } from '../schemas/problem.ts';
import { cutOff } from '../verifiers/answer.ts';
import { INSTANCES, judgeSql, sqlResult } from '../verifiers/sql.ts';
import { forQuery, SqlSchema } from '../verifiers/sql-schema.ts';
import { DatasetParameters, noRows } from './dataset.ts';
import { ask, pretrainedDefaults, shotsOf, STOP } from './pretrained.ts';
import { difficultyOf, schemaLine, sideOfDatabase, spiderSchema, SpiderTables } from './spider-rows.ts';
import type { Task } from './task.ts';

const MAX_NEW_TOKENS = 256;
const TABLES = 'spider/tables.json';

const Row = z.object({ db_id: z.string().min(1), question: z.string().min(1), query: z.string().min(1) });
const Parameters = DatasetParameters.extend({
  /** Random databases that a query is judged on. */
  instances: z.int().min(1).max(100).default(INSTANCES),
});
type SpiderParameters = z.infer<typeof Parameters>;

const BOOKS = 'author(id, name, country); book(id, author_id, title, year, pages); book.author_id = author.id';
const GARDEN = 'bed(id, place, size); plant(id, bed_id, name, height, price); plant.bed_id = bed.id';
const EXAMPLES = [
  {
    schema: BOOKS,
    question: 'How many books have more than 300 pages?',
    rationale: 'We count rows of book. We keep those with pages above 300.',
    sql: 'SELECT count(*) FROM book WHERE pages > 300',
  },
  {
    schema: BOOKS,
    question: 'List the names of the authors of books that came out before 1950, each once.',
    rationale:
      'The name is in author, the year in book; author_id joins them. We keep year below 1950 and take each name once.',
    sql: 'SELECT DISTINCT T1.name FROM author AS T1 JOIN book AS T2 ON T1.id = T2.author_id WHERE T2.year < 1950',
  },
  {
    schema: GARDEN,
    question: 'What is the average height of the plants in each bed that has at least 4 of them?',
    rationale: 'We group plant by bed_id, keep groups of 4 rows or more, and show the bed with its average height.',
    sql: 'SELECT bed_id, avg(height) FROM plant GROUP BY bed_id HAVING count(*) >= 4',
  },
  {
    schema: GARDEN,
    question: 'Where is the largest bed?',
    rationale: 'The place and the size are in bed. We put the largest size first and take one row.',
    sql: 'SELECT place FROM bed ORDER BY size DESC LIMIT 1',
  },
  {
    schema: GARDEN,
    question: 'Which places have beds without any plant?',
    rationale: 'We show the place of each bed whose id is not among the bed_id of plant.',
    sql: 'SELECT place FROM bed WHERE id NOT IN (SELECT bed_id FROM plant)',
  },
];

const asked = (schema: string, question: string): string => ask(`${schema}\n${question}`);
const hint = (query: string): string => ` (The query is ${query}.)`;
const answered = (rationale: string, query: string): string => ` ${rationale}\nSQL: ${query}`;
const bare = (query: string): string => query.trim().replace(/(?:\s*;)+$/, '');
const promptOf = ({ data }: Problem): string => asked(schemaLine(data.schema as SqlSchema), data.question as string);

const spider: Task<SpiderParameters> = {
  ...noRows,
  id: 'spider',
  title: 'Spider: questions to SQL over databases of many domains',
  parameters: Parameters,
  dataset: {
    source:
      'Spider from yale-lily.github.io/spider: its tables.json as it is, its dev.json as dev.jsonl, one object a line',
    files: () => [
      { path: TABLES, side: 'lookup' },
      { path: 'spider/dev.jsonl', side: 'any' },
      { path: 'spider/train.jsonl', side: 'any', optional: true },
    ],
    row: (json, { instances }, lookups) => {
      const { db_id: database, question, query } = Row.parse(json);
      const all = (lookups.get(TABLES) ?? []).map((one) => SpiderTables.parse(one));
      const tables = all.find((one) => one.db_id === database);
      if (!tables) throw new Error(`${TABLES} has no database "${database}"`);
      const gold = bare(query);
      return {
        question: `${database}: ${question}`,
        stratum: difficultyOf(gold),
        data: { database, question, schema: spiderSchema(tables), instances },
        gold: [gold],
        side: sideOfDatabase(
          database,
          all.map((one) => one.db_id),
        ),
      };
    },
    shots: () => EXAMPLES.map(({ question }) => question),
  },
  prompt: {
    free: promptOf,
    hinted: (problem) => promptOf(problem) + hint(problem.gold[0]!),
    shots: (form) =>
      shotsOf(
        EXAMPLES.map(({ schema, question, rationale, sql }) => ({
          prompt: asked(schema, question) + (form === 'hinted' ? hint(sql) : ''),
          completion: answered(rationale, sql),
        })),
      ),
  },
  stop: STOP,
  goldCompletion: ({ data, gold }) =>
    answered((data.rationale as string | undefined) ?? 'The query says what is asked for.', gold[0]!),
  parse: (text) => {
    const found = /.*SQL:([^]*)$/s.exec(cutOff(text, STOP))?.[1]?.replace(/```(?:sql)?/gi, '');
    return found === undefined || bare(found) === '' ? null : bare(found);
  },
  judge: ({ data, gold }, text) => {
    const schema = forQuery(SqlSchema.parse(data.schema), gold[0]!);
    return judgeSql({ schema, gold: gold[0]!, answer: spider.parse(text), instances: data.instances as number });
  },
  // The databases hold what the gold asks about, as Spider's own do; the gold itself is not run.
  vote: ({ data, gold }, text) =>
    sqlResult({ schema: forQuery(SqlSchema.parse(data.schema), gold[0]!), answer: spider.parse(text) }),
  stepCount: (text) => text.split(/(?<=[.;])\s/).length,
  maxNewTokens: () => MAX_NEW_TOKENS,
  defaults: pretrainedDefaults,
  judging: { memoryMb: 512 },
  modules: [new URL(import.meta.url)],
};
export default spider;
