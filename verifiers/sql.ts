/**
 * SQL by execution: the answered query gives what the gold query gives, on several random databases of one schema.
 *
 *   await judgeSql({ schema, gold: 'SELECT name FROM pet WHERE age > 3', answer: 'select name from pet where age >= 4' })
 *
 * Rows are compared as a multiset, as a list where the gold has an ORDER BY at its top. The number of columns and their order
 * count, their names do not; 2 = 2.0 and NULL = NULL. One database lets much through that is wrong (two filters that happen to
 * keep the same rows, empty against empty), so the default is 20, of which those on which the gold says something come first.
 *
 * Where the gold itself leaves the order open (ties, LIMIT among ties) it is run a second time with its tables read backwards:
 * rows that then come in another order are compared without it, and an instance where other rows come judges nothing.
 *
 * `sqlResult` says what a query gives, without a gold: candidates that give the same are one vote.
 *
 * What is wrong with the answer, loops and floods included, is `incorrect`; a gold that does not run or says nothing on any
 * instance, and trouble of SQLite, are thrown. Deterministic; decision 0019 says why it is safe to run.
 */
import { createHash } from 'node:crypto';
import { instanceOf } from './sql-instances.ts';
import { createTables, isOrdered } from './sql-schema.ts';
import type { SqlSchema } from './sql-schema.ts';
import { loadSqlite, QueryRefused } from './sqlite.ts';
import type { Database, QueryResult, Sqlite } from './sqlite.ts';
import { correct, incorrect } from './verifier.ts';
import type { Judgement } from './verifier.ts';

/** Instances where a problem names no number. */
export const INSTANCES = 20;
/** Looked at in search of those on which the gold says something, whatever number is wanted; more where more are. */
const LOOKS = 80;
/** Instances that a vote is made on. */
const VOTED_ON = 5;
/** Databases kept open, of the schemas asked about last. */
const MOST_OPEN = 1_600;

export interface SqlSubmission {
  schema: SqlSchema;
  gold: string;
  /** null: the completion holds none. */
  answer: string | null;
  instances?: number;
}
interface Expected extends QueryResult {
  instance: number;
  ordered: boolean;
}

let sqlite: Promise<Sqlite> | undefined;
const databases = new Map<string, Map<number, Database>>();
const expectations = new Map<string, Expected[]>();
const MOST_EXPECTED = 2_000;

/** The databases of a schema by their number, those that were asked about longest ago closed. */
function databasesOf(key: string): Map<number, Database> {
  const found = databases.get(key) ?? new Map<number, Database>();
  databases.delete(key);
  databases.set(key, found);
  let open = [...databases.values()].reduce((sum, { size }) => sum + size, 0);
  for (const [other, instances] of databases) {
    if (open <= MOST_OPEN || other === key) break;
    for (const one of instances.values()) one.close();
    open -= instances.size;
    databases.delete(other);
  }
  return found;
}

/** What the gold gives on as many instances as are wanted. @throws Error if the gold is at fault. */
function expect(gold: string, instances: number, at: (instance: number) => Database, empty: Database): Expected[] {
  const ordered = isOrdered(gold);
  const silent = written(ask(empty, gold));
  const telling: Expected[] = [];
  const others: Expected[] = [];
  for (let instance = 0; instance < Math.max(LOOKS, instances) && telling.length < instances; instance++) {
    const found = ask(at(instance), gold);
    const again = ask(at(instance), gold, true);
    // Other rows, not just in another order: the gold does not say which of several answers it means.
    if (written(found, true) !== written(again, true)) continue;
    const expected = { ...found, instance, ordered: ordered && written(found) === written(again) };
    (written(found) === silent ? others : telling).push(expected);
  }
  if (telling.length === 0)
    throw new Error(`the gold query tells nothing on ${Math.max(LOOKS, instances)} instances: ${gold.slice(0, 300)}`);
  return [...telling, ...others].slice(0, instances);
}

function ask(database: Database, gold: string, reversed = false): QueryResult {
  try {
    return database.query(gold, { reversed });
  } catch (error) {
    if (!(error instanceof QueryRefused)) throw error;
    throw new Error(`the gold query cannot be run (${error.message}): ${gold.slice(0, 300)}`, { cause: error });
  }
}

/** Equal for equal results; sorted: for equal multisets of rows. */
function written({ columns, rows }: QueryResult, sorted = false): string {
  const lines = rows.map((row) => JSON.stringify(row));
  return `${columns}\n${(sorted ? lines.sort() : lines).join('\n')}`;
}

/**
 * What a query gives on the schema's first databases, in short: equal for queries that give the same rows there (in the same
 * order, where they ask for one). Null: no query, or one that cannot be run.
 * @throws Error for trouble of SQLite.
 */
export async function sqlResult({ schema, answer }: Pick<SqlSubmission, 'schema' | 'answer'>): Promise<string | null> {
  if (answer === null) return null;
  const { open } = await (sqlite ??= loadSqlite());
  const at = databasesAt(schema, open);
  const hash = createHash('sha256');
  try {
    for (let instance = 0; instance < VOTED_ON; instance++)
      hash.update(`${written(at(instance).query(answer), !isOrdered(answer))}\n\n`);
  } catch (error) {
    if (error instanceof QueryRefused) return null;
    forget();
    throw error;
  }
  return hash.digest('hex').slice(0, 16);
}

/** @throws Error for trouble of the gold or of SQLite: the row is unjudged then. */
export async function judgeSql({ schema, gold, answer, instances = INSTANCES }: SqlSubmission): Promise<Judgement> {
  if (answer === null) return incorrect('no query found');
  const { open } = await (sqlite ??= loadSqlite());
  try {
    return compare({ schema, gold, answer, instances }, open);
  } catch (error) {
    // A sandbox in trouble is not asked again.
    if (!(error instanceof Error) || !error.message.startsWith('the gold query')) forget();
    throw error;
  }
}

/** Opens a schema's databases when they are asked for. */
function databasesAt(schema: SqlSchema, open: Sqlite['open']) {
  const opened = databasesOf(JSON.stringify(schema));
  return (instance: number, tables = () => instanceOf(schema, instance)): Database => {
    const there = opened.get(instance) ?? open(createTables(schema), tables());
    opened.set(instance, there);
    return there;
  };
}

function compare({ schema, gold, answer, instances }: Required<SqlSubmission>, open: Sqlite['open']): Judgement {
  const key = JSON.stringify(schema);
  const at = databasesAt(schema, open);
  const name = `${instances}\n${gold}\n${key}`;
  let expected = expectations.get(name);
  if (!expected) {
    const empty = at(-1, () => schema.tables.map((table) => ({ table: table.name, rows: [] })));
    expected = expect(gold, instances, at, empty);
    if (expectations.size >= MOST_EXPECTED) expectations.clear();
    expectations.set(name, expected);
  }
  for (const { instance, ordered, ...wanted } of expected) {
    let found: QueryResult;
    try {
      found = at(instance).query(answer!);
    } catch (error) {
      if (error instanceof QueryRefused) return incorrect(`the query cannot be run: ${error.message}`);
      throw error;
    }
    if (found.columns !== wanted.columns)
      return incorrect(`it gives ${found.columns} columns, expected ${wanted.columns}`);
    if (written(found, !ordered) === written(wanted, !ordered)) continue;
    const sameRows = ordered && written(found, true) === written(wanted, true);
    const how = sameRows ? 'the rows in another order' : `${found.rows.length} rows, expected ${wanted.rows.length}`;
    return incorrect(
      `it gives ${found.rows.length === wanted.rows.length && !sameRows ? 'other rows' : how} on instance ${instance}`,
    );
  }
  return correct();
}

function forget(): void {
  sqlite = undefined;
  databases.clear();
  expectations.clear();
}
