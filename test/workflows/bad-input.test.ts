import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { recipeById } from '../../recipes/index.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import { suiteBench } from '../support/suite.ts';
import { startRun, temporalBinary } from '../support/temporal.ts';

const on = suiteBench();

const ok = { recipe: 'star', task: 'addition' };
const wired = (change: (recipe: Recipe) => void): Recipe => {
  const recipe = structuredClone(recipeById('star') as Recipe);
  change(recipe);
  return recipe;
};

/** What is sent, the field that must be named, and what must be said of it. */
const bad: [string, unknown, string, RegExp][] = [
  ['nothing at all', null, '(root)', /object/],
  ['a text', 'star', '(root)', /object/],
  ['no task', { recipe: 'star' }, 'task', /string/],
  ['an unknown recipe', { ...ok, recipe: 'satr' }, 'recipe', /did you mean "star"/],
  ['an unknown task', { ...ok, task: 'adition' }, 'task', /did you mean "addition"/],
  ['an unknown field', { ...ok, itterations: 3 }, '(root)', /itterations/],
  ['a seed that is no integer', { ...ok, seed: 1.5 }, 'seed', /int/],
  ['a negative number of iterations', { ...ok, iterations: -1 }, 'iterations', />=0/],
  ['a shard size of zero', { ...ok, shardSize: 0 }, 'shardSize', />=1/],
  ['an onFailure that is none', { ...ok, onFailure: 'shrug' }, 'onFailure', /wait/],
  ['an unknown parameter', { ...ok, parameters: { digit: 3 } }, 'parameters', /digit/],
  ['a parameter of the wrong type', { ...ok, parameters: { digits: 'three' } }, 'parameters.digits', /number/],
  ['zero problems', { ...ok, set: { 'stages.batch.with.count': 0 } }, 'stages.batch.with.count', />=1/],
  [
    'an unknown option',
    { ...ok, set: { 'stages.free.with.temprature': 1 } },
    'set.stages.free.with.temprature',
    /did you mean stages\.free\.with\.temperature/,
  ],
  [
    'an option of an unknown stage',
    { ...ok, set: { 'stages.fre.with.temperature': 1 } },
    'set.stages.fre.with.temperature',
    /did you mean/,
  ],
  [
    'more digits than the context can hold',
    { ...ok, parameters: { digits: 8 }, set: { 'model.context': 32 } },
    'parameters.digits',
    /context/,
  ],
  ['heads that do not divide the width', { ...ok, set: { 'model.heads': 7 } }, 'model.heads', /divide/],
  [
    'heads of keys that do not divide the heads',
    { ...ok, set: { 'model.heads': 4, 'model.kvHeads': 3 } },
    'model.kvHeads',
    /divide/,
  ],
  [
    'an adapter without rank',
    { ...ok, set: { 'stages.next.with.adapter': { alpha: 16 } } },
    'stages.next.with.adapter.rank',
    /number/,
  ],
  [
    'an adapter of rank 0',
    { ...ok, set: { 'stages.next.with.adapter': { rank: 0, alpha: 16 } } },
    'stages.next.with.adapter.rank',
    />=1/,
  ],
  [
    'an adapter on the base itself',
    { ...ok, set: { 'base.adapter': { rank: 8, alpha: 16 } } },
    'base.adapter',
    /whole/,
  ],
  [
    'an adapter on the model of the iteration before',
    {
      ...ok,
      recipe: wired((r) => (r.stages.next!.in.from = '$model')),
      set: { 'stages.next.with.adapter': { rank: 8, alpha: 16 } },
    },
    'stages.next.with.adapter',
    /next\.from reads \$model; wire it to \$base/,
  ],
  ['an engine that is not declared', { ...ok, engine: 'curl http://example' }, 'engine', /no engine on this worker/],
  [
    'a recipe wired to unjudged rows',
    { ...ok, recipe: wired((r) => (r.stages.kept!.in.rationales = ['judged.unjudged'])) },
    'recipe.stages.kept.in.rationales',
    /needs 'correct'.*judged\.correct/,
  ],
  [
    'a recipe that trains on the test split',
    { ...ok, recipe: wired((r) => (r.stages.batch!.in.problems = '$test')) },
    'recipe.stages.batch.in.problems',
    /needs 'train'/,
  ],
  [
    'a recipe with an unknown stage kind',
    { ...ok, recipe: { ...wired(() => undefined), stages: { x: { use: 'shell', in: {} } } } },
    'recipe.stages.x.use',
    /draw/,
  ],
];

async function running(): Promise<string[]> {
  const ids: string[] = [];
  for await (const run of on.env.client.workflow.list({ query: 'ExecutionStatus = "Running"' }))
    ids.push(run.workflowId);
  return ids;
}

describe('bad input fails the run at once, names the field and leaves nothing running', () => {
  it('for each of its kinds, within 5 s', { timeout: 120_000 }, async () => {
    await on.bench.during(async () => {
      for (const [index, [what, input, field, message]] of bad.entries()) {
        const started = Date.now();
        const handle = await startRun(on.bench, `bad-${index}`, input);
        const error = await handle.result().then(
          () => undefined,
          (failure: unknown) => failure,
        );
        expect(error, what).toBeInstanceOf(WorkflowFailedError);
        const cause = (error as WorkflowFailedError).cause as ApplicationFailure;
        expect(cause.type, `${what}: ${cause.message}`).toBe('InvalidInput');
        const fields = cause.details?.[0] as { field: string; message: string }[];
        const found = fields.find((one) => one.field === field);
        expect(found?.message, `${what}: ${JSON.stringify(fields)}`).toMatch(message);
        expect(Date.now() - started, what).toBeLessThan(5000);
        expect(await on.bench.store.getName(`runs/bad-${index}`), `${what}: nothing is left behind`).toBeUndefined();
      }
      // The list is written behind the histories, so it may show a closed workflow as running for a moment.
      await expect.poll(running, { timeout: 5000 }).toEqual([]);
    });
  });

  it('started by the Temporal CLI with plain JSON', { timeout: 60_000 }, async () => {
    const cli = async (...args: string[]) =>
      promisify(execFile)(temporalBinary(), [
        'workflow',
        'execute',
        '--address',
        on.env.address,
        '--type',
        'starRun',
        '--task-queue',
        on.bench.taskQueue,
        ...args,
      ]).then(
        ({ stdout }) => ({ code: 0, output: stdout }),
        (error: { code: number; stdout: string; stderr: string }) => ({
          code: error.code,
          output: error.stdout + error.stderr,
        }),
      );
    await on.bench.during(async () => {
      const refused = await cli('--workflow-id', 'cli-bad', '--input', '{"recipe":"star","task":"adition"}');
      expect(refused.code).not.toBe(0);
      expect(refused.output).toContain('did you mean "addition"');
      const small = { ...ok, parameters: { digits: 1 }, iterations: 1, set: { 'stages.batch.with.count': 10 } };
      const accepted = await cli('--workflow-id', 'cli-good', '--input', JSON.stringify(small));
      expect(accepted.output).toContain('COMPLETED');
      expect(await on.bench.store.getName('runs/cli-good')).toMatchObject({ status: 'done', runId: 'cli-good' });
    });
  });
});
