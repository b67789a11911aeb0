#!/usr/bin/env node
/**
 * Breaks each invariant of a run on purpose and wants its test to fail: a test that nothing can fail proves nothing.
 *
 *   npm run test:mutants              all of them, in a copy of this checkout (some 10 minutes)
 *   npm run test:mutants -- I2 I13    only these
 *
 * Works on a temporary clone of HEAD with this checkout's node_modules. Prints a line per mutant: `killed` (the test
 * failed, as it must) or `SURVIVED`. Exit code 1 where one survived, or where the code to be broken has moved away.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const WORKFLOW = 'test/workflows/invariants.test.ts';

/** What is broken, where (one place only), and the test that must notice. */
const MUTANTS = [
  {
    invariant: 'I1',
    what: 'each fine-tune goes on from the last model instead of the base',
    file: 'workflows/star-iteration.ts',
    from: '$base: input.base,',
    to: '$base: input.model,',
    test: [WORKFLOW, 'I1:'],
  },
  {
    invariant: 'I1',
    what: 'moments are carried over from a checkpoint: a fine-tune does not begin afresh',
    file: 'engine/tfjs/trainer.ts',
    from: 'first: new Float32Array(layout.size),',
    to: 'first: new Float32Array(layout.size).fill(request.start.kind === "fresh" ? 0 : 1e-3),',
    test: ['test/engine/trainer.test.ts', 'from a checkpoint equals'],
  },
  {
    invariant: 'I2',
    what: 'hinted rationales are trained on under the hinted prompt',
    file: 'activities/select.ts',
    from: 'prompt: task.prompt.free(problem),',
    to: 'prompt: hinted ? task.prompt.hinted(problem) : task.prompt.free(problem),',
    test: [WORKFLOW, 'I2:'],
  },
  {
    invariant: 'I3',
    what: 'a rejected row is counted as accepted with the hint',
    file: 'activities/seal.ts',
    from: "rejected: count('rejected'),",
    to: "rejected: count('rejected') - 1,\n    acceptedHinted: count('accepted-hinted') + 1,",
    test: [WORKFLOW, 'I3 and I10'],
  },
  {
    invariant: 'I3',
    what: 'a verifier that throws counts as a wrong answer',
    file: 'verifiers/judge.ts',
    from: "return { verdict: 'unjudged', cause: shorten(`the verifier threw ${describeError(error)}`) };",
    to: "return { verdict: 'incorrect', why: shorten(`the verifier threw ${describeError(error)}`) };",
    test: [WORKFLOW, 'I3: with a verifier'],
  },
  {
    invariant: 'I4',
    what: 'the clock enters the draw',
    file: 'activities/draw.ts',
    from: "seedOf(run.seed, 'draw', input.iteration)",
    to: "seedOf(run.seed, 'draw', input.iteration, Date.now())",
    test: [WORKFLOW, 'I4:'],
  },
  {
    invariant: 'I5',
    what: 'the order of training rows depends on how they were cut into shards',
    file: 'workflows/star-iteration.ts',
    from: 'joinShards(all.flatMap((rows) => rows.shards))',
    to: 'joinShards(all.flatMap((rows) => [...rows.shards].reverse()))',
    test: [WORKFLOW, 'I5 and I7'],
  },
  {
    invariant: 'I6',
    what: 'the loss covers the prompt too',
    file: 'engine/tfjs/batches.ts',
    from: 'Math.max(1, row.promptLength)',
    to: 'Math.max(1, 0)',
    test: ['test/engine/gradient.test.ts', 'I6'],
  },
  {
    invariant: 'I7',
    what: 'the last, partial shard is dropped',
    file: 'workflows/shards.ts',
    from: 'Math.ceil((values[port] as Rows).rows / shardSize), 0)',
    to: 'Math.floor((values[port] as Rows).rows / shardSize), 0)',
    test: [WORKFLOW, 'I5 and I7'],
  },
  {
    invariant: 'I7',
    what: 'the partial batch of an epoch is dropped',
    file: 'engine/tfjs/batches.ts',
    from: 'Array.from(permutation(seed, epoch, 2, count), (batch) => batches[batch]!)',
    to: 'Array.from(permutation(seed, epoch, 2, count), (batch) => batches[batch]!).filter((b) => b.length === batchSize)',
    test: ['test/engine/batches.test.ts', 'I7'],
  },
  {
    invariant: 'I8',
    what: 'the schedule is late by one step',
    file: 'engine/tfjs/schedule.ts',
    from: '(learningRate * (step + 1))',
    to: '(learningRate * step)',
    test: ['test/engine/batches.test.ts', 'I8'],
  },
  {
    invariant: 'I9',
    what: 'a resumed fine-tune forgets its second moments (the quick test; `npm run test:chaos` is the whole one)',
    file: 'engine/tfjs/trainer.ts',
    from: 'const { progress } = position;',
    to: 'if (resumed) position.second.fill(0);\n  const { progress } = position;',
    test: ['test/engine/trainer.test.ts', ''],
  },
  {
    invariant: 'I10',
    what: 'the sound share is left out',
    file: 'activities/seal.ts',
    from: 'soundShare: building.soundShare(),',
    to: 'soundShare: null,',
    test: [WORKFLOW, 'I3 and I10'],
  },
  {
    invariant: 'I11',
    what: 'problems of dev and test are drawn',
    file: 'tasks/draw.ts',
    from: "task.split(problem, parameters) === 'train'",
    to: "task.split(problem, parameters) !== 'x'",
    test: [WORKFLOW, 'I11:'],
  },
  {
    invariant: 'I12',
    what: 'rows cross Temporal with the summary of an iteration',
    file: 'activities/seal.ts',
    from: 'test: accuracy.overall,',
    to: "test: accuracy.overall, rows: 'row '.repeat(30_000),",
    test: [WORKFLOW, 'I12:'],
  },
  {
    invariant: 'I13',
    what: 'a plateau is seen on test',
    file: 'workflows/decide.ts',
    from: 'one.dev > best.dev',
    to: '(one as { test?: number }).test! > (best as { test?: number }).test!',
    test: [WORKFLOW, 'I13:'],
  },
  {
    invariant: 'I13',
    what: 'the best iteration is chosen on test',
    file: 'activities/publish.ts',
    from: 'record.dev.overall > best.dev.overall',
    to: 'record.accuracy.overall > best.accuracy.overall',
    test: [WORKFLOW, 'I13:'],
  },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((id) => !MUTANTS.some(({ invariant }) => invariant === id));
if (unknown.length > 0) {
  console.error(
    `mutants: no ${unknown.join(', ')}; there are ${[...new Set(MUTANTS.map((m) => m.invariant))].join(', ')}`,
  );
  process.exit(2);
}

const place = mkdtempSync(path.join(os.tmpdir(), 'startrail-mutants-'));
process.on('exit', () => rmSync(place, { recursive: true, force: true }));
execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, place]);
symlinkSync(path.join(root, 'node_modules'), path.join(place, 'node_modules'));

/** Exit code of the named test in the copy. */
function test([file, name]) {
  const args = ['node_modules/vitest/vitest.mjs', 'run', file, ...(name === '' ? [] : ['-t', name])];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: place,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, output: stdout + stderr };
}

let survived = 0;
for (const { invariant, what, file, from, to, test: which } of MUTANTS) {
  if (wanted.length > 0 && !wanted.includes(invariant)) continue;
  const target = path.join(place, file);
  const whole = readFileSync(target, 'utf8');
  const places = whole.split(from).length - 1;
  if (places !== 1) {
    console.log(
      `${invariant.padEnd(4)} LOST      ${file} holds "${from}" ${places} times, expected once; mend this list`,
    );
    survived++;
    continue;
  }
  writeFileSync(
    target,
    whole.replace(from, () => to),
  );
  const { status, output } = test(which);
  writeFileSync(target, whole);
  // A test that was not found, or a file that does not load, is no proof.
  const ran = /Tests\s+.*\d+ failed/.test(output) || /Failed Suites/.test(output);
  const killed = status !== 0 && ran;
  if (!killed) survived++;
  const said = /AssertionError: .*/.exec(output) ?? /Error: .*/.exec(output);
  const first = said?.[0].slice(0, 140) ?? '';
  console.log(`${invariant.padEnd(4)} ${killed ? 'killed  ' : 'SURVIVED'}  ${what}  (${which.join(' › ')}: ${first})`);
}
console.log(survived === 0 ? 'all killed' : `${survived} not killed`);
process.exitCode = survived === 0 ? 0 : 1;
