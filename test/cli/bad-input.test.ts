import { existsSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { inProcess } from './fixture/in-process.ts';
import { tempHome } from './fixture/process.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

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

test.each(CASES)('%s ends with 2 and one JSON document; no home is made', async (words, code, part) => {
  const home = tempHome();
  const told = await inProcess(home, [...words.split(' '), '--json']);
  expect(told.code).toBe(2);
  const { error } = JSON.parse(told.out) as { error: { code: string; message: string } };
  expect(error.code).toBe(code);
  expect(error.message).toContain(part);
  expect(existsSync(home)).toBe(false);
});

test('without --json the same is one sentence on standard error', async () => {
  const told = await inProcess(tempHome(), ['run', 'stra']);
  expect(told).toMatchObject({ code: 2, out: '' });
  expect(told.err).toBe(
    "startrail: InvalidInput: there is no recipe or task 'stra'; did you mean 'star'? " +
      told.err.slice(told.err.indexOf('There are')),
  );
});

test('help and an empty list are no errors', async () => {
  const home = tempHome();
  const help = await inProcess(home, ['--help']);
  expect(help.code).toBe(0);
  expect(help.out).toContain('Exit codes');
  const list = await inProcess(home, ['list', '--json']);
  expect(list.code).toBe(0);
  expect(JSON.parse(list.out)).toEqual([]);
  expect(existsSync(home)).toBe(false);
});
