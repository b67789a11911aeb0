/**
 * `npm run bench`: each comparison side by side, interleaved, several repetitions, medians with spread.
 *
 *   npm run bench                                  every row
 *   npm run bench -- train-d64 generate-tiny       these
 *   npm run bench -- train-d64 --json              one JSON document on standard output
 *   npm run bench -- --slice                       the small slice of CI, without Python, against bench/ratios.json
 *   npm run bench -- --readme                      the table of README.md anew from bench/results/
 *
 * Each row goes to bench/results/<name>.json, all of them to the figure bench/results/bench.svg. Exit codes: 0 measured · 1
 * a row failed, or one that was named is not available, or the slice is slower than it was · 2 bad input.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { describeMachine } from './machine.ts';
import { BenchDocument, NotAvailable } from './row.ts';
import type { BenchContext, Row } from './row.ts';
import { readResults, resultsFolder, writeResult, writeText } from './results.ts';
import { rows } from './rows/index.ts';
import { table } from './table.ts';

interface Options {
  json: boolean;
  repetitions: number;
  threads: number;
  slice: boolean;
  store: boolean;
  readme: boolean;
  list: boolean;
  home?: string;
  run?: string;
  installLlamaCpp: boolean;
}

const whole = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`expected a whole number ≥ ${least}.`);
  return value;
};

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function measure(row: Row, { repetitions, threads, home, run }: Options): Promise<BenchDocument['rows'][number]> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-bench-'));
  const ended = home !== undefined && run !== undefined ? { home, run } : undefined;
  const context: BenchContext = { repetitions, threads, folder, ended, say: (line) => say(`${row.name}: ${line}`) };
  try {
    return { name: row.name, about: row.about, ...(await row.measure(context)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bench(names: string[], options: Options): Promise<number> {
  const unknown = names.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0) {
    say(`no row is called ${unknown.join(' or ')}; the rows are: ${rows.map(({ name }) => name).join(' ')}`);
    return 2;
  }
  if (options.list) {
    for (const { name, about } of rows) console.log(`${name.padEnd(24)} ${about}`);
    return 0;
  }
  if (options.installLlamaCpp) {
    await (await import('./generation.ts')).installLlamaCpp(say);
    return 0;
  }
  if (options.slice) return (await import('./slice.ts')).slice(say, options.store);
  if (options.readme) {
    const { updateReadme } = await import('./readme.ts');
    say(updateReadme(readResults()) ? 'README.md: table renewed' : 'README.md: the table is as it was');
    return 0;
  }

  const document: BenchDocument = { machine: describeMachine(), rows: [], notAvailable: [] };
  let failed = 0;
  for (const row of rows.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const machine = describeMachine();
    try {
      const measured = await measure(row, options);
      document.rows.push(measured);
      writeResult({ measuredAt: new Date().toISOString(), machine, row: measured });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      document.notAvailable.push({ name: row.name, reason });
      const missing = error instanceof NotAvailable;
      // What nobody asked for by name may be missing; what broke is a failure either way.
      if (!missing || names.includes(row.name)) failed++;
      say(`${row.name}: ${missing ? 'not available: ' : ''}${reason}`);
    }
  }
  if (document.rows.length > 0) {
    const { figure } = await import('./figure.ts');
    writeText(path.join(resultsFolder, 'bench.svg'), figure(readResults().map(({ row }) => row)));
  }
  if (options.json) console.log(JSON.stringify(BenchDocument.parse(document), null, 2));
  else console.log(table(document));
  return failed === 0 ? 0 : 1;
}

const program = new Command('npm run bench --')
  .description('Measures Startrail against its peers.')
  .argument('[name...]', 'rows; all of them where none is named')
  .option('--json', 'one JSON document on standard output', false)
  .option('--repetitions <n>', 'of each side', whole(3), 7)
  .option('--threads <n>', 'of each side', whole(1), 2)
  .option('--slice', 'a small slice against the ratios in bench/ratios.json', false)
  .option('--store', 'with --slice: write its ratios down instead of comparing', false)
  .option('--readme', 'renew the table in README.md', false)
  .option('--install-llama-cpp', 'compile llama.cpp for the rows that state it', false)
  .option('--home <folder>', 'orchestration-overhead: the home of a run that has ended')
  .option('--run <id>', 'that run')
  .option('--list', 'what can be measured', false)
  .exitOverride();

try {
  await program.parseAsync();
  process.exitCode = await bench(program.args, program.opts<Options>());
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  }
}
