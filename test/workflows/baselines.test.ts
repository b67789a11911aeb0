/** The baselines as runs, on a real server with the scripted engine: what stands before a question, what is trained on. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planRun } from '../../activities/resolve.ts';
import type { RunDocument, RunInput } from '../../schemas/run.ts';
import { RunInput as Input } from '../../schemas/run.ts';
import { taskById } from '../../tasks/index.ts';
import { ladderEngine, ladderModel } from '../support/ladder-model.ts';
import { createBench, documentOf, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

const task = taskById('three-sum')!;
const [worked, direct] = [task.prompt.shots!('free', {}), task.prompt.direct!.shots({})];
const scripted = ladderEngine((prefix, trained) => (prefix === worked ? (trained ? 70 : 40) : trained ? 30 : 10));
let env: TestWorkflowEnvironment;
let bench: Bench;
beforeAll(async () => {
  env = await startServer();
  bench = await createBench(env, { engine: scripted.engine });
  bench.deps.models = ladderModel;
}, 60_000);
afterAll(async () => {
  await bench.close();
  await env.teardown();
});

const input = (recipe: string, more: Partial<RunInput> = {}): Partial<RunInput> => ({
  recipe,
  task: 'three-sum',
  model: 'tiny',
  parameters: { heldOut: 12 },
  shardSize: 20,
  ...more,
});
async function finished(id: string, asked: Partial<RunInput>): Promise<RunDocument> {
  for (const list of [scripted.asked, scripted.trainings, scripted.trainedOn]) list.length = 0;
  return bench.during(async () => {
    await (await startRun(bench, id, asked)).result();
    return documentOf(bench, id);
  });
}
const prefixes = () => [...new Set(scripted.asked.map(({ prefix = '' }) => prefix))];
const small = { 'stages.batch.with.count': 30, 'stages.next.with.steps': { first: 2, growth: 1, add: 0 } };

describe('the form of a prompt', () => {
  it('few-shot-direct asks the base once, after examples that answer at once; few-shot-cot after worked ones', async () => {
    const asked = await finished('direct', input('few-shot-direct'));
    expect(prefixes()).toEqual([direct]);
    expect(asked.iterations.map(({ n, steps }) => [n, steps])).toEqual([[0, 0]]);
    expect(asked.status).toBe('done');
    const reasoned = await finished('cot', input('few-shot-cot'));
    expect(prefixes()).toEqual([worked]);
    expect(reasoned.iterations).toHaveLength(1);
    expect(scripted.trainedOn).toEqual([]);
  }, 60_000);

  it('star begins where few-shot-cot ended: from the memo', async () => {
    const { iterations } = await finished('star', input('star', { iterations: 1, set: small }));
    expect(iterations[0]?.shards).toMatchObject({ redone: 0 });
    expect(prefixes()).toEqual(expect.arrayContaining([worked, task.prompt.shots!('hinted', {})]));
  }, 60_000);

  it('direct-fine-tune trains on question and answer of what it draws, and asks without examples', async () => {
    const { iterations } = await finished('tuned', input('direct-fine-tune', { iterations: 1, set: small }));
    expect(prefixes()).toEqual(['']);
    const rows = scripted.trainedOn[0]!.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { prompt: string; completion: string });
    expect(rows).toHaveLength(30);
    for (const { prompt, completion } of rows) {
      expect(prompt).toMatch(/^Q: What is \d+ \+ \d+ \+ \d+\?\nA:$/);
      const sum = prompt.match(/\d+/g)!.reduce((total, number) => total + Number(number), 0);
      expect(completion).toBe(` The answer is ${sum}.`);
    }
    // Nothing was judged of what was drawn, and nothing is said of it.
    expect(iterations[1]).toMatchObject({ trainedOn: 30, ledger: { acceptedFree: 0, unjudged: 0 }, drawn: 0 });
  }, 60_000);

  it('is declared apart for sampling and evaluation', async () => {
    const set = { ...small, 'stages.free.with.prompt': 'plain', 'stages.score.with.prompt': 'plain' };
    const { iterations } = await finished('plain', input('star', { iterations: 1, set }));
    const hinted = task.prompt.shots!('hinted', {});
    expect(prefixes().sort()).toEqual(['', hinted].sort());
    expect(iterations[0]?.accuracy.overall).toBeLessThan(0.4);
    expect(scripted.asked.filter(({ chat }) => chat)).toEqual([]);
  }, 60_000);

  it('is a chat where that is asked for: sampling, training and evaluation each for itself', async () => {
    const set = { ...small, 'stages.free.with.prompt': 'chat', 'stages.hinted.with.prompt': 'chat-shots' };
    await finished('sampled-in-chat', input('star', { iterations: 1, seed: 5, set }));
    const hinted = task.prompt.shots!('hinted', {});
    const forms = new Set(scripted.asked.map(({ prefix = '', chat = false }) => JSON.stringify([prefix, chat])));
    expect([...forms].sort()).toEqual(
      [
        ['', true],
        [hinted, true],
        [worked, false],
      ]
        .map((form) => JSON.stringify(form))
        .sort(),
    );
    expect(scripted.trainings.map(({ chat }) => chat)).toEqual([undefined]);
    const all = { ...set, 'stages.next.with.prompt': 'chat', 'stages.score.with.prompt': 'chat' };
    const { iterations } = await finished('all-in-chat', input('star', { iterations: 1, seed: 5, set: all }));
    // Sampling and judging come from the memo; training and evaluation are other work now.
    expect(scripted.asked.map(({ prefix, chat }) => [prefix, chat])).toContainEqual([undefined, true]);
    expect(scripted.trainings.map(({ chat }) => chat)).toEqual([true]);
    const [row] = scripted.trainedOn[0]!.split('\n');
    expect(JSON.parse(row!)).toMatchObject({ prompt: expect.stringMatching(/^Q: What is .*\nA:$/) as string });
    expect(iterations).toHaveLength(2);
  }, 60_000);
});

describe('a task without a direct form', () => {
  it.each([
    ['few-shot-direct', 'stages.score.with.prompt'],
    ['direct-fine-tune', 'recipe'],
  ])('refuses %s and says what is missing', (recipe, field) => {
    const plan = () => planRun(bench.deps, Input.parse({ recipe, task: 'addition' }));
    expect(plan).toThrow(`${field}: task addition does not say how an answer is given without a rationale`);
    expect(() => planRun(bench.deps, Input.parse({ recipe: 'few-shot-cot', task: 'addition' }))).not.toThrow();
  });
});
