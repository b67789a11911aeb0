/**
 * `theory`: RL-STaR's recursion beside the tabular loop on the same chains, as a table, and as Markdown and a figure in the home's reports.
 *
 *   startrail theory --states 64 --deltas 0.1,0.1,0.1 --iterations 4 --samples 4096
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { markdownTableOf } from '../report/markdown-table.ts';
import { theoryFigure } from '../report/theory-figure.ts';
import { foretold } from '../theory/foretold.ts';
import type { Foretold } from '../theory/foretold.ts';
import { CliError, EXIT } from './exit.ts';
import { homePaths } from './home.ts';
import type { Context } from './parts.ts';
import { offCell, sayTable, share } from './theory-table.ts';

export interface TheoryOptions {
  states: number;
  deltas: number[];
  iterations: number;
  samples: number;
  seeds: number;
  falseAccepts: number;
  temperature: number;
}

const HEAD = ['iteration', 'J predicted', 'J measured', 'off, 99%', 'within', 'sound predicted', 'sound measured'];
const cells = ({ iteration, predicted, measured, within, ...row }: Foretold): string[] => [
  String(iteration),
  share(predicted.accuracy),
  share(measured.accuracy),
  offCell(row),
  within === null ? '–' : within ? 'yes' : 'no',
  share(predicted.sound),
  share(measured.sound),
];

export function theory({ terminal, home }: Context, options: TheoryOptions): number {
  let rows: Foretold[];
  try {
    rows = foretold(options);
  } catch (error) {
    if (error instanceof RangeError) throw new CliError(EXIT.input, 'InvalidInput', error.message);
    throw error;
  }
  const { states, deltas, samples, seeds, falseAccepts, temperature } = options;
  const title = `${states} states, steps ${deltas.join(', ')}, ${samples} samples a state, ${seeds} seeds, false accepts ${falseAccepts}, T = ${temperature}`;
  const about =
    'predicted: the recursion from the start, endlessly many samples. off: measured less what the recursion makes of the measured steps one iteration before.';
  const folder = path.join(homePaths(home).home, 'reports', 'theory');
  const name = `m${states}-d${deltas.join('_')}-n${samples}-s${seeds}-e${falseAccepts}-t${temperature}`;
  const files = { markdown: path.join(folder, `${name}.md`), figure: path.join(folder, `${name}.svg`) };
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    files.markdown,
    [
      `# ${title}`,
      '',
      markdownTableOf(HEAD, rows.map(cells)),
      '',
      about,
      '',
      `![Accuracy and soundness, predicted and measured](${path.basename(files.figure)})`,
      '',
    ].join('\n'),
  );
  writeFileSync(files.figure, theoryFigure(title, rows));
  if (terminal.json) {
    terminal.document({ options, rows, ...files });
    return EXIT.ok;
  }
  sayTable(terminal, title, HEAD, rows.map(cells));
  terminal.say(about);
  terminal.say(`written to ${files.markdown}`);
  return EXIT.ok;
}
