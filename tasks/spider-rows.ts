/**
 * Spider's files as problems: the schema of `tables.json`, the difficulty of a query, the side of a database.
 *
 *   spiderSchema(tables, 'pets_1')     // tables, columns, keys, as the verifier fills them
 *   difficultyOf('SELECT …')           // easy | medium | hard | extra
 *
 * Format: Yu et al., arXiv:1809.08887. Pure. Limits: `tables.json` names one column of a composite key only where the older
 * release does; difficulty follows the rule of Spider's evaluation counted on words, not on its parse.
 */
import { z } from 'zod';
import type { Split } from '../schemas/problem.ts';
import { sqlTokens } from '../verifiers/sql-schema.ts';
import type { SqlSchema } from '../verifiers/sql-schema.ts';
import { placeOf } from './source.ts';

const Key = z.union([z.int(), z.array(z.int())]);
export const SpiderTables = z.object({
  db_id: z.string().min(1),
  table_names_original: z.array(z.string()),
  column_names_original: z.array(z.tuple([z.int(), z.string()])),
  column_types: z.array(z.string()),
  primary_keys: z.array(Key),
  foreign_keys: z.array(z.tuple([z.int(), z.int()])),
});
export type SpiderTables = z.infer<typeof SpiderTables>;

export function spiderSchema(tables: SpiderTables): SqlSchema {
  const { table_names_original: names, column_names_original: columns, column_types: types } = tables;
  const nameOf = (column: number) => columns[column]![1];
  const tableOf = (column: number) => names[columns[column]![0]]!;
  const keys = tables.primary_keys.flat();
  const foreign = tables.foreign_keys.map(([from, to]) => ({
    table: tableOf(from),
    column: nameOf(from),
    toTable: tableOf(to),
    toColumn: nameOf(to),
  }));
  return {
    tables: names
      .map((name, table) => {
        const own = columns.flatMap(([of, column], at) => (of === table ? [{ column, at }] : []));
        return {
          name,
          columns: own.map(({ column, at }) => ({
            name: column,
            type: types[at] === 'number' ? ('integer' as const) : ('text' as const),
          })),
          key: own.filter(({ at }) => keys.includes(at)).map(({ column }) => column),
        };
      })
      // SQLite's own bookkeeping, which somebody took for a part of the schema.
      .filter(({ name, columns: own }) => own.length > 0 && !/^sqlite_/i.test(name)),
    foreign: foreign.filter(({ table, toTable }) => table !== toTable),
  };
}

/** One line: every table with its columns, then what joins them. */
export const schemaLine = ({ tables, foreign }: SqlSchema): string =>
  [
    ...tables.map(({ name, columns }) => `${name}(${columns.map((one) => one.name).join(', ')})`),
    ...foreign.map((one) => `${one.table}.${one.column} = ${one.toTable}.${one.toColumn}`),
  ].join('; ');

const SHARES = { dev: 0.2, test: 0.35 };
/** Whole databases are held out: the first by the hash of their names are dev, the next test. */
export function sideOfDatabase(database: string, all: readonly string[]): Split {
  const ranked = [...new Set(all)].sort((x, y) => placeOf(x) - placeOf(y));
  const place = ranked.indexOf(database) / ranked.length;
  return place < SHARES.dev ? 'dev' : place < SHARES.dev + SHARES.test ? 'test' : 'train';
}

export function difficultyOf(sql: string): 'easy' | 'medium' | 'hard' | 'extra' {
  const all = sqlTokens(sql).map(({ raw, depth }) => ({ word: raw.toLowerCase(), depth }));
  const end = all.findIndex(({ word, depth }) => depth === 0 && /^(?:intersect|union|except)$/.test(word));
  const outer = all.slice(0, end < 0 ? undefined : end);
  const count = (pattern: RegExp, tokens = outer) => tokens.filter(({ word }) => pattern.test(word)).length;
  const top = outer.filter(({ depth }) => depth === 0);
  const between = (from: string, to: RegExp) => {
    const at = top.findIndex(({ word }) => word === from);
    const until = at < 0 ? -1 : top.findIndex(({ word }, index) => index > at && to.test(word));
    return at < 0 ? [] : top.slice(at, until < 0 ? undefined : until);
  };
  const where = between('where', /^(?:group|order|limit|having)$/);
  const clauses = ['where', 'group', 'order', 'limit'].filter((one) => top.some(({ word }) => word === one)).length;
  const simple = clauses + count(/^(?:join|or|like)$/, top);
  const nested = count(/^(?:intersect|union|except)$/, all) + Math.max(0, count(/^select$/) - 1);
  const others = [
    count(/^(?:max|min|count|sum|avg)$/) > 1,
    count(/^,$/, between('select', /^from$/)) > 0,
    count(/^(?:and|or)$/, where) > 0,
    count(/^,$/, between('group', /^(?:order|limit|having)$/)) > 0,
  ].filter(Boolean).length;
  if (nested === 0 && simple <= 1 && others === 0) return 'easy';
  if (nested === 0 && ((simple <= 1 && others <= 2) || (simple <= 2 && others < 2))) return 'medium';
  if (
    nested === 0
      ? (simple <= 2 && others > 2) || (simple === 3 && others <= 2)
      : nested === 1 && simple <= 1 && others === 0
  )
    return 'hard';
  return 'extra';
}
