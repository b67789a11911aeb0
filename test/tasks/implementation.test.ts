import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import addition from '../../tasks/addition.ts';
import { implementationDigest, implementationFiles } from '../../tasks/implementation.ts';

const root = new URL('../../', import.meta.url);

describe('implementationDigest', () => {
  let copy: string;
  let task: { id: string; modules: URL[] };
  beforeEach(async () => {
    copy = await mkdtemp(path.join(tmpdir(), 'task-'));
    for (const folder of ['tasks', 'verifiers', 'schemas'])
      await cp(new URL(folder, root), path.join(copy, folder), { recursive: true });
    task = { id: 'addition', modules: [pathToFileURL(path.join(copy, 'tasks/addition.ts'))] };
  });
  afterEach(() => rm(copy, { recursive: true, force: true }));

  const append = async (file: string, text: string) => {
    const name = path.join(copy, file);
    await writeFile(name, (await readFile(name, 'utf8')) + text);
  };

  it('is the same wherever the checkout lies', async () => {
    expect(await implementationDigest(task)).toBe(await implementationDigest(addition));
  });

  it('covers the task, its splits and draws and its verifiers, and not what is types alone', async () => {
    expect(await implementationFiles(addition)).toEqual([
      '../verifiers/exact.ts',
      '../verifiers/verifier.ts',
      'addition.ts',
      'draw.ts',
      'permutation.ts',
      'splits.ts',
    ]);
  });

  it.each(['tasks/addition.ts', 'tasks/splits.ts', 'tasks/permutation.ts', 'verifiers/exact.ts'])(
    'changes when %s is edited',
    async (file) => {
      const before = await implementationDigest(task);
      await append(file, ' ');
      expect(await implementationDigest(task)).not.toBe(before);
    },
  );

  it('stays when a file that has no part in the task is edited', async () => {
    const before = await implementationDigest(task);
    await append('verifiers/numeric.ts', ' ');
    await append('schemas/run.ts', ' ');
    expect(await implementationDigest(task)).toBe(before);
  });

  it('follows imports of every form, and files that are only listed', async () => {
    await append(
      'tasks/addition.ts',
      [
        '',
        "import {\n  a,\n  type B,\n} from './many.ts';",
        "import './effect.ts';",
        "export * from './again.ts';",
        "const later = () => import('./later.ts');",
        "import type { C } from './types.ts';",
        "import { z } from 'zod';",
      ].join('\n'),
    );
    for (const name of ['many', 'effect', 'again', 'later', 'types'])
      await writeFile(path.join(copy, `tasks/${name}.ts`), '');
    await writeFile(path.join(copy, 'tasks/prompt.txt'), "import './not-code.ts'\n");
    task.modules.push(pathToFileURL(path.join(copy, 'tasks/prompt.txt')));
    const files = await implementationFiles(task);
    for (const name of ['many.ts', 'effect.ts', 'again.ts', 'later.ts', 'prompt.txt']) expect(files).toContain(name);
    expect(files).not.toContain('types.ts');
  });

  it('tells two files from one whose content looks like both', async () => {
    const [x, y] = ['x.txt', 'y.txt'].map((name) => path.join(copy, 'tasks', name)) as [string, string];
    await writeFile(x, '');
    await writeFile(y, 'c');
    const two = await implementationDigest({ ...task, modules: [x, y].map((name) => pathToFileURL(name)) });
    await writeFile(x, 'y.txtc');
    expect(await implementationDigest({ ...task, modules: [pathToFileURL(x)] })).not.toBe(two);
  });

  it('names the file that is missing, and refuses a task that lists none', async () => {
    await rm(path.join(copy, 'verifiers/exact.ts'));
    await expect(implementationDigest(task)).rejects.toThrow(/exact\.ts/);
    await expect(implementationDigest({ id: 'x', modules: [] })).rejects.toThrow(/"x" lists no modules/);
  });
});
