/** Runs from a pretrained model that the worker declares: a real server, the real engine, a tiny Llama in a folder as on the Hub. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHostedEngine } from '../../engine/host.ts';
import { openModels } from '../../engine/models.ts';
import { importPretrained } from '../../engine/tfjs/pretrained/import.ts';
import type { RunDocument, RunInput } from '../../schemas/run.ts';
import { modelFolderAt } from '../engine/pretrained-files.ts';
import { createBench, documentOf, smallRun, startRun, startServer } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-models-'));
const engine = createHostedEngine({ entry: 'tfjs', threads: 1, hungAfterMs: 60_000 });
let env: TestWorkflowEnvironment;
let bench: Bench;
beforeAll(async () => {
  modelFolderAt(path.join(folder, 'tiny'), { config: { max_position_embeddings: 256 } });
  env = await startServer();
  bench = await createBench(env, { engine });
  bench.deps.models = await openModels(folder);
}, 60_000);
afterAll(async () => {
  await bench.close();
  await engine.close();
  await env.teardown();
  rmSync(folder, { recursive: true });
});

const run = (id: string, more: Partial<RunInput> = {}): Promise<RunDocument> =>
  bench.during(async () => {
    const set = {
      'heldOut.dev': 4,
      'heldOut.test': 4,
      'stages.next.with.steps': { first: 2, growth: 1, add: 0 },
      'stages.next.with.adapter': { rank: 2, alpha: 4 },
    };
    await (
      await startRun(bench, id, smallRun({ recipe: 'seeds-only', model: 'tiny', iterations: 1, set, ...more }))
    ).result();
    return documentOf(bench, id);
  });
const failureOf = (id: string, more: Partial<RunInput>) =>
  run(id, more).then(
    () => '',
    (error: { cause?: { message?: string } }) => String(error.cause?.message),
  );

describe('a run from a pretrained model', { timeout: 180_000 }, () => {
  it('starts from the imported weights, and trains an adapter on them', async () => {
    const { iterations, resolved } = await run('first');
    const { weightsDigest } = await importPretrained(
      path.join(folder, 'tiny'),
      path.join(folder, 'by-hand.safetensors'),
    );
    expect(iterations[0]?.weightsDigest).toBe(weightsDigest);
    expect(iterations[1]?.model.base?.weightsDigest).toBe(weightsDigest);
    expect(iterations[1]?.weightsDigest).not.toBe(weightsDigest);
    expect(resolved?.fresh).toMatchObject({ pretrained: 'tiny', config: { context: 256 } });
  });

  it('imports it once: the next run finds it, whatever its seed', async () => {
    const { iterations } = await run('second', { seed: 2 });
    expect(iterations[0]?.stages?.base).toEqual({ reused: 1, redone: 0 });
  });

  it('is refused where the worker has no such model, with the nearest name', async () => {
    expect(await failureOf('unknown', { model: 'tine' })).toContain(
      'model: no pretrained model on this worker is called "tine"; did you mean "tiny"?',
    );
  });

  it('is refused options that shape or train a base', async () => {
    expect(await failureOf('shaped', { set: { 'model.layers': 3 } })).toContain('set.model.layers: a pretrained model');
  });

  it('fails at once where the files are at fault, by file and cure', async () => {
    modelFolderAt(path.join(folder, 'torn'), {});
    writeFileSync(path.join(folder, 'torn', 'model.safetensors'), 'torn');
    bench.deps.models = await openModels(folder);
    expect(await failureOf('torn', { model: 'torn', onFailure: 'fail' })).toMatch(/torn.*model\.safetensors/);
  });
});
