import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dependencyProblem } from '../../scripts/setup/dependencies.mjs';
import { cacheFolder, locateBinding, locateTemporal, stampFile } from '../../scripts/setup/locate.mjs';
import { setUp } from '../../scripts/setup/main.mjs';
import { nodeProblem } from '../../scripts/setup/node-version.mjs';
import { stampProblem, writeStamp } from '../../scripts/setup/stamp.mjs';
import { provideTensorflow } from '../../scripts/setup/tensorflow.mjs';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'set-up-'));
  root = join(folder, 'checkout');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (file: string, content: string | object) => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};
const a = { version: '1.0.0', integrity: 'sha512-a' };
const forOthers = { version: '1.0.0', optional: true };
const lock = { packages: { '': {}, 'node_modules/a': a, 'node_modules/a-darwin': forOthers } };

/** A checkout with set-up, one package in line with its lock, and nothing else. */
const smallCheckout = () => {
  cpSync(join(checkout, 'scripts'), join(root, 'scripts'), { recursive: true });
  cpSync(join(checkout, 'bin'), join(root, 'bin'), { recursive: true });
  put(join(root, 'package.json'), { type: 'module' });
  put(join(root, 'package-lock.json'), lock);
  put(join(root, 'node_modules/.package-lock.json'), { packages: { 'node_modules/a': a } });
  put(join(root, 'node_modules/a/package.json'), {});
};

describe('node_modules', () => {
  beforeEach(smallCheckout);

  it('in line with the lock needs no npm, packages for other platforms aside', () => {
    expect(dependencyProblem(root)).toBeUndefined();
  });

  it.each<[string, () => void, RegExp]>([
    ['missing', () => rmSync(join(root, 'node_modules'), { recursive: true }), /missing/],
    ['half-installed', () => rmSync(join(root, 'node_modules/.package-lock.json')), /half-installed/],
    [
      'with a package deleted by hand',
      () => rmSync(join(root, 'node_modules/a'), { recursive: true }),
      /a has been deleted/,
    ],
    [
      'of an older lock',
      () =>
        put(join(root, 'package-lock.json'), {
          packages: { ...lock.packages, 'node_modules/a': { ...a, version: '2.0.0' } },
        }),
      /a is 1\.0\.0, the lock wants 2\.0\.0/,
    ],
    [
      'without a new package',
      () => put(join(root, 'package-lock.json'), { packages: { ...lock.packages, 'node_modules/b': a } }),
      /b is not installed/,
    ],
    [
      'with a package that left the lock',
      () => put(join(root, 'package-lock.json'), { packages: {} }),
      /a is not in the lock/,
    ],
  ])('%s is noticed', (_title, change, problem) => {
    change();
    expect(dependencyProblem(root)).toMatch(problem);
  });
});

describe('the stamp of a good set-up', () => {
  let library: string;
  let env: NodeJS.ProcessEnv;
  beforeEach(() => {
    smallCheckout();
    env = { XDG_CACHE_HOME: join(folder, 'cache') };
    library = put(join(folder, 'cache/lib.so'), 'library');
    const binding = put(join(root, 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node'), 'binding');
    const temporal = put(join(folder, 'cache/temporal'), 'temporal');
    chmodSync(temporal, 0o755);
    writeStamp(
      root,
      {
        tensorflow: { source: 'wheel', binding, files: [library], detail: '' },
        temporal: { source: 'wheel', path: temporal, detail: '' },
      },
      env,
    );
  });

  it('stands while all it stands for is there, and tells the program where things are', () => {
    expect(stampProblem(root, env)).toBeUndefined();
    expect(stampProblem(root, { ...env, STARTRAIL_TEMPORAL: join(folder, 'cache/temporal') })).toBeUndefined();
    expect(locateTemporal({ PATH: '' }, root)).toBe(join(folder, 'cache/temporal'));
    expect(locateBinding(root)).toMatch(/tfjs_binding\.node$/);
  });

  it.each<[string, () => void, RegExp]>([
    ['a library removed from the cache', () => rmSync(library), /lib\.so is missing/],
    ['a library cut short', () => writeFileSync(library, 'lib'), /another size/],
    [
      'a binding that went with node_modules',
      () => rmSync(join(root, 'node_modules/@tensorflow'), { recursive: true }),
      /missing/,
    ],
    ['a changed lock', () => put(join(root, 'package-lock.json'), { ...lock, more: 1 }), /versions or choices/],
    ['another choice of TensorFlow', () => void (env.STARTRAIL_TENSORFLOW = 'official'), /versions or choices/],
    ['another choice of Temporal', () => void (env.STARTRAIL_TEMPORAL = '/elsewhere/temporal'), /another Temporal/],
    ['another cache', () => void (env.XDG_CACHE_HOME = folder), /versions or choices/],
    ['a damaged stamp', () => put(stampFile(root), '{"key"'), /has not run/],
  ])('does not stand after %s', (_title, change, problem) => {
    change();
    expect(stampProblem(root, env)).toMatch(problem);
  });
});

describe('the command', () => {
  const clean = { PATH: process.env.PATH, HOME: process.env.HOME };
  const command = (args: string[], env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [join(root, 'scripts/setup.mjs'), ...args], { encoding: 'utf8', env });
  beforeEach(smallCheckout);

  it('refuses an unknown option with exit code 2', () => {
    expect(command(['--fast'], clean)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--quiet, --report'),
    });
  });

  it('that cannot go on says in one sentence what, where and the cure, exits with 1 and leaves no stamp', () => {
    rmSync(join(root, 'node_modules'), { recursive: true });
    const { status, stdout, stderr } = command([], {
      XDG_CACHE_HOME: join(folder, 'cache'),
      PATH: join(folder, 'nothing'),
    });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/set-up: dependencies failed: npm is not on PATH\. Cure: install npm/);
    expect(existsSync(stampFile(root))).toBe(false);
  });

  it('names the cache folder where that cannot be written', () => {
    rmSync(join(root, 'node_modules'), { recursive: true });
    const file = put(join(folder, 'a-file'), '');
    const { status, stderr } = command([], { ...clean, XDG_CACHE_HOME: file });
    expect(status).toBe(1);
    expect(stderr).toMatch(/a-file\/startrail.*XDG_CACHE_HOME/s);
  });

  it('--report prints what is missing as JSON and changes nothing', () => {
    const { status, stdout } = command(['--report'], { XDG_CACHE_HOME: join(folder, 'cache'), PATH: '' });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      node: { ok: true },
      dependencies: { ok: true },
      tensorflow: { ok: false, cure: 'npm run setup' },
      temporal: { ok: false, cure: 'npm run setup' },
    });
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });
});

describe('TensorFlow', () => {
  it('asked for from a folder without it is an error that names the folder and what is missing', async () => {
    const env = { STARTRAIL_TENSORFLOW: folder };
    await expect(provideTensorflow({ root: folder, env })).rejects.toThrow(/holds no libtensorflow\(_cc\)/);
  });

  it('asked for in an unknown way is an error that names the ways', async () => {
    const env = { STARTRAIL_TENSORFLOW: 'fastest' };
    await expect(provideTensorflow({ root: folder, env })).rejects.toThrow(
      /neither `wheel` nor `official` nor a folder/,
    );
  });
});

describe('bin/startrail', () => {
  /** The real node_modules, so that its set-up is good, and a command line of our own. */
  const withCommand = (text: string) => {
    if (stampProblem(checkout) !== undefined) throw new Error('run `npm run setup` before this test');
    for (const name of ['bin', 'scripts', 'package-lock.json']) {
      cpSync(join(checkout, name), join(root, name), { recursive: true });
    }
    symlinkSync(join(checkout, 'node_modules'), join(root, 'node_modules'));
    put(join(root, 'package.json'), { type: 'module' });
    put(join(root, 'tsconfig.json'), {});
    put(join(root, 'cli/main.ts'), text);
    put(join(folder, 'elsewhere/tsconfig.json'), { compilerOptions: { paths: { tsx: ['./wrong.ts'] } } });
    put(join(folder, 'elsewhere/wrong.ts'), `console.log('wrong');`);
    const link = join(folder, 'linked');
    symlinkSync(join(root, 'bin/startrail'), link);
    return link;
  };

  it('through a link and from any folder runs the command line in its own process: arguments, exit code', () => {
    const link = withCommand(`
      import 'tsx';
      interface Said { args: string[]; pid: number; cwd: string }
      const said: Said = { args: process.argv.slice(2), pid: process.pid, cwd: process.cwd() };
      console.log(JSON.stringify(said));
      process.exitCode = 4;`);
    const cwd = join(folder, 'elsewhere');
    const { status, stdout, stderr, pid } = spawnSync(process.execPath, [link, 'run', '--json'], {
      cwd,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ args: ['run', '--json'], pid, cwd: realpathSync(cwd) });
    expect(status).toBe(4);
  });

  it('leaves signals to the command line', async () => {
    const link = withCommand(`
      process.on('SIGINT', () => process.exit(130));
      setInterval(() => {}, 1000);
      console.log('ready');`);
    const child = spawn(process.execPath, [link], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(130);
  });

  it('whose set-up fails exits with 1 and keeps stdout free', () => {
    smallCheckout();
    const env = {
      PATH: dirname(process.execPath),
      XDG_CACHE_HOME: join(folder, 'cache'),
      STARTRAIL_TENSORFLOW: 'fastest',
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin/startrail')], {
      encoding: 'utf8',
      env,
    });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/TensorFlow failed: .*fastest.*Cure: /);
    expect(stderr).not.toMatch(/^startrail: /m); // the command line was not even looked for
  });
});

describe('the Node check', () => {
  it.each([
    ['20.19.0', true],
    ['20.20.2', true],
    ['22.13.0', true],
    ['24.21.0', true],
    ['26.10.0', true],
    ['20.18.3', false],
    ['18.20.0', false],
    ['21.7.3', false],
    ['22.11.0', false],
  ])('%s fits: %s', (version, fits) => {
    expect(nodeProblem(version) === undefined).toBe(fits);
  });
});

describe('set-up inside another program', () => {
  it('takes its signal handlers away again, also where it fails', async () => {
    smallCheckout();
    vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
    const listeners = () => ['SIGINT', 'SIGTERM', 'exit'].map((name) => process.listenerCount(name));
    const before = listeners();
    const env = { ...process.env, STARTRAIL_TENSORFLOW: 'fastest' };
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await setUp({ root, env })).toBe(false);
    write.mockRestore();
    vi.unstubAllEnvs();
    expect(listeners()).toEqual(before);
  });
});

describe('the cache folder', () => {
  it('follows XDG_CACHE_HOME, but not a relative one', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe(join('/x', 'startrail'));
    expect(cacheFolder({ XDG_CACHE_HOME: 'x' })).toBe(cacheFolder({}));
  });
});
