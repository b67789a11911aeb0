/** `node scripts/setup.mjs --report`: what is there, as JSON. Changes nothing; `startrail doctor` shows it. */
import { existsSync } from 'node:fs';
import { dependencyProblem } from './dependencies.mjs';
import { cacheFolder, locateBinding, locateTemporal, onPath, projectFolder, readStamp } from './locate.mjs';
import { nodeCure, nodeProblem, supportedNodes } from './node-version.mjs';
import { machine, oldestServer, temporalVersion, tensorflowVersion } from './pins.mjs';
import { stampProblem } from './stamp.mjs';
import { temporalVersions } from './temporal.mjs';

export const report = async ({ root = projectFolder(), env = process.env } = {}) => {
  const stamp = readStamp(root);
  const dependencies = dependencyProblem(root);
  const binding = locateBinding(root);
  const libraries = stamp?.tensorflow?.files ?? [];
  const missing = libraries.filter((file) => !existsSync(file));
  const tensorflow =
    binding === undefined
      ? 'the binding is not in place'
      : missing.length > 0
        ? `the library ${missing[0]} is gone`
        : undefined;
  const path = locateTemporal(env, root);
  const versions = path === undefined ? { ok: false, why: 'no temporal was found' } : await temporalVersions(path);
  const part = (problem, cure) => (problem === undefined ? { ok: true } : { ok: false, problem, cure });
  const problem = nodeProblem();
  const parts = {
    node: {
      ...part(problem, nodeCure),
      version: process.versions.node,
      path: process.execPath,
      supported: supportedNodes,
    },
    dependencies: part(dependencies, 'npm run setup'),
    tensorflow: {
      ...part(tensorflow, 'npm run setup'),
      binding,
      libraries,
      source: stamp?.tensorflow?.source,
      found: stamp?.tensorflow?.detail,
      pinned: tensorflowVersion,
    },
    temporal: {
      ...part(versions.ok ? undefined : versions.why, 'npm run setup'),
      path,
      cli: versions.cli,
      server: versions.server,
      source: stamp?.temporal?.source,
      oldestServer,
      pinned: temporalVersion,
    },
  };
  const tools = Object.fromEntries(
    ['npm', 'python3', 'g++', 'c++', 'clang++', 'go'].map((tool) => [tool, onPath(tool, env)]),
  );
  const stale = stampProblem(root, env);
  return {
    ok: Object.values(parts).every((each) => each.ok) && stale === undefined,
    setUp: part(stale, 'npm run setup'),
    machine,
    checkout: root,
    cache: cacheFolder(env),
    ...parts,
    tools,
  };
};
