/**
 * `paper` as a whole, on a real server and worker with a scripted model: all rows, an interruption and the call that goes on, a
 * third call that does nothing, options that contradict what is there, and a row that fails.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.ts';
import type { Context } from '../../cli/parts.ts';
import { EngineError } from '../../engine/engine.ts';
import type { Engine } from '../../engine/engine.ts';
import { taskById } from '../../tasks/index.ts';
import { ladderEngine, ladderModel } from '../support/ladder-model.ts';
import { createBench, documentOf, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

// The command looks its models up itself, in a folder; the scripted one lies in none.
vi.mock('../../engine/models.ts', async () => ({
  openModels: async () => (await import('../support/ladder-model.ts')).ladderModel,
}));

const task = taskById('three-sum')!;
const worked = task.prompt.shots!('free', {});
const scripted = ladderEngine((prefix, trained) => (prefix === worked ? (trained ? 70 : 40) : trained ? 30 : 10));
/** Called before each training. */
let beforeTraining: () => void = () => undefined;
const engine: Engine = {
  ...scripted.engine,
  train: (request, control) => {
    beforeTraining();
    return scripted.engine.train(request, control);
  },
};
let env: TestWorkflowEnvironment;
let bench: Bench;
beforeAll(async () => {
  env = await startServer();
  bench = await createBench(env, { engine, settingsQueues: true });
  bench.deps.models = ladderModel;
}, 60_000);
afterAll(async () => {
  await bench.close();
  await env.teardown();
});

const small = ['--limit', '24', '--iterations', '1', '--set', 'stages.next.with.steps={"first":2,"growth":1,"add":0}'];
const NAME = 'paper-three-sum-tiny-s1-i1-n24';
const ids = ['few-shot-direct', 'few-shot-cot', 'direct-fine-tune', 'star-without-hints', 'star'].map(
  (recipe) => `${NAME}-${recipe}`,
);

interface Told {
  code: number;
  json: {
    rows: { recipe: string; runId: string; status: string | null; reused: boolean }[];
    runs: { runId: string; best: object; difference: object | null; used: object }[];
    star: { less: string; difference: object }[];
    notes: string[];
    error?: { code: string; message: string };
  };
  err: string;
}
async function paper(...words: string[]): Promise<Told> {
  let [out, err] = ['', ''];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true)),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true)),
  ];
  const server = { mode: 'remote', address: env.address, namespace: 'default' } as const;
  const code = await main(['paper', 'three-sum', '--model', 'tiny', ...words, '--json'], (terminal): Context => ({
    home: bench.folder,
    server,
    terminal,
  }));
  for (const spy of spies) spy.mockRestore();
  return { code, json: JSON.parse(out) as Told['json'], err };
}
const status = ({ json }: Told) => json.rows.map((row) => row.status);

describe('paper', () => {
  it('--dry-run names the runs and starts nothing', async () => {
    const told = await paper(...small, '--dry-run');
    expect(told.code, told.err).toBe(0);
    expect(told.json.rows.map(({ runId }) => runId)).toEqual(ids);
    expect(await bench.store.listNames('runs/')).toEqual([]);
  });

  it('makes all rows; interrupted in the fourth it is detached, called again it does only what is left', async () => {
    let trainings = 0;
    beforeTraining = () => {
      // The second training is that of the fourth row; Ctrl-C's relative, which no test runner listens to.
      if (++trainings === 2) process.emit('SIGHUP');
    };
    const left = await bench.during(() => paper(...small));
    expect(left.code, left.err).toBe(130);
    expect(left.err).toContain('the same command again goes on from here');
    expect(status(left)).toEqual(['done', 'done', 'done', null, null]);
    beforeTraining = () => undefined;

    const [asked, digest] = [scripted.asked.length, (await documentOf(bench, ids[1]!)).ledgerDigest];
    const again = await bench.during(() => paper(...small));
    expect(again.code, again.err).toBe(0);
    expect(again.err).toContain(`row 2 of 5, few-shot-cot: run ${ids[1]} is done already`);
    expect(again.err).toContain(`run ${ids[3]} goes on`);
    expect(again.err).toContain(`run ${ids[4]} started`);
    expect(again.json.rows.map(({ runId, reused }) => [runId, reused])).toEqual(ids.map((id, n) => [id, n < 3]));
    expect(status(again)).toEqual(Array(5).fill('done'));
    expect((await documentOf(bench, ids[1]!)).ledgerDigest).toBe(digest);
    const prefixes = new Set(scripted.asked.slice(asked).map(({ prefix = '' }) => prefix));
    expect(prefixes, 'the direct rows were not asked again').not.toContain(task.prompt.direct!.shots({}));

    // Shared through the memo: star's base is that of few-shot-cot, its first free samples those of the row before.
    const { iterations } = await documentOf(bench, ids[4]!);
    expect(iterations[0]?.shards.redone).toBe(0);
    expect(iterations[1]?.stages?.free).toMatchObject({ redone: 0 });

    const { runs, star } = again.json;
    expect(runs.map(({ runId }) => runId)).toEqual(ids);
    expect(runs[0]?.difference).toBeNull();
    expect(runs[4]).toMatchObject({ difference: { n: 24 }, best: { accuracy: { n: 24 } } });
    expect(star.map(({ less }) => less)).toEqual([
      'few-shot-direct',
      'few-shot-cot',
      'direct-fine-tune',
      'star-without-hints',
    ]);
    expect(star[0]).toMatchObject({ difference: { n: 24 } });
    expect(again.json.notes).toEqual([expect.stringContaining('forms of the prompts differ')]);
  }, 300_000);

  it('called once more it starts nothing, not even with a server at hand', async () => {
    const asked = scripted.asked.length;
    const told = await paper(...small);
    expect(told.code, told.err).toBe(0);
    expect(told.json.rows.map(({ reused }) => reused)).toEqual(Array(5).fill(true));
    expect(scripted.asked).toHaveLength(asked);
  });

  it('refuses other options under the same ids before anything is started; a name of its own is a way out', async () => {
    const words = ['--set', 'stages.next.with.learningRate=0.5'];
    const refused = await paper(...small, ...words);
    expect(refused.code).toBe(2);
    expect(refused.json.error).toMatchObject({ code: 'RunDiffers' });
    expect(refused.json.error?.message).toContain('set stages.next.with.learningRate is absent there, 0.5 here');
    const named = await paper(...small, ...words, '--name', 'mine', '--dry-run');
    expect(named.code, named.err).toBe(0);
    expect(named.json.rows[4]).toMatchObject({ runId: 'mine-star', status: null });
    const unknown = await paper(...small, '--set', 'stages.fre.with.samples=2', '--name', 'other');
    expect(unknown.json.error?.message).toContain('did you mean stages.free.with.samples');
    expect((await bench.store.listNames('runs/')).length).toBe(5);
  });

  it('goes on behind a row that fails and ends with 1; called again it tries that row alone, under the next id', async () => {
    let trainings = 0;
    beforeTraining = () => {
      if (++trainings === 1) throw new EngineError('TrainingDiverged', 'the loss is not finite');
    };
    const words = [...small, '--seed', '2', '--name', 'torn'];
    const torn = await bench.during(() => paper(...words));
    expect(torn.code, torn.err).toBe(1);
    expect(status(torn)).toEqual(['done', 'done', 'failed', 'done', 'done']);
    expect(torn.err).toContain('row direct-fine-tune: run torn-direct-fine-tune is failed');
    const mended = await bench.during(() => paper(...words));
    expect(mended.code, mended.err).toBe(0);
    expect(mended.json.rows.map(({ runId, status, reused }) => [runId, status, reused])).toEqual([
      ['torn-few-shot-direct', 'done', true],
      ['torn-few-shot-cot', 'done', true],
      ['torn-direct-fine-tune-2', 'done', false],
      ['torn-star-without-hints', 'done', true],
      ['torn-star', 'done', true],
    ]);
  }, 300_000);
});
