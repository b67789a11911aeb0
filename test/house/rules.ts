/**
 * The import rules of the house as data, and the check of one file against them.
 *
 * The point of each rule is what it makes impossible: a workflow that reads a clock, a report that needs a server, a task that
 * knows an engine. A new folder has to be entered here before anything in it is accepted.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { parseSource } from './imports.ts';

interface Rule {
  /** Folders (`schemas`) or single files (`engine/engine.ts`) that may be imported besides the folder itself. */
  from: string[];
  /** The same, for `import type` only. */
  types?: string[];
  /** npm packages and Node's modules: absent = any. */
  packages?: (specifier: string) => boolean;
  why: string;
}

const config = 'temporal.config.ts';
const locate = 'scripts/setup/locate.mjs';
const packageName = (specifier: string) =>
  specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] ?? '');

export const rules: Record<string, Rule> = {
  schemas: {
    from: [],
    packages: (specifier) => packageName(specifier) === 'zod',
    why: 'what crosses a process boundary depends on zod alone',
  },
  verifiers: { from: ['schemas'], why: 'a verifier judges rows and knows nothing of engines or runs' },
  store: { from: ['schemas'], why: 'a store keeps bytes' },
  tools: {
    from: ['schemas', 'verifiers/rational.ts'],
    why: 'a tool answers a call with a text and knows nothing of models or runs',
  },
  engine: { from: ['schemas', 'tools'], why: 'an engine is usable without the rest' },
  recipes: { from: ['schemas'], why: 'a recipe is a declaration' },
  tasks: {
    from: ['verifiers', 'schemas', 'tools/calls.ts'],
    why: 'a task is a domain: problems, prompt, parse, verifier',
  },
  workflows: {
    from: ['schemas'],
    types: ['activities'],
    packages: (specifier) =>
      !isBuiltin(specifier) && ['@temporalio/workflow', '@temporalio/common', 'zod'].includes(packageName(specifier)),
    why: 'workflow code must replay the same, so it reaches nothing that a sandbox cannot hold',
  },
  activities: {
    from: [
      ...['schemas', 'tasks', 'verifiers', 'engine/engine.ts', 'engine/models.ts'],
      ...[
        'store/store.ts',
        'store/memo.ts',
        'store/memo-key.ts',
        'store/rows.ts',
        'store/manifest.ts',
        'store/models.ts',
      ],
    ],
    why: 'activities get engines and stores handed in; they know the interfaces only',
  },
  connection: { from: [config], why: 'how the server is reached and what it may read is known in one place' },
  theory: { from: ['schemas/mulberry32.ts'], why: 'pure arithmetic on chains of states' },
  report: { from: ['schemas', 'store'], why: 'a report is made from the archive, without a server' },
  page: {
    from: ['schemas', 'store', 'report', 'tasks/task.ts', 'activities/seed.ts'],
    packages: (specifier) => isBuiltin(specifier) || packageName(specifier) === 'zod',
    why: 'the live page shows the archive; whoever starts it hands it what talks to the server',
  },
  cli: {
    // The archive is a store; a plan (--dry-run, bad input told before anything starts) is what `resolve` would make of it;
    // a model that is exported is read from the archive and written in another form.
    from: [
      'schemas',
      'recipes',
      'report',
      'page',
      'store',
      'tasks',
      'theory',
      'engine/models.ts',
      'engine/tfjs/export.ts',
      'engine/hub',
      'activities/resolve.ts',
      'activities/plan-fork.ts',
      'connection',
      config,
      locate,
    ],
    why: 'the command line talks to a server and an archive; work is done by workers',
  },
  workers: {
    from: [
      ...['schemas', 'verifiers', 'store', 'engine', 'tools', 'recipes', 'tasks', 'workflows', 'activities', 'report'],
      ...['cli', 'connection', config, locate],
    ],
    why: 'workers are composition roots',
  },
  scripts: { from: [], why: 'set-up runs before any dependency is there' },
};

/** Files of the root folder, and folders that may import everything. */
const roots: Record<string, Rule> = {
  [config]: { from: ['schemas', locate], why: 'settings are read before anything is composed' },
};
const free = ['test', 'bench', 'vitest.config.ts', 'eslint.config.mjs'];

/** The one reader of the environment, and why each other file may. */
export const environmentReaders: Record<string, string> = {
  [config]: 'the typed settings',
  'engine/tfjs/native.ts':
    'TensorFlow takes its threads from the environment before it loads; a switch between graphs and single ops',
  'engine/tfjs/engine.ts': 'flags of the library that may move a bit are part of the fingerprint',
  'engine/host.ts': 'hands its own environment, with the threads set and without the secrets, to the engine it starts',
  'engine/models.ts': 'hands its own environment, without the secrets, to the process that imports a model',
  'engine/command/process.ts': 'hands its own environment, without the secrets, to the trainer it starts',
  'verifiers/host.ts': 'hands its own environment, without the secrets, to the verifier it starts',
  'verifiers/lean-process.ts': 'looks for Lean where STARTRAIL_LEAN and PATH say, inside the verifier it starts',
  'engine/child.ts': 'a process of its own, told by its parent what to be',
  'bench/': 'measurements are set up by hand',
  'scripts/': 'set-up runs before the settings can be loaded',
  'bin/': 'as set-up',
  'test/': 'tests hand a changed environment to the processes they start',
};

export const longestFile = 300;
/** Files that may be longer, each with its reason. */
export const longFiles: Record<string, string> = {};

const within = (path: string, place: string) =>
  path === place || path.startsWith(place.endsWith('/') ? place : `${place}/`);

const ruleOf = (path: string): Rule | 'free' | undefined => {
  const top = path.split('/')[0] ?? path;
  if (free.includes(top)) return 'free';
  return roots[path] ?? (path.includes('/') ? rules[top] : undefined);
};

/**
 * @param path from the root of the checkout, with `/`
 * @returns one sentence for each breach: place, found, expected
 */
export const breaches = (path: string, text: string): string[] => {
  const found: string[] = [];
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > longestFile && longFiles[path] === undefined) {
    found.push(`${path} has ${lines} lines; at most ${longestFile} are allowed: split it by concept`);
  }
  const source = parseSource(path, text);
  if (!Object.keys(environmentReaders).some((place) => within(path, place))) {
    for (const line of source.environment) {
      found.push(`${path}:${line} reads process.env; only ${config} does: take the value from there`);
    }
  }
  const rule = ruleOf(path);
  if (rule === undefined) {
    found.push(`${path} lies in a folder without an import rule: add one to test/house/rules.ts`);
    return found;
  }
  for (const { specifier, typeOnly, line } of source.imports) {
    const at = `${path}:${line} imports ${specifier}`;
    if (specifier.startsWith('.')) {
      const target = posix.normalize(posix.join(posix.dirname(path), specifier));
      const wrong = rule === 'free' ? undefined : wrongTarget(path, target, rule, typeOnly);
      if (wrong !== undefined) found.push(`${at}: ${wrong}`);
    } else {
      if (specifier === '@tensorflow/tfjs-node-gpu' && !typeOnly && path !== 'engine/tfjs/native.ts') {
        found.push(`${at}: only engine/tfjs/native.ts loads TensorFlow, because threads must be set before`);
      }
      if (rule !== 'free' && !typeOnly && rule.packages?.(specifier) === false) found.push(`${at}: ${rule.why}`);
    }
  }
  return found;
};

const wrongTarget = (path: string, target: string, rule: Rule, typeOnly: boolean): string | undefined => {
  if (target.startsWith('..')) return 'it lies outside the checkout';
  const own = path.includes('/') ? (path.split('/')[0] ?? '') : '';
  if (own !== '' && within(target, own)) return undefined;
  if (rule.from.some((place) => within(target, place))) return undefined;
  const asType = (rule.types ?? []).some((place) => within(target, place));
  if (asType && typeOnly) return undefined;
  if (asType) return `use \`import type\`, because ${rule.why}`;
  const allowed = [...rule.from, ...(rule.types ?? []).map((place) => `${place} (types)`)].join(', ');
  return `${own || path} may import ${allowed || 'nothing else of the house'}, because ${rule.why}`;
};
