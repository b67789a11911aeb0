/**
 * SQLite for text that a model wrote: one reading statement over a small database in memory, with everything else refused.
 *
 *   const sqlite = await loadSqlite();
 *   const database = sqlite.open(['CREATE TABLE "pet"("name" TEXT)'], [{ table: 'pet', rows: [['Rex']] }]);
 *   database.query('SELECT count(*) FROM pet')       // { columns: 1, rows: [['1']] }
 *
 * SQLite's own WebAssembly build: no extension can be loaded, no file of the host exists in it. An authorizer lets through reads
 * of the tables that were opened and a list of pure functions, and nothing else (no ATTACH, PRAGMA, write, virtual table, clock
 * or random number). Limits are counted in the virtual machine's own steps, so that the same text gets the same answer on a
 * busy machine; processor time (not the clock) is the last resort for a few steps that are each very dear.
 *
 * Errors: {@link QueryRefused} is the statement's own fault. Anything else that is thrown is trouble of the sandbox.
 * Determinism: same database and statement, same result; statements that end by memory or processor time apart.
 */
import init from '@sqlite.org/sqlite-wasm';

type Sqlite3 = Awaited<ReturnType<typeof init>>;
type Db = InstanceType<Sqlite3['oo1']['DB']>;
type Cell = string | number | bigint | null | Uint8Array;

/** Enters the digest of every task that is judged by it, and is compared with what is loaded. */
export const SQLITE_VERSION = '3.50.4';

/** What one statement may take. `steps`: instructions of SQLite's virtual machine. */
export const SQL_LIMITS = {
  steps: 500_000,
  rows: 5_000,
  /** Of all results of one statement, as text. */
  resultBytes: 1_000_000,
  /** Of one value, and of the statement itself. */
  valueBytes: 20_000,
  statementBytes: 10_000,
  /** Of all databases together. */
  heapBytes: 192 * 2 ** 20,
  processorMs: 4_000,
} as const;
const STEPS_AT_ONCE = 1_000;
const OPS_OF_A_PROGRAM = 25_000;

const FUNCTIONS = new Set(
  (
    'abs avg count sum total min max group_concat string_agg length lower upper substr substring instr replace trim ltrim ' +
    'rtrim round coalesce ifnull nullif iif if like glob char unicode hex quote typeof concat concat_ws sign ceil ceiling ' +
    'floor trunc mod power pow sqrt exp ln log log10 log2 row_number rank dense_rank percent_rank cume_dist ntile lag lead ' +
    'first_value last_value nth_value'
  ).split(' '),
);

/** The statement is not allowed, does not run, or takes more than it may; the message says which. */
export class QueryRefused extends Error {
  override readonly name = 'QueryRefused';
}

export interface QueryResult {
  columns: number;
  /** Each value as text that is equal where the values are: see {@link written}. */
  rows: string[][];
}
export interface TableRows {
  table: string;
  rows: (string | number | null)[][];
}
export interface Database {
  /** @throws QueryRefused. `reversed`: reads unordered tables backwards, to find out whether that shows. */
  query(sql: string, options?: { reversed?: boolean }): QueryResult;
  close(): void;
}
export interface Sqlite {
  open(ddl: string[], tables: TableRows[]): Database;
}

/**
 * 2 and 2.0 are one, and numbers of which ten digits agree; text is never a number, NULL equals NULL. Whole numbers are exact
 * to the last digit.
 */
export function written(value: Cell): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${value}'`;
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`;
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
  // Sums of floating point differ in the last digits by the order of the rows.
  const short = Number(value.toPrecision(10));
  return String(short === 0 ? 0 : short);
}

/** @throws Error if another SQLite is installed than the one whose behaviour stands in the digest. */
export async function loadSqlite(): Promise<Sqlite> {
  const quiet = () => undefined;
  const sqlite3 = await init({ print: quiet, printErr: quiet });
  if (sqlite3.version.libVersion !== SQLITE_VERSION)
    throw new Error(`SQLite ${sqlite3.version.libVersion} is loaded; expected ${SQLITE_VERSION}: run npm ci`);
  const guard = new Guard(sqlite3);
  return { open: (ddl, tables) => new Opened(sqlite3, guard, ddl, tables) };
}

/**
 * What SQLite asks while a statement is read and run. One for all databases, of which one is asked at a time: to make such a
 * function takes more time than to fill a database.
 */
class Guard {
  readonly authorizer: number;
  readonly progress: number;
  /** Tables that may be read; undefined: nothing foreign is being run. */
  #tables: ReadonlySet<string> | undefined;
  #steps = 0;
  #until = 0;
  over: string | undefined;

  constructor({ capi, wasm }: Sqlite3) {
    const text = (pointer: number): string => (pointer === 0 ? '' : (wasm.cstrToJs(pointer) ?? '').toLowerCase());
    this.authorizer = wasm.installFunction('i(pipppp)', (_: number, action: number, first: number, second: number) => {
      const allowed =
        this.#tables === undefined ||
        action === capi.SQLITE_SELECT ||
        action === capi.SQLITE_RECURSIVE ||
        (action === capi.SQLITE_READ && this.#mayRead(text(first), text(second))) ||
        (action === capi.SQLITE_FUNCTION && FUNCTIONS.has(text(second)));
      return allowed ? capi.SQLITE_OK : capi.SQLITE_DENY;
    });
    this.progress = wasm.installFunction('i(p)', () => this.#tick());
  }

  /** Without a column SQLite names what is only counted, a common table expression too: of its own tables that says too much. */
  #mayRead(table: string, column: string): boolean {
    return this.#tables!.has(table) || (column === '' && !/^(?:sqlite|pragma)_/.test(table));
  }

  #tick(): number {
    this.#steps += STEPS_AT_ONCE;
    if (this.#steps > SQL_LIMITS.steps) this.over = `more than ${SQL_LIMITS.steps} steps`;
    else if (processorMs() > this.#until) this.over = `more than ${SQL_LIMITS.processorMs} ms of processor time`;
    return this.over === undefined ? 0 : 1;
  }

  /** Runs what a model wrote, with all limits new. */
  during<T>(tables: ReadonlySet<string>, run: () => T): T {
    this.#tables = tables;
    this.#steps = 0;
    this.#until = processorMs() + SQL_LIMITS.processorMs;
    this.over = undefined;
    try {
      return run();
    } finally {
      this.#tables = undefined;
      this.#until = Infinity;
      this.#steps = -Infinity;
    }
  }
}

class Opened implements Database {
  readonly #db: Db;
  readonly #tables: Set<string>;

  constructor(
    private readonly sqlite3: Sqlite3,
    private readonly guard: Guard,
    ddl: string[],
    tables: TableRows[],
  ) {
    const { capi, oo1 } = sqlite3;
    this.#db = new oo1.DB(':memory:', 'c');
    this.#tables = new Set(tables.map(({ table }) => table.toLowerCase()));
    // Its own store of small pieces is half of what a database of a few rows takes.
    capi.sqlite3_db_config(this.#db, capi.SQLITE_DBCONFIG_LOOKASIDE, 0, 0, 0);
    this.#db.exec(
      [
        `PRAGMA page_size=512; PRAGMA hard_heap_limit=${SQL_LIMITS.heapBytes}; PRAGMA trusted_schema=OFF; BEGIN`,
        ...ddl,
        ...tables.filter(({ rows }) => rows.length > 0).map(insert),
        'COMMIT; PRAGMA query_only=ON',
      ].join(';'),
    );
    // Published queries write text in double quotes.
    capi.sqlite3_db_config(this.#db, capi.SQLITE_DBCONFIG_DQS_DML, 1, 0);
    for (const [limit, most] of [
      [capi.SQLITE_LIMIT_LENGTH, SQL_LIMITS.valueBytes],
      [capi.SQLITE_LIMIT_SQL_LENGTH, SQL_LIMITS.statementBytes],
      [capi.SQLITE_LIMIT_COLUMN, 100],
      [capi.SQLITE_LIMIT_EXPR_DEPTH, 60],
      [capi.SQLITE_LIMIT_COMPOUND_SELECT, 12],
      [capi.SQLITE_LIMIT_VDBE_OP, OPS_OF_A_PROGRAM],
      [capi.SQLITE_LIMIT_FUNCTION_ARG, 12],
      [capi.SQLITE_LIMIT_ATTACHED, 0],
      [capi.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200],
      [capi.SQLITE_LIMIT_VARIABLE_NUMBER, 1],
      [capi.SQLITE_LIMIT_TRIGGER_DEPTH, 0],
      [capi.SQLITE_LIMIT_WORKER_THREADS, 0],
    ] as const)
      capi.sqlite3_limit(this.#db, limit, most);
    capi.sqlite3_set_authorizer(this.#db, guard.authorizer as never, 0);
    capi.sqlite3_progress_handler(this.#db, STEPS_AT_ONCE, guard.progress, 0);
  }

  query(sql: string, { reversed = false } = {}): QueryResult {
    if (Buffer.byteLength(sql) > SQL_LIMITS.statementBytes)
      throw new QueryRefused(`it is longer than ${SQL_LIMITS.statementBytes} bytes`);
    if (sql.includes('\0')) throw new QueryRefused('it holds a NUL character');
    if (reversed) this.#db.exec('PRAGMA reverse_unordered_selects=ON');
    try {
      return this.guard.during(this.#tables, () => this.#run(sql));
    } finally {
      if (reversed) this.#db.exec('PRAGMA reverse_unordered_selects=OFF');
    }
  }

  #run(sql: string): QueryResult {
    const { capi, wasm } = this.sqlite3;
    const scope = wasm.scopedAllocPush();
    let statement = 0;
    try {
      const [text, length] = wasm.scopedAllocCString(sql, true);
      const [out, tail] = wasm.scopedAllocPtr(2) as [number, number];
      this.#must(capi.sqlite3_prepare_v3(this.#db, text, length, 0, out, tail));
      statement = wasm.peekPtr(out);
      if (statement === 0) throw new QueryRefused('it holds no statement');
      this.#mustEnd(wasm.peekPtr(tail), text + length, out, tail);
      if (capi.sqlite3_stmt_isexplain(statement) !== 0) throw new QueryRefused('it explains instead of asking');
      if (capi.sqlite3_stmt_readonly(statement) === 0) throw new QueryRefused('it writes');
      if (capi.sqlite3_column_count(statement) === 0) throw new QueryRefused('it is no query');
      return this.#read(statement);
    } finally {
      if (statement !== 0) capi.sqlite3_finalize(statement);
      wasm.scopedAllocPop(scope);
    }
  }

  /** Comments and semicolons may follow; whatever else stands there is a second statement, right or wrong. */
  #mustEnd(at: number, end: number, out: number, tail: number): void {
    const { capi, wasm } = this.sqlite3;
    while (at < end) {
      const code = capi.sqlite3_prepare_v3(this.#db, at, end - at, 0, out, tail);
      const next = wasm.peekPtr(out);
      if (next !== 0) capi.sqlite3_finalize(next);
      if (code !== capi.SQLITE_OK || next !== 0) throw new QueryRefused('it holds more than one statement');
      if (wasm.peekPtr(tail) <= at) return;
      at = wasm.peekPtr(tail);
    }
  }

  #read(statement: number): QueryResult {
    const { capi } = this.sqlite3;
    const columns = capi.sqlite3_column_count(statement);
    const rows: string[][] = [];
    let bytes = 0;
    for (;;) {
      const code = capi.sqlite3_step(statement);
      if (code === capi.SQLITE_DONE) return { columns, rows };
      if (code !== capi.SQLITE_ROW) this.#must(code);
      if (rows.length >= SQL_LIMITS.rows) throw new QueryRefused(`it gives more than ${SQL_LIMITS.rows} rows`);
      const row = Array.from({ length: columns }, (_, column) =>
        written(capi.sqlite3_column_js(statement, column, true) as Cell),
      );
      for (const value of row) bytes += value.length;
      if (bytes > SQL_LIMITS.resultBytes) throw new QueryRefused(`it gives more than ${SQL_LIMITS.resultBytes} bytes`);
      rows.push(row);
    }
  }

  /** @throws QueryRefused with SQLite's own words for what is wrong with the statement. */
  #must(code: number): void {
    const { capi } = this.sqlite3;
    if (code === capi.SQLITE_OK) return;
    if (code === capi.SQLITE_INTERRUPT && this.guard.over !== undefined)
      throw new QueryRefused(`it takes ${this.guard.over}`);
    if (code === capi.SQLITE_NOMEM) throw new QueryRefused(`it takes more memory than there is for it`);
    // Of a database that holds no more than was put into it, anything else but the statement's own fault is the sandbox's.
    const own = [capi.SQLITE_ERROR, capi.SQLITE_AUTH, capi.SQLITE_TOOBIG, capi.SQLITE_MISMATCH, capi.SQLITE_RANGE];
    const said = capi.sqlite3_errmsg(this.#db);
    // An extended code holds the plain one in its low byte.
    if (own.some((one) => one === (code & 0xff))) throw new QueryRefused(said.slice(0, 200));
    throw new Error(`SQLite failed with code ${code}: ${said}`);
  }

  close(): void {
    this.#db.close();
  }
}

const literal = (value: string | number | null): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
/** One statement for all rows. */
const insert = ({ table, rows }: TableRows): string =>
  `INSERT INTO "${table.replaceAll('"', '""')}" VALUES ${rows.map((row) => `(${row.map(literal).join()})`).join()}`;

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
