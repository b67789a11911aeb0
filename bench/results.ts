/** What was measured, kept in `bench/results/<name>.json`: one file per row, so that rows can be measured one at a time. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchResult } from './row.ts';
import { rows } from './rows/index.ts';

export const resultsFolder = fileURLToPath(new URL('results', import.meta.url));

export function writeText(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, text);
  renameSync(aside, file);
}

export function writeResult(result: BenchResult, folder = resultsFolder): void {
  writeText(path.join(folder, `${result.row.name}.json`), `${JSON.stringify(BenchResult.parse(result), null, 2)}\n`);
}

/** In the order of the rows. @throws Error naming the file that is none. */
export function readResults(folder = resultsFolder): BenchResult[] {
  const order = new Map(rows.map(({ name }, i) => [name, i]));
  const results = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const parsed = BenchResult.safeParse(JSON.parse(readFileSync(path.join(folder, name), 'utf8')));
      if (parsed.success) return parsed.data;
      const issue = parsed.error.issues[0];
      throw new Error(
        `bench/results/${name}: ${issue?.path.join('.')}: ${issue?.message}. Measure it again: npm run bench -- ${name.replace(/\.json$/, '')}`,
      );
    });
  const rank = ({ row }: BenchResult) => order.get(row.name) ?? Infinity;
  return results.sort((a, b) => rank(a) - rank(b) || (a.row.name < b.row.name ? -1 : 1));
}
