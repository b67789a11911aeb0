#!/usr/bin/env node
/**
 * Makes a checkout ready to run: npm packages, the native TensorFlow, the Temporal server. Plain Node without dependencies,
 * safe to run again and again and twice at once.
 *
 *   node scripts/setup.mjs             do what is missing, each step with its time on stderr
 *   node scripts/setup.mjs --quiet     say only what had to be done or failed
 *   node scripts/setup.mjs --report    print what is there as JSON, change nothing
 *
 * Environment: STARTRAIL_TENSORFLOW, STARTRAIL_TEMPORAL, CXX, XDG_CACHE_HOME; see docs/support.md.
 */
import { nodeCure, nodeProblem } from './setup/node-version.mjs';

const known = ['--quiet', '--report'];
const options = process.argv.slice(2);
const unknown = options.find((option) => !known.includes(option));
const problem = nodeProblem();

if (unknown !== undefined) {
  process.stderr.write(`set-up: unknown option ${unknown}; allowed: ${known.join(', ')}\n`);
  process.exitCode = 2;
} else if (options.includes('--report')) {
  const { report } = await import('./setup/report.mjs');
  process.stdout.write(`${JSON.stringify(await report(), null, 2)}\n`);
} else if (problem !== undefined) {
  process.stderr.write(`set-up: ${problem}. Cure: ${nodeCure}.\n`);
  process.exitCode = 1;
} else {
  const { setUp } = await import('./setup/main.mjs');
  if (!(await setUp({ quiet: options.includes('--quiet') }))) process.exitCode = 1;
}
