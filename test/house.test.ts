import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { breaches, environmentReaders, longFiles } from './house/rules.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const skipped = new Set(['node_modules', 'coverage', 'docs']);

/** Every source file, tracked or not: a new file must be right before it is committed. */
const sources = (folder = root): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || skipped.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.([cm]?[jt]s)$/.test(entry.name) && !entry.name.includes('.d.')
      ? [relative(root, path).split(sep).join('/')]
      : [];
  });

describe('the house', () => {
  const files = sources();

  it('is found by the check', () => {
    expect(files).toContain('schemas/artifact.ts');
    expect(files).toContain('scripts/setup/main.mjs');
  });

  it('keeps its import rules, its one reader of the environment and its file length', () => {
    expect(files.flatMap((path) => breaches(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it('has no exception for a file that is gone', () => {
    const named = [...Object.keys(longFiles), ...Object.keys(environmentReaders)].filter((path) => !path.endsWith('/'));
    expect(named.filter((path) => path !== 'temporal.config.ts' && !files.includes(path))).toEqual([]);
  });
});

describe('the check itself', () => {
  it.each([
    ['a schema that imports the house', 'schemas/x.ts', `import { a } from '../store/store.ts';`],
    ['a schema that imports a module of Node', 'schemas/x.ts', `import fs from 'node:fs';`],
    ['a verifier that imports a task', 'verifiers/x.ts', `import '../tasks/addition.ts';`],
    ['a store that imports an engine', 'store/x.ts', `export * from '../engine/engine.ts';`],
    ['a recipe that imports a task', 'recipes/x.ts', `import { t } from '../tasks/addition.ts';`],
    ['a task that imports an engine', 'tasks/x.ts', `import type { E } from '../engine/engine.ts';`],
    ['a workflow that imports an activity by value', 'workflows/x.ts', `import { a } from '../activities/index.ts';`],
    ['a workflow with one value among types', 'workflows/x.ts', `import { type A, b } from '../activities/index.ts';`],
    ['a workflow that imports a module of Node', 'workflows/x.ts', `import { join } from 'path';`],
    ['a workflow that imports the client', 'workflows/x.ts', `import { Client } from '@temporalio/client';`],
    ['a workflow that imports a store type', 'workflows/x.ts', `import type { S } from '../store/store.ts';`],
    ['an activity that imports an engine', 'activities/x.ts', `import { tf } from '../engine/tfjs/native.ts';`],
    ['an activity that imports a store', 'activities/x.ts', `const s = await import('../store/local.ts');`],
    ['a report that imports an engine', 'report/x.ts', `type E = import('../engine/engine.ts').Engine;`],
    ['a command that imports a worker', 'cli/x.ts', `import { main } from '../workers/main.ts';`],
    ['a command that imports set-up', 'cli/x.ts', `import { setUp } from '../scripts/setup/main.mjs';`],
    ['a worker imported through require', 'engine/x.ts', `const w = require('../workers/main.ts');`],
    ['a second reader of the environment', 'store/x.ts', `const home = process.env.HOME;`],
    ['a destructured environment', 'store/x.ts', `const { env } = process;`],
    ['an imported environment', 'store/x.ts', `import { env as e } from 'node:process';`],
    ['a second loader of TensorFlow', 'engine/tfjs/x.ts', `import * as tf from '@tensorflow/tfjs-node-gpu';`],
    ['a folder without a rule', 'helpers/x.ts', `export {};`],
    ['a file of the root without a rule', 'x.ts', `export {};`],
    ['a file that is too long', 'store/x.ts', 'export {};\n'.repeat(301)],
  ])('notices %s', (_title, path, text) => {
    expect(breaches(path, text)).toHaveLength(1);
  });

  it.each([
    ['activity types in a workflow', 'workflows/x.ts', `import type { A } from '../activities/index.ts';`],
    ['only type specifiers', 'workflows/x.ts', `import { type A, type B } from '../activities/index.ts';`],
    ['the interfaces in an activity', 'activities/x.ts', `import { memo } from '../store/memo.ts';`],
    ['where set-up put things, in a command', 'cli/x.ts', `import { l } from '../scripts/setup/locate.mjs';`],
    ['the settings in a command', 'cli/x.ts', `import { settings } from '../temporal.config.ts';`],
    ['a neighbour', 'engine/tfjs/x.ts', `import { host } from '../host.ts';`],
    ['the word in a comment or a string', 'store/x.ts', `// import '../workers/main.ts'\nconst s = "process.env";`],
    ['exactly 300 lines', 'store/x.ts', 'export {};\n'.repeat(300)],
    ['anything in a test', 'test/x.test.ts', `import { main } from '../workers/main.ts';`],
  ])('accepts %s', (_title, path, text) => {
    expect(breaches(path, text)).toEqual([]);
  });
});
