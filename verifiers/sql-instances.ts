/**
 * Random rows for a schema: what two queries have to agree on to be taken for the same.
 *
 *   instanceOf(schema, 7)        // rows of every table; the same for the same schema and number
 *
 * Keys are unique and foreign keys point somewhere, as a designer's would; not everything is pointed at. Other columns take
 * the values they like (literals of the query and their neighbours) or one of few values, so that groups, ties, duplicates and
 * empty joins occur; in every other instance numbers range widely instead, so that orders are clear. Every second one has NULLs.
 *
 * Idea: Zhong et al., "Semantic evaluation for text-to-SQL with distilled test suites", 2020. Pure.
 */
import { createHash } from 'node:crypto';
import type { TableRows } from './sqlite.ts';
import type { SqlColumn, SqlSchema } from './sql-schema.ts';

type Value = string | number | null;
type Table = SqlSchema['tables'][number];

const ROWS = { from: 5, to: 24 };
/** Beyond it nothing is made for a count: a thousand rows of every table would take the steps that a query has. */
const MOST_CROWD = 60;
const NULLS = 0.1;
/** Shares of an ordinary column's values: what it likes; a neighbour of that. */
const LIKED = 0.4;
const NEAR = 0.2;
const WORDS =
  'amber birch cedar delta ember fjord grove heron indigo juniper kelp lotus maple nectar onyx pearl quartz raven sable tulip umber violet willow yarrow zinc'.split(
    ' ',
  );

class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  constructor(seed: string) {
    const digest = createHash('sha256').update(seed).digest();
    [this.#a, this.#b, this.#c, this.#d] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at)) as [
      number,
      number,
      number,
      number,
    ];
  }
  /** xoshiro128**; 0 … 1. */
  next(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return (result >>> 0) / 2 ** 32;
  }
  /** A whole number, both ends included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }
  chance(share: number): boolean {
    return this.next() < share;
  }
  of<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!;
  }
}
const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

/** How one instance differs from the next. */
interface Style {
  wide: boolean;
  nulls: boolean;
  words: string[];
}

/** Text that is nearly the one that is liked: other case, longer at one end. */
function nearText(text: string, random: Random): string {
  const way = random.between(0, 3);
  if (way === 0) return text.toLowerCase();
  if (way === 1) return text.toUpperCase();
  return way === 2 ? `${text} ${random.of(WORDS)}` : `${random.of(WORDS)} ${text}`;
}
const fillPattern = (pattern: string, random: Random): string =>
  pattern.replace(/%/g, () => (random.chance(0.4) ? '' : random.of(WORDS))).replace(/_/g, () => random.of(WORDS)[0]!);

function textValue({ values = [] }: SqlColumn, { words }: Style, random: Random): string {
  const liked = values.length > 0 ? String(random.of(values)) : '';
  const place = random.next();
  if (values.length > 0 && place < LIKED + NEAR) {
    const number = Number(liked);
    if (liked.trim() !== '' && Number.isFinite(number) && place >= LIKED) return String(number + random.between(-2, 2));
    const text = fillPattern(liked, random);
    return place < LIKED ? text : nearText(text, random);
  }
  // Some more often than others: groups of several sizes.
  return words[Math.floor(random.next() ** 2 * words.length)]!;
}

function numberValue({ type, values = [] }: SqlColumn, { wide }: Style, random: Random): number {
  const numbers = values.map(Number).filter(Number.isFinite);
  const place = random.next();
  if (numbers.length > 0 && place < LIKED + NEAR) {
    const liked = random.of(numbers);
    return place < LIKED ? liked : liked + random.of([-1, 1]) * (Number.isInteger(liked) ? 1 : 0.1);
  }
  const [low, high] = [Math.min(1, ...numbers), Math.max(wide ? 999 : 6, ...numbers.map((one) => one * 1.3))];
  const whole = random.between(Math.floor(low), Math.ceil(high));
  return type === 'real' && random.chance(0.5) ? whole + 0.5 : whole;
}

/** A value that no other row of a unique column has. */
function uniqueValue(column: SqlColumn, taken: Set<Value>, style: Style, random: Random): Value {
  for (let tries = 0; ; tries++) {
    let value: Value = column.type === 'text' ? textValue(column, style, random) : numberValue(column, style, random);
    if (tries > 4)
      value = column.type === 'text' ? `${String(value)} ${random.between(1, 999)}` : random.between(1, 9999);
    if (!taken.has(value)) return value;
  }
}

class Instance {
  readonly rows = new Map<string, Map<string, Value>[]>();

  constructor(
    private readonly schema: SqlSchema,
    private readonly style: Style,
    private readonly random: Random,
  ) {
    for (const table of schema.tables) this.fill(table, new Set());
  }

  /** Tables that are pointed at come first; a circle is cut where it closes. */
  private fill(table: Table, open: Set<string>): void {
    if (this.rows.has(table.name)) return;
    open.add(table.name);
    const links = this.schema.foreign.filter((one) => one.table === table.name);
    for (const { toTable } of links) {
      const parent = this.schema.tables.find(({ name }) => name === toTable);
      if (parent && !open.has(toTable)) this.fill(parent, open);
    }
    const pointedAt = new Set(
      this.schema.foreign.filter((one) => one.toTable === table.name).map((one) => one.toColumn),
    );
    const unique = table.columns.filter(
      ({ name }) => pointedAt.has(name) || (table.key.length === 1 && table.key[0] === name),
    );
    const rows: Map<string, Value>[] = [];
    const taken = new Map(unique.map(({ name }) => [name, new Set<Value>()]));
    const tuples = new Set<string>();
    const count = this.random.between(ROWS.from, Math.max(ROWS.to, 3 * Math.min(this.schema.crowd ?? 0, MOST_CROWD)));
    for (let tries = 0; rows.length < count && tries < 3 * count; tries++) {
      const row = new Map<string, Value>();
      for (const column of table.columns) {
        const link = links.find((one) => one.column === column.name);
        const value = this.value(column, link, rows, taken.get(column.name), table.key.includes(column.name));
        if (value === undefined) break;
        row.set(column.name, value);
      }
      // No parent is left for a key that is a foreign one as well.
      if (row.size < table.columns.length) break;
      const tuple = JSON.stringify(table.key.map((name) => row.get(name)));
      if (table.key.length > 0 && tuples.has(tuple)) continue;
      tuples.add(tuple);
      for (const [name, values] of taken) values.add(row.get(name)!);
      rows.push(row);
    }
    this.rows.set(table.name, rows);
  }

  private value(
    column: SqlColumn,
    link: SqlSchema['foreign'][number] | undefined,
    own: Map<string, Value>[],
    taken: Set<Value> | undefined,
    isKey: boolean,
  ): Value | undefined {
    const parents = link && (this.rows.get(link.toTable) ?? own);
    if (link && parents!.length > 0) {
      const values = parents!.map((row) => row.get(link.toColumn)!).filter((value) => !taken?.has(value));
      if (values.length === 0) return undefined;
      // The first parents are pointed at more often: groups of several sizes.
      return values[Math.floor(this.random.next() ** 1.5 * values.length)];
    }
    if (taken) return uniqueValue(column, taken, this.style, this.random);
    if (this.style.nulls && !isKey && this.random.chance(NULLS)) return null;
    return column.type === 'text'
      ? textValue(column, this.style, this.random)
      : numberValue(column, this.style, this.random);
  }
}

/** Rows of every table, in the order of the schema and its columns. */
export function instanceOf(schema: SqlSchema, number: number): TableRows[] {
  const random = new Random(`startrail sql instance\n${number}\n${JSON.stringify(schema)}`);
  const wide = number % 2 === 1;
  const words = Array.from({ length: wide ? 18 : 5 }, () => random.of(WORDS));
  const { rows } = new Instance(schema, { wide, nulls: number % 4 >= 2, words }, random);
  return schema.tables.map(({ name, columns }) => ({
    table: name,
    rows: rows.get(name)!.map((row) => columns.map((column) => row.get(column.name)!)),
  }));
}
