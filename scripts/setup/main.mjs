/**
 * The steps of set-up in their order, each named with its time on stderr:
 * `set-up: dependencies … ok 12.3 s`.
 */
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { makeFolder, sweep } from './cache.mjs';
import { endOnSignals } from './child.mjs';
import { dependencyProblem, provideDependencies } from './dependencies.mjs';
import { sentence } from './failure.mjs';
import { cacheFolder, projectFolder } from './locate.mjs';
import { withLock } from './lock.mjs';
import { stampProblem, writeStamp } from './stamp.mjs';
import { provideTemporal } from './temporal.mjs';
import { provideTensorflow } from './tensorflow.mjs';

const write = (text) => process.stderr.write(text);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Brings the checkout in order. Quick where it is already.
 *
 * @param {{ quiet?: boolean, root?: string, env?: NodeJS.ProcessEnv }} [options] `quiet`: say nothing where nothing is to be done
 * @returns {Promise<boolean>} whether everything is there; where not, the reason has been printed
 */
export const setUp = async ({ quiet = false, root = projectFolder(), env = process.env } = {}) => {
  const started = performance.now();
  if (stampProblem(root, env) === undefined) {
    if (!quiet) write(`set-up: everything is in place … ok ${seconds(started)}\n`);
    return true;
  }
  const release = endOnSignals();
  try {
    makeFolder(join(cacheFolder(env), 'locks'));
    sweep();
    // One set-up per checkout: two `npm ci` at once in the same folder break each other.
    const checkout = createHash('sha256').update(root).digest('hex').slice(0, 16);
    await withLock(join(cacheFolder(env), 'locks', `checkout-${checkout}.lock`), () => steps({ quiet, root, env }), {
      onWait,
    });
    write(`set-up: ready in ${seconds(started)}\n`);
    return true;
  } catch (error) {
    write(`set-up: ${error.step === undefined ? '' : `${error.step} `}failed: ${sentence(error)}\n`);
    return false;
  } finally {
    release();
  }
};

const onWait = (owner) => write(`set-up: waiting for another set-up (${owner})\n`);
const note = (line) => write(`set-up:   ${line}\n`);

const steps = async ({ quiet, root, env }) => {
  if (stampProblem(root, env) === undefined) return; // done while this process waited
  await step('dependencies', async () => {
    const problem = dependencyProblem(root);
    if (problem === undefined) return 'as locked';
    if (!quiet) note(`installing, because ${problem}`);
    await provideDependencies({ root, env, onWait });
    return '';
  });
  const tensorflow = await step('TensorFlow', () => provideTensorflow({ root, env, onWait, note }));
  const temporal = await step('Temporal', () => provideTemporal({ root, env, onWait, note }));
  writeStamp(root, { tensorflow, temporal }, env);
};

/** Runs one step and prints its line when it ends; lines of its own come before it. */
const step = async (name, work) => {
  const started = performance.now();
  try {
    const result = await work();
    const detail = typeof result === 'string' ? result : `${result.detail}, from ${result.source}`;
    write(`set-up: ${name} … ok ${seconds(started)}${detail === '' ? '' : ` (${detail})`}\n`);
    return result;
  } catch (error) {
    write(`set-up: ${name} … failed after ${seconds(started)}\n`);
    if (error instanceof Error) error.step = name;
    throw error;
  }
};
