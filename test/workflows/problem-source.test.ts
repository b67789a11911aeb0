/** Runs over a folder of problems that grows between them: what is new is known by content, what is held out stays so. */
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProblems } from '../../activities/problem-source.ts';
import { EngineError } from '../../engine/engine.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { RunDocument } from '../../schemas/run.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';
import { isGate } from '../../tasks/gate.ts';
import { sideOf } from '../../tasks/source.ts';
import { createBench, scriptedAdder, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let on: Bench;
let inbox: string;
const trainedOn: string[] = [];
let broken = false;
beforeAll(async () => {
  env = await startServer();
  const inner = scriptedAdder();
  const engine: Engine = {
    ...inner,
    train: async (request, control) => {
      if (broken && request.start.kind === 'checkpoint') throw new EngineError('TrainingDiverged', 'not finite');
      trainedOn.push(await readFile(request.dataPath, 'utf8'));
      return inner.train(request, control);
    },
  };
  on = await createBench(env, { engine });
  inbox = path.join(on.folder, 'inbox');
  mkdirSync(inbox);
  on.deps.dataRoots = { inbox, 'not-there': path.join(on.folder, 'nothing') };
}, 60_000);
afterAll(async () => {
  await on.close();
  await env.teardown();
});

const problem = (number: number): Problem =>
  additionProblem(10 + (number % 90), 10 + (Math.floor(number / 90) % 90), 2);
const some = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => problem(7 * (from + i)));
const lines = (problems: object[]) => problems.map((one) => `${JSON.stringify(one)}\n`).join('');
const add = (file: string, text: string) => appendFileSync(path.join(inbox, file), text);
const input = (more: object = {}) =>
  smallRun({
    iterations: 1,
    shardSize: 200,
    gate: true,
    problems: { root: 'inbox', newShare: 0.5 },
    ...more,
  });
const documentOf = async (run: string) => (await on.store.getName(`runs/${run}`)) as RunDocument;
const run = async (id: string, more: object = {}) => {
  await on.during(async () => (await startRun(on, id, input(more))).result());
  return documentOf(id);
};

describe('a folder of problems', () => {
  it('is drawn from; what came since the last run that was done is new, by content', { timeout: 120_000 }, async () => {
    add('a.jsonl', lines(some(0, 300)));
    const first = await run('first');
    expect(first.iterations[1]).toMatchObject({ drawn: 40, drawnNew: 40 });
    expect(first.iterations[0]?.dev.n).toBe(some(0, 300).filter((one) => sideOf(one) === 'dev').length);

    // The same problems in another order and file, some twice, are no new ones; nor is a line that is half written.
    writeFileSync(path.join(inbox, 'a.jsonl'), lines(some(100, 300)));
    add('b.jsonl', lines([...some(0, 100), ...some(0, 50)].reverse()));
    add('b.jsonl', JSON.stringify(problem(3)).slice(0, 30));
    const second = await run('second', { seed: 2 });
    expect(second.iterations[1]).toMatchObject({ drawn: 40, drawnNew: 0 });
    expect(second.resolved?.context.source?.problems).toEqual(first.resolved?.context.source?.problems);

    writeFileSync(path.join(inbox, 'b.jsonl'), lines(some(0, 100)));
    add('c.jsonl', lines(some(300, 400)));
    // A problem with other content is new, and stands on the side it stood on.
    const edited = { ...problem(0), gold: [...problem(0).gold, 'twenty'] };
    writeFileSync(path.join(inbox, 'b.jsonl'), lines([edited, ...some(1, 100)]));
    const third = await run('third', { seed: 3 });
    expect(third.iterations[1]?.drawnNew).toBeGreaterThanOrEqual(20);
    expect(third.iterations[1]?.drawnNew).toBeLessThan(40);
    const { fresh } = third.resolved!.context.source!;
    expect(fresh.rows).toBe(101);
  });

  it(
    'a run that does not end as done leaves what it saw new; the same run again draws the same',
    { timeout: 120_000 },
    async () => {
      add('d.jsonl', lines(some(400, 450)));
      broken = true;
      await expect(run('fails', { seed: 4, onFailure: 'fail' })).rejects.toThrow();
      broken = false;
      expect((await documentOf('fails')).resolved?.context.source?.fresh.rows).toBe(50);
      const once = await run('fourth', { seed: 4 });
      expect(once.resolved?.context.source?.fresh.rows).toBe(50);
      expect((await run('fifth', { seed: 4 })).resolved?.context.source?.fresh.rows).toBe(0);
    },
  );

  it('no row of any training is of dev, test or the gate (I11)', () => {
    const rows = trainedOn.flatMap((data) => data.trimEnd().split('\n'));
    const trained = rows.map((row) => {
      const [, a = '', b = ''] = /^(\d+)\+(\d+)/.exec((JSON.parse(row) as { prompt: string }).prompt) ?? [];
      return additionProblem(Number(a), Number(b), a.length);
    });
    expect(trained.length).toBeGreaterThan(1000);
    expect(trained.filter((one) => sideOf(one) !== 'train' || isGate(one))).toEqual([]);
  });

  it(
    'what a run names must be declared, be there and hold problems: each is said in a sentence',
    { timeout: 60_000 },
    async () => {
      const failure = async (id: string, problems: object) =>
        on.during(async () => {
          const handle = await startRun(on, id, input({ problems }));
          return handle.result().then(
            () => '',
            (error: { cause?: { message?: string } }) => error.cause?.message ?? '',
          );
        });
      expect(await failure('u1', { root: 'inbocks' })).toMatch(/no data root .* "inbocks"; did you mean "inbox"/);
      expect(await failure('u2', { root: '/etc' })).toMatch(/no data root on this worker is called "\/etc"/);
      expect(await failure('u3', { root: 'not-there' })).toMatch(/declared, but nothing is there/);
      expect(await failure('u4', { root: 'toString' })).toMatch(/no data root/);
      add('wrong.jsonl', 'not json\n');
      expect(await failure('u5', { root: 'inbox' })).toMatch(/^wrong\.jsonl line 1: not JSON/);
    },
  );
});

describe('reading problems', () => {
  it('does not follow a link out of the data root, wherever it leads', async () => {
    const [root, outside] = [path.join(on.folder, 'linked'), path.join(on.folder, 'outside.jsonl')];
    mkdirSync(root);
    writeFileSync(outside, lines(some(0, 5)));
    symlinkSync(outside, path.join(root, 'stolen.jsonl'));
    await expect(readProblems(addition, root, 'linked')).rejects.toThrow(/stolen\.jsonl in data root linked is a link/);
  });
  const read = (text: string) => {
    const file = path.join(on.folder, 'one.jsonl');
    writeFileSync(file, text);
    return readProblems(addition, file, 'one');
  };
  it('gives each once, in an order that neither lines nor files decide', async () => {
    const [forward, backward] = [some(0, 50), some(0, 50).reverse()];
    expect(await read(lines(forward))).toEqual(await read(lines([...backward, ...forward])));
    expect(readFileSync(path.join(on.folder, 'one.jsonl'), 'utf8')).toContain('gold');
  });
  it('names the place of a line that is no problem, and of an id that has two contents', async () => {
    await expect(read(`${lines(some(0, 2))}{"id":"1+2"}\n`)).rejects.toThrow(/one\.jsonl line 3: identity/);
    const twice = [problem(0), { ...problem(0), gold: ['21'] }];
    await expect(read(lines(twice))).rejects.toThrow(/line 2: id 10\+10 is at one\.jsonl line 1 too/);
    await expect(read(lines(Array<object>(20).fill({ id: 1 })))).rejects.toThrow(/and 15 more/);
  });
});
