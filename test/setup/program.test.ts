import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiled, sources } from '../../scripts/program/compile.mjs';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
let root: string;
const put = (name: string, content: string) => {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), content);
};
/** A program of one entry, with what starts it and the packages of this checkout. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'program-'));
  cpSync(join(checkout, 'scripts'), join(root, 'scripts'), { recursive: true });
  put('package.json', '{"type":"module"}');
  put('package-lock.json', '{}');
  put('tsconfig.json', '{}');
  put('tasks/one.ts', `export const name: string = 'one';`);
  put('test/apart.ts', `export {};`);
  put(
    'cli/main.ts',
    `import { z } from 'zod';
     import { name } from '../tasks/one.ts';
     const file: string = 'one.ts';
     const late = (await import(\`../tasks/\${file}\`)) as { name: string };
     const words = process.argv.slice(1);
     console.log(JSON.stringify({ name: z.string().parse(name), late: late.name, words, url: import.meta.url }));`,
  );
  mkdirSync(join(root, 'node_modules'));
  for (const name of ['esbuild', '@esbuild', 'tsx', 'get-tsconfig', 'zod'])
    if (existsSync(join(checkout, 'node_modules', name)))
      symlinkSync(join(checkout, 'node_modules', name), join(root, 'node_modules', name));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = (...words: string[]) => {
  const start = join(root, 'scripts/start.mjs');
  const { stdout, stderr } = spawnSync(process.execPath, [start, 'cli/main.ts', ...words], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
};
const builds = () => readdirSync(join(root, 'node_modules/.cache/startrail'));

describe('the compiled program', () => {
  it('is what the sources say: own words, own addresses, packages and modules that are named at run time', () => {
    const source = join(root, 'cli/main.ts');
    const said = run('a', '--b');
    expect(said).toEqual({ name: 'one', late: 'one', words: [source, 'a', '--b'], url: pathToFileURL(source).href });
    expect(builds()).toHaveLength(1);
  });

  it('is made once, and anew as soon as any source or the lock file is another', () => {
    run();
    run();
    expect(builds()).toHaveLength(1);
    put('tasks/one.ts', `export const name: string = 'two';`);
    expect(run().name).toBe('two');
    put('package-lock.json', '{"x":1}');
    run();
    expect(builds()).toHaveLength(3);
  });

  it('is made anew where a checkout was copied with it', () => {
    run();
    const first = root;
    root = mkdtempSync(join(tmpdir(), 'program-'));
    cpSync(first, root, { recursive: true, verbatimSymlinks: true });
    rmSync(first, { recursive: true });
    expect(run().url).toBe(pathToFileURL(join(root, 'cli/main.ts')).href);
  });

  it('leaves no half of itself when several processes make it at once', async () => {
    await Promise.all(Array.from({ length: 4 }, () => compiled('cli/main.ts', root)));
    expect(builds().map((name) => name.length)).toEqual([24]);
  });

  it('a cache that cannot be made is no obstacle: tsx runs the sources', () => {
    put('node_modules/.cache', 'a file where the folder should be');
    expect(run('a')).toMatchObject({ name: 'one', late: 'one' });
  });

  it('has every folder of the checkout among its sources that is not known to be apart', () => {
    expect(sources(root)).toContain('tasks/one.ts');
    expect(sources(root)).not.toContain('test/apart.ts');
    expect(sources(checkout)).toEqual(expect.arrayContaining(['temporal.config.ts', 'scripts/setup/locate.mjs']));
  });
});
