/** A trainer that keeps the contract and computes nothing: it adds 1 to the first weight of each tensor, as told by its first argument. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [how, verb, file] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
if (verb === 'describe') {
  process.stdout.write('some library says hello\n');
  say({ fingerprint: 'adds one', deterministic: true });
  process.exit(0);
}
const spec = JSON.parse(readFileSync(file, 'utf8'));
appendFileSync(path.join(path.dirname(spec.texts), 'calls'), `${process.pid}\n`);
process.stderr.write('a first line\n\nCUDA out of memory, as told\n');
if (how === 'dies') process.exit(3);
if (how === 'diverges') say({ event: 'failed', code: 'TrainingDiverged', message: 'loss NaN at step 2' });
if (how === 'diverges') process.exit(0);
if (how === 'hangs') await sleep(60_000);
if (how === 'stubborn') process.on('SIGTERM', () => process.stderr.write('no\n'));
const total = spec.schedule.steps;
const mark = spec.resume && path.join(spec.resume.folder, 'step');
const from = mark && existsSync(mark) ? Number(readFileSync(mark, 'utf8')) : 0;
for (let step = from + 1; step <= total; step++) {
  if (mark) writeFileSync(mark, String(step));
  say({ event: 'progress', step, total, loss: 1, tokensPerSecond: 10 });
  if (how === 'slow' || how === 'stubborn') await sleep(200);
}
const name = spec.adapter ? 'adapter_model.safetensors' : 'model.safetensors';
const bytes = readFileSync(spec.adapter ? spec.adapter.start : path.join(spec.base, name));
const header = 8 + Number(bytes.readBigUInt64LE(0));
bytes.writeFloatLE(bytes.readFloatLE(header) + 1, header);
mkdirSync(spec.output, { recursive: true });
writeFileSync(path.join(spec.output, name), how === 'torn' ? bytes.subarray(0, header + 10) : bytes);
say({ event: 'done', steps: total, resumedFrom: from, finalLoss: 1, tokens: 7 });
