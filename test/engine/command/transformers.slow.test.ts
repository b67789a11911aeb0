/**
 * The maintained trainer (trainers/transformers) against the tfjs engine: the same request, the same weights within rounding;
 * killed and begun again, the same bytes. Python comes from the bench's environment.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python } from '../../../bench/python.ts';
import { createCommandEngine } from '../../../engine/command/engine.ts';
import type { Engine, LocalCheckpoint, TrainRequest } from '../../../engine/engine.ts';
import { readModel } from '../../../engine/tfjs/adapter-file.ts';
import { createTfjsEngine } from '../../../engine/tfjs/engine.ts';
import { TrainSchedule } from '../../../schemas/checkpoint.ts';
import { EngineSettings } from '../../../schemas/engine-settings.ts';
import type { CommandSettings } from '../../../schemas/engine-settings.ts';
import { additionPrompt, modelFolder, randomModel, seedOf } from '../models.ts';

const program = fileURLToPath(new URL('../../../trainers/transformers/train.py', import.meta.url));

describe('the transformers trainer', () => {
  const files = modelFolder();
  let trainer: Engine;
  let base: LocalCheckpoint;
  beforeAll(async () => {
    const interpreter = await python(() => undefined, ['safetensors']);
    const settings = EngineSettings.parse({ kind: 'command', command: [interpreter, program] });
    trainer = createCommandEngine({ name: 'transformers', settings: settings as CommandSettings });
    base = await files.save(randomModel({ activation: 'swiglu', kvHeads: 2 }, 21));
  }, 20 * 60_000);
  afterAll(async () => {
    await trainer.close();
    files.clean();
  });

  const request = (name: string, steps: number, more: Partial<TrainRequest> = {}): TrainRequest => {
    const dataPath = path.join(files.folder, 'rows.jsonl');
    const rows = Array.from({ length: 30 }, (_, n) => ({ prompt: additionPrompt(n), completion: `${n}+${n * 37}` }));
    writeFileSync(dataPath, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const schedule = { steps, learningRate: 1e-3, warmupSteps: 2, decay: 'cosine', batchSize: 8, clipNorm: 1 };
    const outputPath = path.join(files.folder, `${name}.safetensors`);
    const start = { kind: 'checkpoint' as const, checkpoint: base };
    return { start, dataPath, schedule: TrainSchedule.parse(schedule), seed: seedOf(7), outputPath, ...more };
  };
  const weightsOf = async (file: string, adapted: boolean) => {
    const model = { path: file, ...(adapted && { base }) };
    return new Map([...(await readModel(model)).tensors].map(([name, { data }]) => [name, data]));
  };

  it('names its library', async () => {
    expect((await trainer.describe()).fingerprint).toMatch(/^command: transformers \d.*, torch \d/);
  });

  it.each([
    ['whole', {}],
    ['adapter', { adapter: { rank: 4, alpha: 8 } }],
  ])('learns what the tfjs engine learns (%s)', async (kind, more) => {
    const tfjs = createTfjsEngine();
    const [here, there] = [request(`here-${kind}`, 12, more), request(`there-${kind}`, 12, more)];
    const [ours, theirs] = [await tfjs.train(here), await trainer.train(there)];
    await tfjs.close();
    expect(theirs.learningRates).toEqual(ours.learningRates);
    expect(theirs.tokens).toBe(ours.tokens);
    expect(Math.abs(theirs.finalLoss! - ours.finalLoss!)).toBeLessThan(1e-4);
    const [x, y] = [
      await weightsOf(here.outputPath, kind === 'adapter'),
      await weightsOf(there.outputPath, kind === 'adapter'),
    ];
    let [difference, moved] = [0, 0];
    const before = await weightsOf(base.path, false);
    for (const [name, values] of x)
      for (const [at, value] of values.entries()) {
        difference = Math.max(difference, Math.abs(value - y.get(name)![at]!));
        moved = Math.max(moved, Math.abs(value - before.get(name)![at]!));
      }
    console.log(`${kind}: weights moved by up to ${moved}, the two engines differ by up to ${difference}`);
    expect(moved).toBeGreaterThan(1e-3);
    // Adam turns rounding of a vanishing gradient into a step of full size; few weights have one.
    expect(difference).toBeLessThan(0.1 * moved);
  });

  it('killed inside, it goes on and ends with the same bytes', async () => {
    const whole = await trainer.train(request('undisturbed', 60));
    const folder = path.join(files.folder, 'snapshots');
    mkdirSync(folder);
    const resume = { folder, key: 'k', everyMs: 0, attempt: 1 };
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => done > 0 && controller.abort(new Error('enough'));
    // Progress comes once a second; a short training would be over by then.
    const long = request('killed', 60, { resume });
    const killed = trainer.train(long, { signal: controller.signal, onProgress }).then(
      () => 'ended',
      () => 'killed',
    );
    const how = await killed;
    const again = await trainer.train({ ...long, resume: { ...resume, attempt: 2 } });
    console.log(`${how}; resumed from step ${again.resumedFrom} of 60`);
    expect(again.resumedFrom).toBeGreaterThan(0);
    expect(again.weightsDigest).toBe(whole.weightsDigest);
  });
});
