import { existsSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { cleanUp, cli, tempHome } from './fixture/process.ts';

afterAll(cleanUp);

const CASES: [words: string, code: string, part: string][] = [
  ['run stra', 'InvalidInput', "did you mean 'star'"],
  ['run star --task adition', 'InvalidInput', "did you mean 'addition'"],
  ['run addition --seed 1.5', 'Usage', '--seed'],
  ['run addition --iterations -1', 'Usage', '--iterations'],
  ['run addition --shard-size 0', 'Usage', '--shard-size'],
  ['run addition --run-id a/b', 'Usage', '--run-id'],
  ['run addition --set temperature', 'Usage', '--set'],
  ['run addition --set parameters.digits=40', 'InvalidInput', 'parameters.digits'],
  ['run addition --set stages.batch.with.count=0', 'InvalidInput', 'stages.batch.with.count'],
  ['run ./nothing.json', 'InvalidInput', 'nothing.json'],
  ['run addition --sede 1', 'Usage', '--seed'],
  ['rum addition', 'Usage', 'rum'],
  ['show nobody', 'UnknownRun', 'nobody'],
  ['watch nobody', 'UnknownRun', 'nobody'],
  ['ledger nobody --outcome lost', 'Usage', 'accepted-free'],
];

test('bad input ends with 2 and one JSON document that names it; no home is made, nothing is started', async () => {
  for (let from = 0; from < CASES.length; from += 3) {
    const together = CASES.slice(from, from + 3).map(async ([words, code, part]) => {
      const home = tempHome();
      const run = cli(home, ...words.split(' '), '--json');
      expect(await run.exited, words).toBe(2);
      const { error } = JSON.parse(run.out()) as { error: { code: string; message: string } };
      expect(error.code, words).toBe(code);
      expect(error.message, words).toContain(part);
      expect(existsSync(home), words).toBe(false);
    });
    await Promise.all(together);
  }
}, 120_000);

test('help and an empty list are no errors', async () => {
  const home = tempHome();
  const [help, list] = [cli(home, '--help'), cli(home, 'list', '--json')];
  expect(await help.exited).toBe(0);
  expect(help.out()).toContain('Exit codes');
  expect(await list.exited).toBe(0);
  expect(JSON.parse(list.out())).toEqual([]);
  expect(existsSync(home)).toBe(false);
}, 60_000);
