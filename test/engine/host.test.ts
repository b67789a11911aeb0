import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LocalCheckpoint } from '../../engine/engine.ts';
import { createHostedEngine, type HostOptions } from '../../engine/host.ts';
import { modelFolder, randomModel, seedOf } from './models.ts';
import { alive } from '../support/processes.ts';

const until = async (test: () => boolean, withinMs: number): Promise<number> => {
  const started = performance.now();
  while (!test()) {
    if (performance.now() - started > withinMs) throw new Error(`not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - started;
};

const files = modelFolder();
let model: LocalCheckpoint;
let engine: ReturnType<typeof createHostedEngine>;
const host = (options: Partial<HostOptions> = {}) =>
  (engine = createHostedEngine({ entry: 'scripted', threads: 1, hungAfterMs: 30_000, ...options }));
const request = (rows = 1, maxNewTokens = 20) => ({
  model,
  rows: Array.from({ length: rows }, (_, n) => ({ prompt: `${n}+1=`, seed: seedOf(n), maxNewTokens })),
  sampling: { temperature: 1, topP: 1 },
});

beforeAll(async () => {
  model = await files.save(randomModel());
});
afterEach(async () => engine.close());
afterAll(() => files.clean());

describe('hosted engine', { timeout: 30_000 }, () => {
  it('a killed child costs the request it ran; the next one starts a fresh child', async () => {
    host({ env: { STARTRAIL_SCRIPTED_DELAY_MS: '20' } });
    await engine.warm();
    const first = engine.pid()!;
    const running = engine.sample(request(1000));
    const waiting = engine.sample(request(2));
    setTimeout(() => process.kill(first, 'SIGKILL'), 100);
    await expect(running).rejects.toMatchObject({
      code: 'EngineDied',
      message: expect.stringContaining('SIGKILL') as string,
    });
    expect(await waiting).toHaveLength(2);
    expect(engine.pid()).not.toBe(first);
  });

  it('a child that dies by itself says so in its last words', async () => {
    host({ env: { STARTRAIL_SCRIPTED_FAULTS: '{"2":"die"}' } });
    await engine.sample(request());
    await expect(engine.sample(request())).rejects.toMatchObject({ code: 'EngineDied' });
    expect(await engine.sample(request())).toHaveLength(1);
  });

  it('a hang is noticed by its silence, and the child killed', async () => {
    host({ hungAfterMs: 1000, env: { STARTRAIL_SCRIPTED_FAULTS: '{"1":"hang"}' } });
    await engine.warm();
    const pid = engine.pid()!;
    const started = performance.now();
    await expect(engine.sample(request())).rejects.toMatchObject({ code: 'EngineHung' });
    expect(performance.now() - started).toBeGreaterThan(900);
    await until(() => !alive(pid), 2000);
  });

  it('a start that takes longer than that is no hang', async () => {
    host({ hungAfterMs: 300 });
    expect(await engine.sample(request())).toHaveLength(1);
  });

  it('waiting behind a long request is no hang, nor is slow work that reports', async () => {
    host({ hungAfterMs: 600, env: { STARTRAIL_SCRIPTED_DELAY_MS: '100' } });
    await engine.warm();
    const [long, short] = await Promise.all([engine.sample(request(15)), engine.sample(request(1))]);
    expect([long.length, short.length]).toEqual([15, 1]);
  });

  it('an abort in the queue leaves the running request alone', async () => {
    host({ env: { STARTRAIL_SCRIPTED_DELAY_MS: '20' } });
    const controller = new AbortController();
    const running = engine.sample(request(20));
    const waiting = engine.sample(request(20), { signal: controller.signal });
    const reason = new Error('not needed');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(await running).toHaveLength(20);
  });

  it('a child that ignores an abort is killed within seconds', async () => {
    host({ env: { STARTRAIL_SCRIPTED_FAULTS: '{"1":"hang"}' } });
    await engine.warm();
    const pid = engine.pid()!;
    const controller = new AbortController();
    const running = engine.sample(request(), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('stop')), 50);
    await expect(running).rejects.toThrow('stop');
    await until(() => !alive(pid), 500);
  });

  it('close ends the child, also in the middle of a request', async () => {
    host({ env: { STARTRAIL_SCRIPTED_DELAY_MS: '20' } });
    const running = engine.sample(request(1000));
    running.catch(() => undefined);
    await engine.describe();
    const pid = engine.pid()!;
    await engine.close();
    expect(alive(pid)).toBe(false);
    await expect(running).rejects.toMatchObject({ code: 'EngineDied' });
    await expect(engine.sample(request())).rejects.toMatchObject({ code: 'EngineDied' });
  });

  it('an engine that cannot start names the cure', async () => {
    host({ entry: 'nonsense' as 'tfjs' });
    await expect(engine.describe()).rejects.toMatchObject({ code: 'EngineUnavailable' });
    await expect(engine.sample(request())).rejects.toMatchObject({ code: 'EngineUnavailable' });
  });

  it('thousands of rows travel both ways', async () => {
    host();
    const completions = await engine.sample(request(4000, 90));
    expect(completions).toHaveLength(4000);
    expect(completions[3999]!.text).toMatch(/^\d+$/);
  });

  it.each([
    ['tfjs', 'computing'],
    ['scripted', 'blocked'],
  ])('the child ends within 2 s of its parent: %s, %s', async (entry, mode) => {
    host();
    const script = fileURLToPath(new URL('./parent.ts', import.meta.url));
    const tsx = createRequire(import.meta.url).resolve('tsx');
    // Another working folder: nothing may depend on it.
    const parent = spawn(process.execPath, ['--import', tsx, script, entry, model.path, mode], { cwd: tmpdir() });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(alive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !alive(pid), 2000);
  });
});
