import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, LocalCheckpoint, SampleRequest } from '../../engine/engine.ts';
import { createLanedEngine } from '../../engine/lanes.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import { additionPrompt, modelFolder, randomModel, seedOf } from './models.ts';

const files = modelFolder();
let model: LocalCheckpoint;
beforeAll(async () => {
  model = await files.save(randomModel());
});
afterAll(() => files.clean());
const request = (count: number) => ({
  model,
  rows: Array.from({ length: count }, (_, n) => ({
    prompt: additionPrompt(n),
    seed: seedOf(n),
    maxNewTokens: 1 + (n % 9),
  })),
  sampling: { temperature: 1, topP: 1 },
});

describe('lanes', () => {
  it('neither their count nor the dealing shows in the result', async () => {
    const one = createScriptedEngine();
    const expected = await one.sample(request(1500));
    const few = await one.sample(request(90));
    for (const count of [1, 2, 5]) {
      const sampling = Array.from({ length: count }, () => createScriptedEngine());
      const seen: number[] = [];
      const laned = createLanedEngine({ sampling, training: one });
      expect(await laned.sample(request(1500), { onProgress: ({ done }) => seen.push(done) })).toEqual(expected);
      expect(await laned.sample(request(90))).toEqual(few);
      expect(seen.at(-1)).toBe(1500);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    }
  });

  it('a request that fits them all at once is shared evenly, short and long rows alike, prefix and all', async () => {
    const asked: SampleRequest[] = [];
    const lane = (): Engine => {
      const scripted = createScriptedEngine();
      return { ...scripted, sample: (part, control) => (asked.push(part), scripted.sample(part, control)) };
    };
    const laned = createLanedEngine({ sampling: [lane(), lane()], training: createScriptedEngine() });
    await laned.sample({ ...request(90), prefix: '1+1=2\n' });
    expect(asked.map(({ rows }) => rows.length)).toEqual([45, 45]);
    expect(asked.map(({ prefix }) => prefix)).toEqual(['1+1=2\n', '1+1=2\n']);
    const [a, b] = asked.map(({ rows }) => rows.reduce((sum, { maxNewTokens }) => sum + maxNewTokens, 0)) as [
      number,
      number,
    ];
    expect(Math.abs(a - b) / (a + b)).toBeLessThan(0.1);
  });

  it('the first failure is the answer and ends the other lanes', async () => {
    const failing = createScriptedEngine({ faults: { 1: 'die' } });
    const slow = createScriptedEngine({ delayMs: 50 });
    const laned = createLanedEngine({ sampling: [slow, failing], training: slow });
    const started = performance.now();
    await expect(laned.sample(request(1500))).rejects.toMatchObject({ code: 'EngineDied' });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
