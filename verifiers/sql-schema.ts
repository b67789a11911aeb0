/**
 * What a query is asked about: tables, columns, keys; and how SQL text is cut into words, for literals and clauses.
 *
 *   forQuery(schema, 'SELECT name FROM pet WHERE age > 3')   // pet.age now likes to be 3
 *   isOrdered('SELECT a FROM t ORDER BY a')                      // true: the order of its rows is part of the answer
 *
 * Pure. Limits: a literal belongs to the column that stands last before it, wherever that name occurs in the schema.
 */
import { z } from 'zod';

const Column = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['text', 'integer', 'real']),
  /** What it likes to hold; a `%` or `_` in a text is any text. */
  values: z.array(z.union([z.string(), z.number()])).optional(),
});
export const SqlSchema = z.strictObject({
  tables: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        columns: z.array(Column).min(1),
        /** Columns whose values together are unique. */
        key: z.array(z.string()).default([]),
      }),
    )
    .min(1),
  foreign: z
    .array(z.strictObject({ table: z.string(), column: z.string(), toTable: z.string(), toColumn: z.string() }))
    .default([]),
  /** Groups of that many rows are asked for. */
  crowd: z.number().optional(),
});
export type SqlSchema = z.infer<typeof SqlSchema>;
export type SqlColumn = z.infer<typeof Column>;

export interface SqlToken {
  kind: 'word' | 'text' | 'number' | 'sign';
  /** As it stands there, quotes included. */
  raw: string;
  /** Parentheses around it. */
  depth: number;
}

const TOKEN =
  /--[^\n]*|\/\*[^]*?(?:\*\/|$)|('(?:[^']|'')*'?|"(?:[^"]|"")*"?|`[^`]*`?|\[[^\]]*\]?)|(\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)|([\p{L}_][\p{L}\p{N}_$]*)|(<>|<=|>=|!=|==|\|\||[^\s])/giu;

/** Words, literals and signs, comments left out. */
export function sqlTokens(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let depth = 0;
  for (const [raw, quoted, number, word, sign] of sql.matchAll(TOKEN)) {
    if (sign === ')') depth--;
    if (quoted !== undefined) tokens.push({ kind: 'text', raw, depth });
    else if (number !== undefined) tokens.push({ kind: 'number', raw, depth });
    else if (word !== undefined) tokens.push({ kind: 'word', raw, depth });
    else if (sign !== undefined) tokens.push({ kind: 'sign', raw, depth });
    if (sign === '(') depth++;
  }
  return tokens;
}

/** The rows' order is asked for: an ORDER BY that no parenthesis encloses. */
export function isOrdered(sql: string): boolean {
  const tokens = sqlTokens(sql);
  return tokens.some(
    ({ raw, depth }, at) =>
      depth === 0 && /^order$/i.test(raw) && tokens[at + 1]?.depth === 0 && /^by$/i.test(tokens[at + 1]!.raw),
  );
}

type Values = (string | number)[];

/** Text and number literals by the lower-case name of the column that stands last before each. */
function literalsOf(names: ReadonlySet<string>, tokens: SqlToken[]): Map<string, Values> {
  const found = new Map<string, Values>();
  let column: string | undefined;
  for (const [at, { kind, raw }] of tokens.entries()) {
    const bare = kind === 'text' ? raw.slice(1, -1).replaceAll(raw[0]!.repeat(2), raw[0]!) : raw;
    const isName = (kind === 'word' || (kind === 'text' && raw[0] !== "'")) && names.has(bare.toLowerCase());
    if (isName) column = bare.toLowerCase();
    else if (kind === 'word' && /^(?:limit|offset)$/i.test(raw)) column = undefined;
    else if ((kind === 'text' || kind === 'number') && column !== undefined) {
      const sign = tokens[at - 1]?.raw === '-' ? -1 : 1;
      found.set(column, [...(found.get(column) ?? []), kind === 'number' ? sign * Number(raw) : bare]);
    }
  }
  return found;
}

/** The largest number that a `count(…)` is compared with. */
function crowdOf(tokens: SqlToken[]): number {
  const sizes = tokens.flatMap(({ kind, raw }, at) => {
    if (kind !== 'number' || !/^[<>=!]/.test(tokens[at - 1]?.raw ?? '') || tokens[at - 2]?.raw !== ')') return [];
    const open = tokens.slice(0, at - 2).findLastIndex((one) => one.raw === '(' && one.depth === tokens[at - 2]!.depth);
    return /^count$/i.test(tokens[open - 1]?.raw ?? '') ? [Number(raw)] : [];
  });
  return Math.max(0, ...sizes);
}

/** Numbers that a column of text holds where it is added up: of words every sum is 0. */
const NUMERALS = ['3', '12', '47', '150'];

/** Lower-case names of the columns inside `avg(…)` and `sum(…)`. */
function addedUp(tokens: SqlToken[]): Set<string> {
  const names = new Set<string>();
  for (const [at, { raw }] of tokens.entries()) {
    if (!/^(?:avg|sum)$/i.test(raw) || tokens[at + 1]?.raw !== '(') continue;
    const { depth } = tokens[at + 1]!;
    for (let inside = at + 2; inside < tokens.length && tokens[inside]!.depth > depth; inside++)
      names.add(bareName(tokens[inside]!));
  }
  return names;
}

/**
 * Lower-case names of what a query over one table groups by. As keys they would make groups of one row, of which no aggregate
 * says anything: such a "key" is half of one, of which Spider names no more.
 */
function groupedBy(tokens: SqlToken[]): Set<string> {
  const word = (at: number) => tokens[at]?.raw.toLowerCase();
  const froms = tokens.filter(({ raw }) => /^(?:from|join)$/i.test(raw)).length;
  const names = new Set<string>();
  for (let at = 0; froms === 1 && at < tokens.length; at++) {
    if (word(at) !== 'group' || word(at + 1) !== 'by') continue;
    for (let of = at + 2; of < tokens.length && !/^(?:having|order|limit|[)])$/.test(word(of)!); of++)
      names.add(bareName(tokens[of]!));
  }
  return names;
}
const bareName = ({ kind, raw }: SqlToken): string => (kind === 'text' ? raw.slice(1, -1) : raw).toLowerCase();

/**
 * Foreign keys that a schema forgot to declare: `a.x = b.y` in the query, where y is the key of b and x points nowhere. Without
 * them hardly a row would join.
 */
function joinsOf({ tables, foreign }: SqlSchema, tokens: SqlToken[]): SqlSchema['foreign'] {
  const named = new Map(tables.map((table) => [table.name.toLowerCase(), table]));
  const word = (at: number) => tokens[at]?.raw.toLowerCase() ?? '';
  for (let at = 0; at < tokens.length; at++) {
    const table = named.get(word(at));
    if (table && /^(?:from|join|,)$/.test(word(at - 1)))
      named.set(word(at + 1) === 'as' ? word(at + 2) : word(at + 1), table);
  }
  const side = (at: number) => {
    const table = named.get(word(at));
    const column = table?.columns.find(({ name }) => name.toLowerCase() === word(at + 2))?.name;
    return word(at + 1) === '.' && table && column !== undefined ? { table, column } : undefined;
  };
  return tokens.flatMap(({ raw }, at) => {
    const [left, right] = raw === '=' ? [side(at - 3), side(at + 1)] : [];
    if (!left || !right || left.table === right.table) return [];
    const isKey = ({ table, column }: typeof left) => table.key.length === 1 && table.key[0] === column;
    // Of two keys the one that is not called so is the first column of a longer key, of which Spider names no more.
    const isMeant = (one: typeof left) =>
      isKey(one) && (!isKey(left) || !isKey(right) || /(?:id|code)$/i.test(one.column));
    const [from, to] = isMeant(right) ? [left, right] : [right, left];
    const points = foreign.some((one) =>
      [from, to].some(({ table, column }) => one.table === table.name && one.column === column),
    );
    if (!isMeant(to) || isMeant(from) || points) return [];
    return [{ table: from.table.name, column: from.column, toTable: to.table.name, toColumn: to.column }];
  });
}

/**
 * The schema with what the query compares its columns with among their values, and the joins it makes among its foreign keys. What a
 * foreign key is compared with must stand where it points to. Text that is added up holds numbers, and a key that a query over one
 * table groups by is none.
 */
export function forQuery(schema: SqlSchema, sql: string): SqlSchema {
  const tokens = sqlTokens(sql);
  const names = new Set(schema.tables.flatMap(({ columns }) => columns.map(({ name }) => name.toLowerCase())));
  const found = literalsOf(names, tokens);
  const crowd = crowdOf(tokens);
  const [summed, grouped] = [addedUp(tokens), groupedBy(tokens)];
  const foreign = [...schema.foreign, ...joinsOf(schema, tokens)];
  const pointing = (table: string, column: string) =>
    foreign.filter((one) => one.toTable === table && one.toColumn === column).map((one) => one.column);
  const tables = schema.tables.map((table) => ({
    ...table,
    // What many rows point with is no key by itself, unless it was declared as both.
    key:
      table.key.some((name) => grouped.has(name.toLowerCase())) ||
      foreign.slice(schema.foreign.length).some((one) => one.table === table.name && table.key.includes(one.column))
        ? []
        : table.key,
    columns: table.columns.map((one) => {
      const from = [one.name, ...pointing(table.name, one.name)].map((name) => name.toLowerCase());
      const numerals = one.type === 'text' && summed.has(one.name.toLowerCase()) ? NUMERALS : [];
      const values = new Set([...(one.values ?? []), ...numerals, ...from.flatMap((name) => found.get(name) ?? [])]);
      return values.size > 0 ? { ...one, values: [...values] } : one;
    }),
  }));
  return { tables, foreign, ...(crowd > 0 && { crowd }) };
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** One `CREATE TABLE` each. No constraints: the instances keep them, and an index would decide the order of rows. */
export const createTables = ({ tables }: SqlSchema): string[] =>
  tables.map(
    ({ name, columns }) =>
      `CREATE TABLE ${quoteName(name)}(${columns.map((one) => `${quoteName(one.name)} ${one.type.toUpperCase()}`).join()})`,
  );
