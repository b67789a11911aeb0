import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recipeById } from '../../recipes/index.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import { createBench, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

let env: TestWorkflowEnvironment;
let bench: Bench;
/** A folder outside of everything a run may know, with a file that must not be read and a place that must stay empty. */
let outside: string;
beforeAll(async () => {
  env = await startServer();
  bench = await createBench(env);
  outside = await mkdtemp(path.join(os.tmpdir(), 'startrail-outside-'));
  await writeFile(path.join(outside, 'secret.jsonl'), '{"id":"stolen"}\n');
  await symlink(path.join(outside, 'secret.jsonl'), path.join(bench.folder, 'link.jsonl'));
}, 60_000);
afterAll(async () => {
  await bench.close();
  await rm(outside, { recursive: true, force: true });
  await env.teardown();
});

const ok = { recipe: 'star', task: 'addition' };
const KEY = 'sk-live-0123456789';
/** What somebody might want to slip in; each is tried in the place of every name. */
const contraband = (): Record<string, string> => ({
  'a command': `sh -c "touch ${outside}/ran"`,
  'a command in backquotes': `\`touch ${outside}/ran\``,
  'a URL': 'https://models.example/weights.safetensors',
  'a file URL': `file://${outside}/secret.jsonl`,
  'a key': KEY,
  'a relative path out': `../../${path.basename(outside)}/secret.jsonl`,
  'a module by path': '../activities/index',
  'an absolute path': path.join(outside, 'secret.jsonl'),
  'a link that leads out': path.join(bench.folder, 'link.jsonl'),
  'a name of every object': '__proto__',
  'another such name': 'constructor',
});
const wired = (change: (recipe: any) => void): Recipe => {
  const recipe = structuredClone(recipeById('star') as Recipe);
  change(recipe);
  return recipe;
};

/** Inputs by the field that must be named. */
function places(value: string): [field: RegExp, input: unknown][] {
  return [
    [/^recipe$/, { ...ok, recipe: value }],
    [/^task$/, { ...ok, task: value }],
    [/^engine$/, { ...ok, engine: value }],
    [/^parameters/, { ...ok, parameters: { digits: value } }],
    [/^parameters/, { ...ok, parameters: { problems: value } }],
    [/^problems\.root$/, { ...ok, problems: { root: value } }],
    [/^\(root\)|^problems/, { ...ok, problems: { root: 'inbox', path: value } }],
    [/^fork\.run$/, { ...ok, fork: { run: `${value}/..`, from: 1 } }],
    [/^model/, { ...ok, set: { 'model.layers': value } }],
    [/^set\.model/, { ...ok, set: { 'model.checkpoint': value } }],
    [/^base/, { ...ok, set: { 'base.steps': value } }],
    [/^set\.stages\.next/, { ...ok, set: { 'stages.next.with.trainer': value } }],
    [/^set\.stages\.judged/, { ...ok, set: { 'stages.judged.with.verifier': value } }],
    [/^set\./, { ...ok, set: { [`stages.free.with.${value.replaceAll('.', '-')}`]: 1 } }],
    [/^recipe\.id$/, { ...ok, recipe: wired((recipe) => (recipe.id = `${value}/x`)) }],
    [/^recipe\.stages\.free\.use$/, { ...ok, recipe: wired((recipe) => (recipe.stages.free.use = value)) }],
    [/^recipe\.stages\.free\.in/, { ...ok, recipe: wired((recipe) => (recipe.stages.free.in.model = value)) }],
    [
      /^recipe\.stages\.free\.with/,
      { ...ok, recipe: wired((recipe) => (recipe.stages.free.with = { engine: value })) },
    ],
    [/^recipe\.carry\.model$/, { ...ok, recipe: wired((recipe) => (recipe.carry.model = value)) }],
    [/^recipe\.stages/, { ...ok, recipe: wired((recipe) => (recipe.stages[`/${value}`] = recipe.stages.free)) }],
    [/^\(root\)$/, { ...ok, command: value }],
    [/^\(root\)$/, { ...ok, url: value }],
    [/^\(root\)$/, { ...ok, apiKey: value }],
    [/^\(root\)$/, { ...ok, store: value }],
    [/^\(root\)$/, { ...ok, taskQueue: value }],
  ];
}

async function everyFile(): Promise<string[]> {
  const found = await readdir(bench.store.location, { recursive: true });
  return found.filter((name) => !name.startsWith('tmp')).sort();
}

/** The failure of a workflow that is refused, and how long that took. */
async function refused(
  type: string,
  workflowId: string,
  input: unknown,
): Promise<{ cause: ApplicationFailure; ms: number }> {
  const began = Date.now();
  const handle = await env.client.workflow.start(type, {
    workflowId,
    taskQueue: bench.taskQueue,
    args: [input],
    workflowExecutionTimeout: '20s',
  });
  const error: unknown = await handle.result().then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(error, `${type} took ${JSON.stringify(input)}`).toBeInstanceOf(WorkflowFailedError);
  const cause = (error as WorkflowFailedError).cause as ApplicationFailure;
  expect(cause.type, `${type} ${JSON.stringify(input).slice(0, 300)}: ${cause.message}`).toBe('InvalidInput');
  return { cause, ms: Date.now() - began };
}
const fieldsOf = (cause: ApplicationFailure) => (cause.details?.[0] as { field: string }[]).map(({ field }) => field);

describe('a run input names what the worker declares, never a command, URL, key or path of its own', () => {
  it(
    'whatever is put in the place of a name is refused at once, by its field, and leaves nothing',
    { timeout: 280_000 },
    async () => {
      await bench.during(async () => {
        const before = await everyFile();
        let count = 0;
        for (const [what, value] of Object.entries(contraband())) {
          await Promise.all(
            places(value).map(async ([field, input]) => {
              const { cause } = await refused('starRun', `smuggle-${count++}`, input);
              const fields = fieldsOf(cause);
              expect(
                fields.some((one) => field.test(one)),
                `${what}: ${JSON.stringify(input).slice(0, 200)} → ${fields.join()}`,
              ).toBe(true);
            }),
          );
        }
        expect(count).toBe(25 * 11);
        expect(await everyFile()).toEqual(before);
        expect(await readdir(outside)).toEqual(['secret.jsonl']);
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      });
    },
  );

  it('a prototype in the JSON is an unknown field like any other', { timeout: 60_000 }, async () => {
    const slipped = (inner: string) => `{"__proto__": ${inner}}`;
    const star = JSON.stringify(wired((recipe) => (recipe.stages.free.with = 'HERE')));
    const inputs = [
      `{"recipe":"star","task":"addition","__proto__":{"engine":"sh"}}`,
      `{"recipe":"star","task":"addition","set":${slipped('{"stages.free.with.samples":9}')}}`,
      `{"recipe":"star","task":"addition","parameters":${slipped('{"digits":2}')}}`,
      `{"recipe":${star.replace('"HERE"', slipped('{"samples":9}'))},"task":"addition"}`,
      `{"recipe":${JSON.stringify(wired((recipe) => (recipe.stages.free.in.constructor = 'batch')))},"task":"addition"}`,
      `{"recipe":${JSON.stringify(wired((recipe) => (recipe.stages.kept.in.rationales = ['judged.constructor'])))},"task":"addition"}`,
      `{"recipe":${JSON.stringify(wired((recipe) => (recipe.stop.plateau = 'constructor.dev.accuracy')))},"task":"addition"}`,
    ];
    await bench.during(async () => {
      for (const [index, text] of inputs.entries()) await refused('starRun', `proto-${index}`, JSON.parse(text));
    });
  });

  it('one alone is refused within 5 s', { timeout: 60_000 }, async () => {
    await bench.during(async () => {
      const { ms } = await refused('starRun', 'smuggle-one', { ...ok, engine: '../../bin/sh' });
      expect(ms).toBeLessThan(5_000);
    });
  });

  it('nights, replays and workflow ids smuggle nothing either', { timeout: 120_000 }, async () => {
    await bench.during(async () => {
      const before = (await everyFile()).filter((name) => !name.includes('models'));
      for (const [index, value] of Object.values(contraband()).entries()) {
        const night = await refused('nightly', `night-${index}`, { run: { ...ok, engine: value } }).catch(
          (error: unknown) => error,
        );
        expect(String((night as { cause?: Error }).cause?.message ?? night)).toContain('engine');
        const replay = await refused('starReplay', `replay-${index}`, { run: `${value}/..`, iteration: 0 });
        expect(fieldsOf(replay.cause)).toEqual(['run']);
        const id = await refused('starRun', `/${value}/${index}`, ok);
        expect(fieldsOf(id.cause)).toEqual(['workflowId']);
      }
      expect((await everyFile()).filter((name) => !name.includes('models'))).toEqual(before);
    });
  });

  it('the parts of a run cannot be started past the checks of its input', { timeout: 60_000 }, async () => {
    await bench.during(async () => {
      for (const type of ['starIteration', 'fanOut'])
        for (const [index, input] of [
          null,
          {},
          { resolved: { context: { runId: '../../x', engine: 'sh' } } },
        ].entries()) {
          const { cause, ms } = await refused(type, `part-${type}-${index}`, input);
          expect(cause.message).toContain('start starRun');
          expect(ms).toBeLessThan(5_000);
        }
    });
  });

  it('names and digests that reach the store cannot lead out of it', async () => {
    const { store } = bench;
    await expect(store.read(`sha256:${'../'.repeat(20)}etc/passwd`)).rejects.toThrow(/no digest/);
    await expect(store.read(path.join(outside, 'secret.jsonl'))).rejects.toThrow(/no digest/);
    await store.replaceName(`runs/../../../../${path.basename(outside)}/made`, { stolen: true });
    expect(await readdir(outside)).toEqual(['secret.jsonl']);
    const scratch = await store.scratch('../../../x');
    expect(path.relative(store.location, scratch)).toMatch(/^scratch\//);
  });
});

it('what was outside is as it was', async () => {
  expect(await readFile(path.join(outside, 'secret.jsonl'), 'utf8')).toBe('{"id":"stolen"}\n');
});
