/**
 * How many wrong queries the SQL verifier takes for right, by the number of random databases it asks; and whether it takes all
 * of Spider's gold queries for right.
 *
 *   node --import tsx bench/sql-false-accepts.ts <folder that holds spider/> [--mutants 800] [--instances 1,5,20] [--list]
 *
 * Mutants that do not run are left out: no database is needed to refuse them. Those that add or drop a DISTINCT are counted apart as
 * well: where it says nothing they mean the same. `--list` prints each survivor of the last number of instances beside its gold
 * query, to be looked at, the others first. Deterministic: the mutants are drawn by a fixed seed.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { problemsOf } from '../tasks/dataset.ts';
import { permutation } from '../tasks/permutation.ts';
import spider from '../tasks/spider.ts';
import { judgeSql } from '../verifiers/sql.ts';
import { forQuery, SqlSchema } from '../verifiers/sql-schema.ts';
import { mutantsOf } from './sql-mutants.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mutants: { type: 'string', default: '800' },
    instances: { type: 'string', default: '1,2,5,10,20' },
    list: { type: 'boolean', default: false },
  },
});
const [folder = '../shared/data'] = positionals;
const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
const lines = read('spider/dev.jsonl').split('\n').filter(Boolean);
const files = new Map<string, unknown[]>([
  ['spider/tables.json', JSON.parse(read('spider/tables.json')) as unknown[]],
  ['spider/dev.jsonl', lines.map((line) => JSON.parse(line) as unknown)],
]);
const { problems } = problemsOf(spider.dataset!, spider.parameters.parse({}), files);

const golds = new Map<string, { gold: string; schema: SqlSchema }>();
let rows = 0;
for (const { gold, data } of problems) {
  rows++;
  const key = `${data.database as string}\n${gold[0]!}`;
  golds.set(key, { gold: gold[0]!, schema: forQuery(SqlSchema.parse(data.schema), gold[0]!) });
}
const refused: string[] = [];
const mutants: { kind: string; sql: string; gold: string; schema: SqlSchema }[] = [];
for (const { gold, schema } of golds.values()) {
  const verdict = await judgeSql({ schema, gold, answer: gold }).catch((error: unknown) => String(error));
  if (typeof verdict === 'string' || verdict.verdict !== 'correct')
    refused.push(`${gold}\n    ${JSON.stringify(verdict)}`);
  else mutants.push(...mutantsOf(gold, schema).map((one) => ({ ...one, gold, schema })));
}
console.log(`gold queries: ${rows} rows, ${golds.size} distinct, ${golds.size - refused.length} accepted`);
for (const one of refused) console.log(`  not accepted: ${one}`);

const order = permutation(mutants.length, 'sql false accepts');
const drawn = Array.from({ length: mutants.length }, (_, at) => mutants[order(at)]!);
const isOther = ({ kind }: (typeof mutants)[number]) => kind !== 'distinct';
const counts = values.instances.split(',').map(Number);
const accepted = new Map(counts.map((count) => [count, [] as typeof mutants]));
const tried = new Map<string, number>();
let n = 0;
for (const mutant of drawn) {
  if (n >= Number(values.mutants)) break;
  const { gold, sql, schema, kind } = mutant;
  const [first, ...more] = counts;
  const verdict = await judgeSql({ schema, gold, answer: sql, instances: first! });
  if (verdict.verdict === 'incorrect' && verdict.why.startsWith('the query cannot be run')) continue;
  n++;
  tried.set(kind, (tried.get(kind) ?? 0) + 1);
  if (verdict.verdict === 'correct') accepted.get(first!)!.push(mutant);
  for (const instances of more)
    if ((await judgeSql({ schema, gold, answer: sql, instances })).verdict === 'correct')
      accepted.get(instances)!.push(mutant);
}
console.log(
  `mutants: ${mutants.length} made, ${n} of those that run tried: ${JSON.stringify(Object.fromEntries(tried))}`,
);
for (const [count, list] of accepted) {
  const byKind: Record<string, number> = {};
  for (const { kind } of list) byKind[kind] = (byKind[kind] ?? 0) + 1;
  console.log(
    `${count} instances: ${list.length} accepted, ${((100 * list.length) / n).toFixed(2)}% ${JSON.stringify(byKind)}; ` +
      `without DISTINCT ${list.filter(isOther).length} of ${n - (tried.get('distinct') ?? 0)}`,
  );
}
const last = accepted.get(counts.at(-1)!)!;
if (values.list)
  for (const { kind, sql, gold } of [...last.filter(isOther), ...last.filter((one) => !isOther(one))])
    console.log(`\n${kind}\n  gold    ${gold}\n  mutant  ${sql}`);
