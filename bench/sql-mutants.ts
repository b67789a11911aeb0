/**
 * Wrong queries that are nearly right: one change of meaning to a query of Spider's.
 *
 *   mutantsOf('SELECT name FROM pet WHERE age > 3', schema)
 *     // [{ sql: 'SELECT name FROM pet WHERE age >= 3', kind: 'comparison' }, …]
 *
 * Pure. Limits: some changes mean the same on every database that keeps its keys (DISTINCT of a key): they are looked at by
 * hand when they survive, never dropped unseen.
 */
import { sqlTokens } from '../verifiers/sql-schema.ts';
import type { SqlSchema } from '../verifiers/sql-schema.ts';

export interface Mutant {
  kind: string;
  sql: string;
}

const SWAPS: Record<string, [kind: string, to: string[]]> = {
  '>': ['comparison', ['>=', '<']],
  '>=': ['comparison', ['>']],
  '<': ['comparison', ['<=', '>']],
  '<=': ['comparison', ['<']],
  '!=': ['comparison', ['=']],
  max: ['aggregate', ['min']],
  min: ['aggregate', ['max']],
  avg: ['aggregate', ['sum', 'max']],
  sum: ['aggregate', ['avg', 'max']],
  asc: ['order', ['DESC']],
  desc: ['order', ['ASC']],
  intersect: ['set operation', ['UNION', 'EXCEPT']],
  except: ['set operation', ['INTERSECT', 'UNION']],
  union: ['set operation', ['INTERSECT', 'UNION ALL']],
  where: ['condition dropped', ['WHERE 1 = 1 OR']],
  having: ['condition dropped', ['HAVING 1 = 1 OR']],
  distinct: ['distinct', ['']],
  in: ['membership', ['NOT IN']],
  like: ['membership', ['NOT LIKE']],
  or: ['connective', ['AND']],
};

export function mutantsOf(sql: string, { tables }: SqlSchema): Mutant[] {
  const tokens = sqlTokens(sql);
  const words = tokens.map(({ raw }) => raw);
  const found: Mutant[] = [];
  const change = (kind: string, at: number, to: string) =>
    found.push({ kind, sql: words.map((word, index) => (index === at ? to : word)).join(' ') });
  let between = false;
  for (const [at, { kind, raw }] of tokens.entries()) {
    const word = raw.toLowerCase();
    const before = words[at - 1]?.toLowerCase();
    const [name, to] = SWAPS[word] ?? ['', []];
    if (!(before === 'not' && (word === 'in' || word === 'like'))) for (const one of to) change(name, at, one);
    if (word === 'not') change('membership', at, '');
    if (word === 'between') between = true;
    else if (word === 'and') {
      if (!between) change('connective', at, 'OR');
      between = false;
    }
    // Of two columns it is a join.
    if (word === '=' && !/^[\p{L}_]/u.test(words[at + 1] ?? '')) change('comparison', at, '!=');
    if (kind === 'number') change(before === 'limit' ? 'limit' : 'literal', at, String(Number(raw) + 1));
    if (kind === 'text' && /^(?:=|!=|like)$/.test(before ?? ''))
      change('literal', at, `${raw.slice(0, -1)}x${raw.at(-1)!}`);
    if (word === 'select' && words[at + 1]?.toLowerCase() !== 'distinct' && tokens[at]!.depth === 0)
      change('distinct', at, 'SELECT DISTINCT');
    if (kind !== 'word' || words[at + 1] === '(') continue;
    const table = tables.find(({ columns }) => columns.some((column) => column.name.toLowerCase() === word));
    if (!table || /^(?:from|join|as)$/.test(before ?? '') || words[at + 1] === '.') continue;
    const own = table.columns.findIndex((column) => column.name.toLowerCase() === word);
    change('column', at, `"${table.columns[(own + 1) % table.columns.length]!.name}"`);
  }
  return found;
}
