/** What counts as the same result, what is told of another one, and whose fault it is when nothing can be judged. */
import { describe, expect, it } from 'vitest';
import { judgeSql, sqlResult } from '../../verifiers/sql.ts';
import { instanceOf } from '../../verifiers/sql-instances.ts';
import { isOrdered, forQuery, SqlSchema } from '../../verifiers/sql-schema.ts';
import { written } from '../../verifiers/sqlite.ts';
import { GOLD, pets } from './sql-pets.ts';

const judge = (gold: string, answer: string | null, instances = 20) =>
  judgeSql({ schema: pets, gold, answer, instances });
const CORRECT = { verdict: 'correct' };

describe('the SQL verifier', () => {
  it.each([
    ['the gold itself, with a semicolon and a comment', GOLD, `${GOLD}; -- done`],
    ['other names and case', GOLD, 'select p.NAME as who from PET p where not p.Age <= 3'],
    [
      'rows in another order where none is asked for',
      'SELECT name FROM pet',
      'SELECT name FROM pet ORDER BY name DESC',
    ],
    ['integer and floating point', 'SELECT count(*) FROM pet', 'SELECT count(*) * 1.0 FROM pet'],
    ['a sum in another order', 'SELECT avg(weight) FROM pet', 'SELECT sum(weight) / count(weight) FROM pet'],
    [
      'an order among ties that the gold leaves open',
      'SELECT city FROM owner ORDER BY city',
      'SELECT city FROM (SELECT city FROM owner ORDER BY id DESC) ORDER BY city',
    ],
    [
      'another way to say the same',
      'SELECT name FROM owner WHERE id NOT IN (SELECT owner_id FROM pet)',
      'SELECT o.name FROM owner o LEFT JOIN pet p ON p.owner_id = o.id WHERE p.id IS NULL',
    ],
  ])('takes %s for right', async (_, gold, answer) => {
    expect(await judge(gold, answer)).toEqual(CORRECT);
  });

  it.each([
    ['a limit that is off by one', GOLD, 'SELECT name FROM pet WHERE age >= 3', /other rows|rows, expected/],
    ['a row too often', 'SELECT DISTINCT city FROM owner', 'SELECT city FROM owner', /rows, expected/],
    ['a column too many', GOLD, 'SELECT name, age FROM pet WHERE age > 3', /gives 2 columns, expected 1/],
    ['columns in another order', 'SELECT id, age FROM pet', 'SELECT age, id FROM pet', /other rows/],
    [
      'the other end of the order',
      'SELECT id FROM pet ORDER BY id',
      'SELECT id FROM pet ORDER BY id DESC',
      /another order/,
    ],
    ['no order where one is asked for', 'SELECT age FROM pet ORDER BY age', 'SELECT age FROM pet', /another order/],
    ['a count that skips what is missing', 'SELECT count(*) FROM pet', 'SELECT count(age) FROM pet', /other rows/],
    ['text that looks like the number', 'SELECT age FROM pet', "SELECT age || '' FROM pet", /other rows/],
    [
      'an inner join for an outer one',
      'SELECT o.id FROM owner o LEFT JOIN pet p ON p.owner_id = o.id',
      'SELECT o.id FROM owner o JOIN pet p ON p.owner_id = o.id',
      /rows, expected/,
    ],
    ['what does not run', GOLD, 'SELECT nme FROM pet', /cannot be run: no such column: nme/],
    ['nothing', GOLD, null, /no query found/],
  ])('takes %s for wrong, and says why', async (_, gold, answer, why) => {
    expect(await judge(gold, answer)).toEqual({ verdict: 'incorrect', why: expect.stringMatching(why) });
  });

  it('throws where the gold is at fault: the row is unjudged then, not wrong', async () => {
    await expect(judge('SELECT nme FROM pet', GOLD)).rejects.toThrow(/the gold query cannot be run \(no such column/);
    await expect(judge('SELECT name FROM pet WHERE 1 = 0', GOLD)).rejects.toThrow(/tells nothing on 80 instances/);
    const endless = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c';
    await expect(judge(endless, GOLD)).rejects.toThrow(/takes more than/);
    // And the next row is judged as if nothing had been.
    expect(await judge(GOLD, GOLD)).toEqual(CORRECT);
  });

  it('one instance lets through what twenty do not', async () => {
    const wrong = 'SELECT min(age) FROM pet WHERE weight IS NOT NULL';
    const [one, twenty] = await Promise.all([1, 20].map((n) => judge('SELECT min(age) FROM pet', wrong, n)));
    expect([one!.verdict, twenty!.verdict]).toEqual(['correct', 'incorrect']);
  });

  it('makes the same instances from the same schema and number, with unique keys and keys that point somewhere', () => {
    for (let number = 0; number < 12; number++) {
      const [owner, pet] = instanceOf(pets, number);
      expect(instanceOf(pets, number)).toEqual([owner, pet]);
      const owners = owner!.rows.map(([id]) => id);
      expect(new Set(owners).size).toBe(owners.length);
      for (const row of pet!.rows) expect(owners).toContain(row[1]);
    }
    expect(instanceOf(pets, 0)).not.toEqual(instanceOf(pets, 1));
  });

  it('finds literals where they belong, and the order only at the top', () => {
    const { tables, crowd } = forQuery(
      pets,
      "SELECT T1.name FROM pet AS T1 WHERE T1.weight > -2.5 AND owner_id = 7 GROUP BY T1.name HAVING count(*) >= 9 LIMIT 4 -- 'x'",
    );
    const values = (table: number, column: string) =>
      tables[table]!.columns.find(({ name }) => name === column)!.values;
    expect([values(1, 'weight'), values(0, 'id'), values(1, 'age'), crowd]).toEqual([[-2.5], [7], [3], 9]);
    expect(isOrdered('SELECT a FROM t ORDER BY a LIMIT 1')).toBe(true);
    expect(isOrdered("SELECT a FROM (SELECT a FROM t ORDER BY a) WHERE b = ' order by '")).toBe(false);
  });

  it('writes equal values alike, and others not', () => {
    expect(written(2)).toBe(written(2n));
    expect(written(0.1 + 0.2)).toBe(written(0.3));
    expect(written(-0)).toBe(written(0));
    expect(written(9007199254740993n)).not.toBe(written(9007199254740992n));
    expect(new Set([written(null), written('NULL'), written(''), written(0), written('0')]).size).toBe(5);
  });
});

describe('a vote', () => {
  const vote = (answer: string | null) => sqlResult({ schema: pets, answer });

  it('is one for queries that give the same, whatever they are called and however they are written', async () => {
    const one = await vote(GOLD);
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(await vote('select p.NAME as who from PET p where not p.Age <= 3')).toBe(one);
    expect(await vote(`${GOLD}; -- done`)).toBe(one);
  });

  it('is another for other rows, another order where one is asked for, another number of columns', async () => {
    const votes = [GOLD, 'SELECT name FROM pet WHERE age >= 3', `${GOLD} ORDER BY name`, `${GOLD} ORDER BY name DESC`];
    const found = await Promise.all([...votes, 'SELECT name, age FROM pet WHERE age > 3'].map(vote));
    expect(new Set(found).size).toBe(5);
  });

  it('is none without a query that runs', async () => {
    for (const answer of [null, 'SELECT', 'SELECT nose FROM pet', 'DELETE FROM pet'])
      expect(await vote(answer)).toBeNull();
  });
});

describe('what a query asks of its databases', () => {
  const cars = SqlSchema.parse({
    tables: [
      {
        name: 'car',
        columns: [
          { name: 'id', type: 'integer' },
          { name: 'power', type: 'text' },
          { name: 'year', type: 'integer' },
        ],
        key: ['id'],
      },
    ],
  });
  const judged = (gold: string, answer: string) => judgeSql({ schema: forQuery(cars, gold), gold, answer });

  it('is numbers in text that is added up: the mean is not the sum nor the largest', async () => {
    const gold = 'SELECT avg(power) FROM car WHERE year > 3';
    for (const name of ['sum', 'max', 'min', 'count'])
      expect((await judged(gold, gold.replace('avg', name))).verdict, name).toBe('incorrect');
    expect(await judged(gold, 'SELECT sum(power) / count(power) FROM car WHERE year > 3')).toEqual(CORRECT);
  });

  it('is several rows of what it groups by, called a key or not; elsewhere a key stays one', async () => {
    const gold = 'SELECT id, max(year) FROM car GROUP BY id';
    expect((await judged(gold, gold.replace('max', 'min'))).verdict).toBe('incorrect');
    expect(forQuery(cars, 'SELECT id, max(year) FROM car').tables[0]?.key).toEqual(['id']);
  });
});
