/**
 * What a model may write instead of a query, and tries to reach, change, fill or occupy with it: each attempt is an incorrect
 * answer with its reason, and the process it was judged in judges the next one.
 */
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { additionProblem } from '../../tasks/addition.ts';
import { takeVerifier } from '../../verifiers/host.ts';
import { GOLD } from './sql-pets.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'startrail-sql-'));
const secret = path.join(folder, 'secret');
writeFileSync(secret, 'the secret');
const to = path.join(folder, 'written.db');

const NOT_ALLOWED =
  /not authorized|prohibited|no such (?:function|table|module)|cannot create|it writes|it is no query/;
const SECOND = /more than one statement/;
const TOO_MUCH = /takes more|gives more|too (?:big|many|large|complex)|maximum depth|variable number/;
const count = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)';
const pets = (times: number) => Array.from({ length: times }, (_, n) => `pet AS p${n}`).join(', ');

/** What is tried, and the reason it is told. */
const ATTEMPTS: [string, string, RegExp][] = [
  ['attaches a file', `ATTACH '${secret}' AS s`, NOT_ALLOWED],
  ['attaches a database in memory', `ATTACH ':memory:' AS s`, NOT_ALLOWED],
  ['attaches through a URI', `ATTACH 'file:${secret}?mode=ro' AS s`, NOT_ALLOWED],
  ['attaches behind the right query', `${GOLD}; ATTACH '${to}' AS s`, SECOND],
  ['detaches', 'DETACH main', NOT_ALLOWED],
  ['sets a pragma', 'PRAGMA query_only = OFF', NOT_ALLOWED],
  ['opens the schema for writing', 'PRAGMA writable_schema = ON', NOT_ALLOWED],
  ['lifts the limit of memory', 'PRAGMA hard_heap_limit = 0', NOT_ALLOWED],
  ['reads a pragma as a table', "SELECT * FROM pragma_table_info('pet')", NOT_ALLOWED],
  ['lists the databases and their files', 'SELECT file FROM pragma_database_list', NOT_ALLOWED],
  ['loads an extension', `SELECT load_extension('${secret}')`, NOT_ALLOWED],
  ['reads a file', `SELECT readfile('${secret}')`, NOT_ALLOWED],
  ['writes a file', `SELECT writefile('${to}', 'x')`, NOT_ALLOWED],
  ['edits a file', `SELECT edit('x', 'sh')`, NOT_ALLOWED],
  ['runs the fts3 tokenizer on a pointer', "SELECT fts3_tokenizer('simple', x'4141414141414141')", NOT_ALLOWED],
  ['vacuums into a file', `VACUUM INTO '${to}'`, NOT_ALLOWED],
  ['vacuums', 'VACUUM', NOT_ALLOWED],
  ['reads the schema table', 'SELECT sql FROM sqlite_master', NOT_ALLOWED],
  ['reads the schema table by its other name', 'SELECT sql FROM main.sqlite_schema', NOT_ALLOWED],
  ['reads pages of the database', 'SELECT data FROM sqlite_dbpage', NOT_ALLOWED],
  ['reads the bytecode of a statement', "SELECT * FROM bytecode('SELECT 1')", NOT_ALLOWED],
  ['reads the list of statements', 'SELECT sql FROM sqlite_stmt', NOT_ALLOWED],
  ['inserts', "INSERT INTO pet VALUES (1, 1, 'x', 4, 1.0)", NOT_ALLOWED],
  ['inserts behind a CTE', "WITH x AS (SELECT 1) INSERT INTO pet(name) SELECT 'x' FROM x", NOT_ALLOWED],
  ['updates', 'UPDATE pet SET age = 9', NOT_ALLOWED],
  ['deletes and returns', 'DELETE FROM pet RETURNING name', NOT_ALLOWED],
  ['replaces', "REPLACE INTO pet(id, name) VALUES (1, 'x')", NOT_ALLOWED],
  ['drops a table', 'DROP TABLE pet', NOT_ALLOWED],
  ['drops a table behind the right query', `${GOLD}; DROP TABLE pet`, SECOND],
  ['drops a table behind a comment', `${GOLD}; /* */ -- \n DROP TABLE pet`, SECOND],
  ['drops a table in a comment that ends early', `${GOLD} /* */; DROP TABLE pet; /* */`, SECOND],
  ['hides a statement behind a NUL', `${GOLD};\0 DROP TABLE pet`, /NUL/],
  ['asks two right queries', `${GOLD}; ${GOLD}`, SECOND],
  ['writes nonsense behind the right query', `${GOLD}; nonsense`, SECOND],
  ['makes a trigger', 'CREATE TRIGGER t AFTER INSERT ON pet BEGIN SELECT 1; END', NOT_ALLOWED],
  ['makes a temporary trigger', 'CREATE TEMP TRIGGER t INSTEAD OF DELETE ON pet BEGIN SELECT 1; END', NOT_ALLOWED],
  ['makes a view', 'CREATE TEMP VIEW pet AS SELECT 1', NOT_ALLOWED],
  ['makes a table', 'CREATE TEMP TABLE pet AS SELECT 1', NOT_ALLOWED],
  ['makes a full-text table', 'CREATE VIRTUAL TABLE f USING fts5(x)', NOT_ALLOWED],
  ['makes an r-tree', 'CREATE VIRTUAL TABLE r USING rtree(i, a, b)', NOT_ALLOWED],
  ['makes a table of database statistics', 'CREATE VIRTUAL TABLE temp.d USING dbstat(main)', NOT_ALLOWED],
  ['checks an r-tree', "SELECT rtreecheck('pet')", NOT_ALLOWED],
  ['begins a transaction', 'BEGIN EXCLUSIVE', NOT_ALLOWED],
  ['makes a savepoint', 'SAVEPOINT s', NOT_ALLOWED],
  ['rebuilds the indices', 'REINDEX', NOT_ALLOWED],
  ['analyses', 'ANALYZE', NOT_ALLOWED],
  ['explains', `EXPLAIN ${GOLD}`, /explains/],
  ['explains the plan', `EXPLAIN QUERY PLAN ${GOLD}`, /explains/],
  ['asks for the clock', "SELECT strftime('%s', 'now')", NOT_ALLOWED],
  ['asks for the clock by a word', 'SELECT CURRENT_TIMESTAMP', NOT_ALLOWED],
  ['asks for a random number', 'SELECT random()', NOT_ALLOWED],
  ['asks for the version', 'SELECT sqlite_version()', NOT_ALLOWED],
  ['counts the schema table', 'SELECT count(*) FROM sqlite_master', NOT_ALLOWED],
  ['counts the columns of a table', "SELECT count(*) FROM pragma_table_info('pet')", NOT_ALLOWED],
  ['takes a text apart as a table', "SELECT value FROM json_each('[1]')", NOT_ALLOWED],
  ['counts for ever', `${count} SELECT count(*) FROM c`, TOO_MUCH],
  ['counts for ever inside a condition', `${GOLD} AND age < (${count} SELECT max(x) FROM c)`, TOO_MUCH],
  ['counts for ever and gives each number', `${count} SELECT x FROM c`, TOO_MUCH],
  [
    'doubles a text for ever',
    "WITH RECURSIVE c(x) AS (SELECT 'aaaaaaaa' UNION ALL SELECT x || x FROM c) SELECT max(length(x)) FROM c",
    TOO_MUCH,
  ],
  ['keeps long texts for ever', `${count} SELECT count(DISTINCT printf('%.9000c%d', 'x', x)) FROM c`, NOT_ALLOWED],
  [
    'joins long texts for ever',
    `${count} SELECT group_concat(x, replace(hex('aaaaaaaaaaaa'), '6', '66666')) FROM c`,
    TOO_MUCH,
  ],
  ['asks for two gigabytes of noise', 'SELECT length(randomblob(2000000000))', NOT_ALLOWED],
  ['asks for two gigabytes of zeros', 'SELECT length(zeroblob(2000000000))', NOT_ALLOWED],
  ['prints two gigabytes', "SELECT length(printf('%2000000000d', 1))", NOT_ALLOWED],
  [
    'grows a text by replacing',
    `SELECT ${'replace('.repeat(10)}'aaaaaaaa'${", 'a', 'aaaaaaaa')".repeat(10)}`,
    TOO_MUCH,
  ],
  ['joins a table with itself eight times', `SELECT count(*) FROM ${pets(8)}`, TOO_MUCH],
  ['joins a table with itself five times and gives it all', `SELECT * FROM ${pets(5)}`, TOO_MUCH],
  ['sorts what it floods', `SELECT p0.name FROM ${pets(8)} ORDER BY p0.name || p7.name`, TOO_MUCH],
  ['joins seventy tables', `SELECT count(*) FROM ${pets(70)}`, /at most 64 tables/],
  ['nests two thousand signs', `SELECT ${'-('.repeat(2000)}1${')'.repeat(2000)}`, TOO_MUCH],
  ['adds five hundred numbers', `SELECT ${Array(500).fill('1').join('+')}`, TOO_MUCH],
  ['unites forty queries', Array(40).fill('SELECT name FROM pet').join(' UNION ALL '), TOO_MUCH],
  [
    'matches a pattern of nothing but wildcards',
    `SELECT name FROM pet WHERE name LIKE '${'%a'.repeat(2000)}'`,
    TOO_MUCH,
  ],
  ['is longer than a query may be', `${GOLD} -- ${'x'.repeat(20_000)}`, /longer than/],
  ['holds a parameter', 'SELECT name FROM pet WHERE age > ?100000', TOO_MUCH],
  ['is nothing', '', /no statement/],
  ['is a comment', '-- nothing', /no statement/],
];

const verifier = takeVerifier(new URL('./sql-pets.ts', import.meta.url), { memoryMb: 384 });
afterAll(() => verifier.release());
const problem = additionProblem(1, 2, 1);
const judge = async (text: string) => (await verifier.judge(problem, text, { timeoutMs: 60_000 })).verdict;

describe('a model that writes something else than a query', () => {
  it(`tries at least 30 ways (${ATTEMPTS.length})`, () => {
    expect(ATTEMPTS.length).toBeGreaterThanOrEqual(30);
  });

  it.each(ATTEMPTS)(
    'and %s is told why it is incorrect',
    async (_, text, why) => {
      const verdict = await judge(text);
      expect(verdict).toEqual({ verdict: 'incorrect', why: expect.stringMatching(why) });
    },
    120_000,
  );

  it('leaves the databases, the process and the folder as they were', async () => {
    expect(await judge(GOLD)).toEqual({ verdict: 'correct' });
    expect(await judge('SELECT name FROM pet WHERE age > 4')).toMatchObject({ verdict: 'incorrect' });
    expect(readdirSync(folder)).toEqual(['secret']);
    expect(existsSync(to)).toBe(false);
  });
});
