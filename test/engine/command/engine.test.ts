/** The contract with a trainer, kept by a program that computes nothing: what it gets, what it gives, how it ends. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommandEngine } from '../../../engine/command/engine.ts';
import type { Engine, LocalCheckpoint, TrainRequest } from '../../../engine/engine.ts';
import { readModel } from '../../../engine/tfjs/adapter-file.ts';
import { readCheckpoint } from '../../../engine/tfjs/safetensors.ts';
import { TrainSchedule } from '../../../schemas/checkpoint.ts';
import { EngineSettings } from '../../../schemas/engine-settings.ts';
import type { CommandSettings } from '../../../schemas/engine-settings.ts';
import { additionPrompt, modelFolder, randomModel, seedOf } from '../models.ts';

const program = fileURLToPath(new URL('trainer.mjs', import.meta.url));
const config = { activation: 'swiglu' as const, dModel: 16, layers: 1, heads: 2, dFF: 32 };
let files: ReturnType<typeof modelFolder>;
let base: LocalCheckpoint;
const open: Engine[] = [];
beforeEach(async () => {
  files = modelFolder();
  base = await files.save(randomModel(config, 21));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  files.clean();
});

function engineThat(how: string, hungAfterMs = 30_000): Engine {
  const settings = EngineSettings.parse({ kind: 'command', command: [process.execPath, program, how], hungAfterMs });
  const engine = createCommandEngine({ name: 'trainer', settings: settings as CommandSettings });
  open.push(engine);
  return engine;
}
function request(more: Partial<TrainRequest> = {}): TrainRequest {
  const dataPath = path.join(files.folder, 'rows.jsonl');
  const rows = Array.from({ length: 10 }, (_, n) => ({ prompt: additionPrompt(n), completion: String(n) }));
  writeFileSync(dataPath, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const schedule = { steps: 8, learningRate: 1e-3, warmupSteps: 2, decay: 'linear', batchSize: 4, clipNorm: 1 };
  return {
    start: { kind: 'checkpoint', checkpoint: base },
    dataPath,
    schedule: TrainSchedule.parse(schedule),
    seed: seedOf(7),
    outputPath: path.join(files.folder, 'out.safetensors'),
    ...more,
  };
}
const calls = () => readFileSync(path.join(files.folder, 'calls'), 'utf8').trim().split('\n').map(Number);
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a trainer behind the contract', () => {
  it('is asked what it is, whatever else it prints', async () => {
    const expected = { name: 'command', fingerprint: 'command: adds one', deterministic: true };
    expect(await engineThat('works').describe()).toEqual(expected);
  });

  it('gives a checkpoint of ours, with the config and tokenizer of the base', async () => {
    const seen: number[] = [];
    const asked = request();
    const result = await engineThat('works').train(asked, { onProgress: ({ done }) => seen.push(done) });
    expect(result).toMatchObject({ steps: 8, resumedFrom: 0, finalLoss: 1, tokens: 7 });
    expect(result.learningRates.slice(0, 3)).toEqual([5e-4, 1e-3, 1e-3]);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const [before, after] = [await readCheckpoint(base.path), await readCheckpoint(asked.outputPath)];
    expect({ config: after.config, tokenizer: after.tokenizer }).toEqual({
      config: before.config,
      tokenizer: before.tokenizer,
    });
    const changed = [...after.tensors.values()].filter(
      ({ name, data }) => data.join() !== before.tensors.get(name)!.data.join(),
    );
    expect(changed).toHaveLength(1);
    expect(existsSync(`${asked.outputPath}.work`)).toBe(false);
  });

  it('gives an adapter that belongs on the base', async () => {
    const asked = request({ adapter: { rank: 2, alpha: 4 } });
    await engineThat('works').train(asked);
    const adapted = { path: asked.outputPath, digest: 'sha256:x', base };
    expect((await readModel(adapted)).tensors.size).toBe((await readCheckpoint(base.path)).tensors.size);
  });

  it('starts from fresh weights that the seed gives', async () => {
    const { config: shape, tokenizer } = randomModel(config, 21);
    const train = (seed: string) =>
      engineThat('works').train(request({ start: { kind: 'fresh', config: shape, tokenizer }, seed }));
    const [one, again, other] = [await train(seedOf(1)), await train(seedOf(1)), await train(seedOf(2))];
    expect(again.weightsDigest).toBe(one.weightsDigest);
    expect(other.weightsDigest).not.toBe(one.weightsDigest);
  });

  it.each<[string, string, string]>([
    ['dies', 'EngineDied', 'exit code 3; its last words: a first line | CUDA out of memory, as told'],
    ['diverges', 'TrainingDiverged', 'loss NaN at step 2'],
    ['torn', 'CheckpointInvalid', 'torn'],
    ['hangs', 'EngineHung', 'said nothing for 5000 ms'],
  ])('that %s is %s', async (how, code, sentence) => {
    const failing = engineThat(how, how === 'hangs' ? 5_000 : 30_000).train(request());
    await expect(failing).rejects.toMatchObject({ code, message: expect.stringContaining(sentence) as string });
    expect(calls().filter(isAlive)).toEqual([]);
  });

  it('that is not there is named with its cure', async () => {
    const settings = EngineSettings.parse({ kind: 'command', command: ['/nowhere/train'] }) as CommandSettings;
    const failing = createCommandEngine({ name: 'trainer', settings }).describe();
    await expect(failing).rejects.toMatchObject({
      code: 'EngineUnavailable',
      message: expect.stringContaining('correct its command') as string,
    });
  });

  it.each(['slow', 'stubborn'])('that is %s ends when it is cancelled, and goes on where it was', async (how) => {
    const resume = { folder: path.join(files.folder, 'snapshots'), key: 'k', everyMs: 1, attempt: 1 };
    const reason = new Error('enough');
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => done === 3 && controller.abort(reason);
    await expect(engineThat(how).train(request({ resume }), { signal: controller.signal, onProgress })).rejects.toBe(
      reason,
    );
    expect(calls().filter(isAlive)).toEqual([]);
    if (how === 'slow') {
      const result = await engineThat(how).train(request({ resume: { ...resume, attempt: 2 } }));
      expect(result.resumedFrom).toBeGreaterThanOrEqual(3);
      expect(result.steps).toBe(8);
    }
  });

  it('a model that Llama has no word for is refused by name', async () => {
    base = await files.save(randomModel({ ...config, activation: 'relu' }, 21), 'relu');
    await expect(engineThat('works').train(request())).rejects.toMatchObject({
      code: 'CheckpointInvalid',
      message: expect.stringContaining('activation relu') as string,
    });
  });

  it('samples nothing, and says who would', async () => {
    await expect(
      engineThat('works').sample({ model: base, rows: [], sampling: { temperature: 0, topP: 1 } }),
    ).rejects.toThrow('split engine');
  });
});
