/**
 * The stamp of a good set-up: what a warm start looks at instead of doing everything again.
 *
 * It holds for one lock file, Node ABI, machine, set of pins and choice of sources, and only while every file that it stands for
 * is still there: people empty caches and delete packages by hand.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createHash } from 'node:crypto';
import { dependencyProblem } from './dependencies.mjs';
import { bindingPlace, cacheFolder, readStamp, stampFile } from './locate.mjs';
import { machine } from './pins.mjs';

export const stampKey = (root, env = process.env) => {
  const hash = createHash('sha256');
  for (const file of ['package-lock.json', join('scripts', 'setup', 'pins.mjs')])
    hash.update(readFileSync(join(root, file)));
  const choices = [env.STARTRAIL_TENSORFLOW, env.CXX, cacheFolder(env)];
  hash.update(JSON.stringify([process.versions.modules, machine, ...choices.map((choice) => choice ?? '')]));
  return hash.digest('hex');
};

const sizeOf = (file) => {
  try {
    return statSync(file).size;
  } catch {
    return undefined;
  }
};

/** @returns {string | undefined} why the last set-up does not stand any more */
export const stampProblem = (root, env = process.env) => {
  const stamp = readStamp(root);
  if (stamp === undefined) return 'set-up has not run here';
  if (stamp.key !== stampKey(root, env)) return 'versions or choices have changed since the last set-up';
  // Naming the very program that set-up settled on (as tests and workers do for their children) is no other choice.
  const named = env.STARTRAIL_TEMPORAL?.trim();
  if (named ? resolve(named) !== stamp.temporal?.path : stamp.temporal?.source === 'STARTRAIL_TEMPORAL') {
    return 'another Temporal is chosen than at the last set-up';
  }
  for (const [file, size] of Object.entries(stamp.files ?? {})) {
    if (sizeOf(file) !== size) return `${file} is missing or has another size than at set-up`;
  }
  return dependencyProblem(root);
};

/** Written last, and only after everything worked. */
export const writeStamp = (root, { tensorflow, temporal }, env = process.env) => {
  const watched = [bindingPlace(root), ...tensorflow.files, temporal.path];
  const files = Object.fromEntries(watched.map((file) => [file, sizeOf(file)]));
  const stamp = { key: stampKey(root, env), node: process.versions.node, tensorflow, temporal, files };
  const aside = `${stampFile(root)}.${process.pid}`;
  writeFileSync(aside, `${JSON.stringify(stamp, null, 2)}\n`);
  renameSync(aside, stampFile(root));
};
