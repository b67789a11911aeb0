/** compare, diff, gc and the checks of replay and fork: all from the store alone, nothing is started. */
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { planFork } from '../../activities/plan-fork.ts';
import { checkDisk } from '../../cli/disk.ts';
import { writeRun } from '../../cli/document.ts';
import { chooseForkId, forkInput, sharedWork } from '../../cli/fork.ts';
import { homePaths, prepareHome } from '../../cli/home.ts';
import { openStore } from '../../cli/parts.ts';
import { withOptions } from '../../schemas/changed-options.ts';
import { RunInput } from '../../schemas/run.ts';
import type { RunDocument } from '../../schemas/run.ts';
import { recipeById } from '../../recipes/index.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import { recipeDifference } from '../../schemas/recipe-difference.ts';
import { compareRuns, differenceOf } from '../../report/compare.ts';
import { pairedDifference } from '../../report/paired.ts';
import { fakeDocument, fakeResolved } from './fixture/document.ts';
import { inProcess } from './fixture/in-process.ts';
import { tempHome } from './fixture/process.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const star = recipeById('star') as Recipe;
const documentFor = (runId: string, last = 3): RunDocument =>
  fakeDocument(runId, RunInput.parse({ recipe: 'star', task: 'addition' }), 'done', null, last);
async function homeWith(...runIds: string[]): Promise<string> {
  const home = tempHome();
  prepareHome(home);
  const store = await openStore(home);
  for (const [index, runId] of runIds.entries()) await writeRun(store, documentFor(runId, 3 + index));
  return home;
}
const errorOf = (out: string) => (JSON.parse(out) as { error: { code: string; message: string } }).error;

describe('what cannot be done is told with exit 2 before anything is started', () => {
  it.each([
    ['replay nobody --iteration 1', 'UnknownRun', 'nobody'],
    ['replay one', 'Usage', '--iteration'],
    ['replay one --iteration 1', 'NothingRecorded', 'one'],
    ['fork one --from 0', 'Usage', '--from'],
    ['fork one --from 1', 'NothingRecorded', 'one'],
    ['compare one nobody', 'UnknownRun', 'nobody'],
    ['diff star starr', 'InvalidInput', "did you mean 'star'"],
    ['diff star ./nothing.json', 'InvalidInput', 'nothing.json'],
    ['gc --all', 'Usage', '--all'],
  ])('%s', async (words, code, part) => {
    const home = await homeWith('one');
    const told = await inProcess(home, [...words.split(' '), '--json']);
    expect(told.code).toBe(2);
    expect(errorOf(told.out)).toMatchObject({ code, message: expect.stringContaining(part) as string });
    expect(existsSync(homePaths(home).database)).toBe(false);
  });

  it.each(['replay', 'fork', 'compare', 'diff', 'gc'])('%s --help is an answer', async (verb) => {
    const told = await inProcess(tempHome(), [verb, '--help']);
    expect(told.code).toBe(0);
    expect(told.out).toContain('--json');
  });
});

describe('compare', () => {
  it('prints one document; the best iteration with its interval, and the difference to the first run', async () => {
    const home = await homeWith('one', 'two');
    const refused = await inProcess(home, ['compare', 'one', 'two', '--json']);
    expect(refused.code).toBe(2);
    expect(errorOf(refused.out)).toMatchObject({ code: 'RunsUnlike' });
    const told = await inProcess(home, ['compare', 'one', 'two', '--allow-different-forms', '--json']);
    expect(told.code).toBe(0);
    const { reference, runs } = JSON.parse(told.out) as { reference: string; runs: { runId: string; note: string }[] };
    expect(reference).toBe('one');
    expect(runs.map((one) => one.runId)).toEqual(['one', 'two']);
    expect(runs[1]?.note, 'made-up runs have no test split in common').toContain('other test problems');
  });

  it('the interval of a difference holds it, and is that of the two when one of them is exact', () => {
    const exact = { accuracy: 0.5, low: 0.5, high: 0.5, n: 9 };
    expect(differenceOf({ accuracy: 0.8, low: 0.7, high: 0.85, n: 100 }, exact)).toEqual({
      value: expect.closeTo(0.3) as number,
      low: expect.closeTo(0.2) as number,
      high: expect.closeTo(0.35) as number,
    });
    const [a, b] = [
      { accuracy: 0.8, low: 0.7, high: 0.9, n: 50 },
      { accuracy: 0.7, low: 0.6, high: 0.8, n: 50 },
    ];
    const { value, low, high } = differenceOf(a, b);
    expect([value, low, high].map((one) => one.toFixed(4))).toEqual(['0.1000', '-0.0414', '0.2414']);
  });

  it('only runs with the same test rows are held against each other', () => {
    const resolved = (digest: string) => ({ recipe: star, test: { shards: [{ digest, bytes: 1 }], rows: 1 } });
    const withTest = (runId: string, digest: string) =>
      ({ ...documentFor(runId), resolved: resolved(digest) }) as unknown as RunDocument;
    const [, same, other] = compareRuns([withTest('a', 'x'), withTest('b', 'x'), withTest('c', 'y')]);
    expect(same?.difference).toMatchObject({ value: 0 });
    expect(other).toMatchObject({ difference: null, note: 'other test problems than the first run' });
  });
});

describe('a paired difference', () => {
  const outcomes = (marks: string) =>
    new Map([...marks].map((mark, n) => [String(n), { stratum: 'all', correct: mark === '1' }] as const));

  it('is that of Newcombe (1998), and narrower than of runs on other problems', () => {
    const [a, b] = [outcomes('1'.repeat(60) + '0'.repeat(40)), outcomes('1'.repeat(40) + '0'.repeat(60))];
    const paired = pairedDifference(a, b)!;
    expect(paired).toMatchObject({ value: expect.closeTo(0.2) as number, n: 100, gained: 20, lost: 0 });
    expect(paired.low).toBeGreaterThan(0.1);
    expect(paired.high).toBeLessThan(0.3);
    const back = pairedDifference(b, a)!;
    expect([back.low, back.high].map((one) => one.toFixed(6))).toEqual(
      [-paired.high, -paired.low].map((one) => one.toFixed(6)),
    );
  });

  it('leaves out what one of the two did not judge', () => {
    expect(pairedDifference(outcomes('11'), new Map([['0', { stratum: 'all', correct: false }]]))?.n).toBe(1);
    expect(pairedDifference(outcomes('1'), new Map())).toBeNull();
  });
});

describe('diff', () => {
  it('names what star has and star-without-hints has not, and nothing where nothing differs', async () => {
    const told = await inProcess(tempHome(), ['diff', 'star', 'star-without-hints', '--json']);
    expect(told.code).toBe(0);
    const { changes } = JSON.parse(told.out) as { changes: { path: string }[] };
    expect(changes.map((one) => one.path).sort()).toEqual([
      'stages.hinted',
      'stages.kept.in.rationales',
      'stages.second',
    ]);
    expect(recipeDifference(star, structuredClone(star))).toEqual([]);
  });

  it('shows a changed option by its path with both values', () => {
    const { recipe } = withOptions(star, { 'stages.free.with.samples': 4 });
    expect(recipeDifference(star, recipe)).toContainEqual({ path: 'stages.free.with.samples', left: 1, right: 4 });
  });
});

describe('fork', () => {
  it('has a name of its own and goes on from what its origin was resolved to', () => {
    expect(chooseForkId('a', 3, ['a', 'a-f3-1'])).toBe('a-f3-2');
    expect(() => forkInput(documentFor('a'), { from: 1 })).toThrow('nothing to go on from');
  });

  it('is held against what its origin was resolved to, as a new run is against today: gate, seed, adapters', () => {
    const onward = structuredClone(star);
    (onward.stages.next as Recipe['stages'][string]).in.from = '$model';
    const origin = { ...documentFor('a'), resolved: fakeResolved(onward, {}, { gate: true }) };
    const refused = (more: Partial<RunInput>) => {
      try {
        planFork(origin, { ...forkInput(origin, { from: 2 }), ...more });
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    expect(refused({}), 'the gate of the origin is kept without being asked for').toBe('');
    expect(refused({ gate: true })).toBe('');
    expect(refused({ gate: false })).toContain('gate: a fork keeps the gate of its origin');
    expect(refused({ seed: 2 })).toContain('seed: a fork keeps');
    const adapter = { 'stages.next.with.adapter': { rank: 4, alpha: 8 } };
    expect(refused({ set: adapter })).toContain("an adapter rests on the run's base, but next.from reads $model");
    expect(refused({ set: { 'base.adapter': { rank: 4, alpha: 8 } } })).toContain('iteration 0 was made with it');
  });

  it('tells for each of its own iterations what was reused and what was done', () => {
    const document = documentFor('a', 3);
    const counted = document.iterations.map((record) => ({
      ...record,
      shards: { reused: record.n < 3 ? 7 : 0, redone: 2 },
      stages: { free: { reused: 7, redone: 0 }, next: { reused: 0, redone: 2 } },
    }));
    expect(sharedWork({ ...document, iterations: counted }, 2)).toEqual([
      'iteration 2: 1 of 2 stages reused, 1 re-done (next) · shards 7 reused, 2 re-done',
    ]);
  });
});

describe('house-keeping', () => {
  it('gc removes old bundles but the newest; --dry-run removes nothing', async () => {
    const home = await homeWith();
    const { bundles } = homePaths(home);
    mkdirSync(bundles);
    for (const [index, name] of ['old', 'started', 'today'].entries()) {
      writeFileSync(path.join(bundles, `${name}.js`), name);
      const then = new Date(Date.now() - (10 - index) * 86_400_000);
      utimesSync(path.join(bundles, `${name}.js`), then, then);
    }
    const shown = await inProcess(home, ['gc', '--dry-run', '--json']);
    expect(JSON.parse(shown.out)).toMatchObject({ dryRun: true, bundles: 2, objects: 0 });
    expect(readdirSync(bundles)).toHaveLength(3);
    await inProcess(home, ['gc']);
    expect(readdirSync(bundles)).toEqual(['today.js']);
  });

  it('a home that is not there is left so', async () => {
    const home = tempHome();
    const told = await inProcess(home, ['gc', '--json']);
    expect(told.code).toBe(0);
    expect(JSON.parse(told.out)).toMatchObject({ objects: 0 });
    expect(existsSync(home)).toBe(false);
  });

  it('too little disk is a sentence with exit 3, and enough is none', () => {
    expect(() => checkDisk('/home', 5e9, 4e9)).toThrow(/4\.0 GB free, this run may need 5\.0 GB.*gc/s);
    expect(() => checkDisk('/home', 5e9, 5.1e9), 'the reserve counts').toThrow();
    checkDisk('/home', 5e9, 6e9);
  });

  it('a home whose format nobody ever wrote is refused in one sentence too', async () => {
    const home = await homeWith('one');
    for (const text of ['{"format":0}', '{"format":"1"}', '[]']) {
      writeFileSync(homePaths(home).format, text);
      const told = await inProcess(home, ['list', '--json']);
      expect(told.code).toBe(2);
      expect(errorOf(told.out)).toMatchObject({ code: 'HomeForeign' });
    }
  });

  it('an open run goes on with the workflow code it was started with, or it is told that this is gone', async () => {
    const home = await homeWith();
    const store = await openStore(home);
    const open = { ...documentFor('open'), status: 'running' as const };
    await writeRun(store, open);
    const unknown = await inProcess(home, ['watch', 'open', '--started-code', '--json']);
    expect([unknown.code, errorOf(unknown.out).code]).toEqual([2, 'BundleUnknown']);
    await writeRun(store, { ...open, resolved: fakeResolved(star, { bundle: 'abc' }) });
    const gone = await inProcess(home, ['watch', 'open', '--started-code', '--json']);
    expect(gone.code).toBe(2);
    expect(errorOf(gone.out)).toMatchObject({
      code: 'BundleMissing',
      message: expect.stringContaining(path.join(homePaths(home).bundles, 'abc.js')) as string,
    });
    expect(existsSync(homePaths(home).database), 'nothing was started').toBe(false);
  });

  it('a home of a later format is refused in one sentence', async () => {
    const home = await homeWith('one');
    writeFileSync(homePaths(home).format, '{"format":99}');
    for (const words of [['gc'], ['compare', 'one'], ['replay', 'one', '--iteration', '1']]) {
      const told = await inProcess(home, [...words, '--json']);
      expect(told.code).toBe(2);
      expect(errorOf(told.out)).toMatchObject({ code: 'HomeTooNew', message: expect.stringContaining('99') as string });
    }
  });
});
