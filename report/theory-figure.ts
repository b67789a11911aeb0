/** Accuracy and soundness over iterations, as the recursion says and as the tabular loop gave, as one figure. Same rows ⇒ same bytes. */
import type { Colour } from './svg.ts';
import { drawn } from './svg.ts';
import { framed, HEIGHT, WIDTH } from './figure-frame.ts';
import { bands } from './plots.ts';
import type { Series } from './plots.ts';

interface Row {
  iteration: number;
  predicted: { accuracy: number; sound: number };
  measured: { accuracy: number; sound: number | null };
}

const LINES: { name: string; colour: Colour; symbol: Series['symbol']; of: (row: Row) => number | null }[] = [
  { name: 'accuracy, measured', colour: 'blue', symbol: 'circle', of: ({ measured }) => measured.accuracy },
  { name: 'accuracy, predicted', colour: 'sky', symbol: 'emptyCircle', of: ({ predicted }) => predicted.accuracy },
  { name: 'sound, measured', colour: 'orange', symbol: 'rect', of: ({ measured }) => measured.sound },
  { name: 'sound, predicted', colour: 'gold', symbol: 'emptyRect', of: ({ predicted }) => predicted.sound },
];

export function theoryFigure(title: string, rows: Row[]): string {
  const percent = (value: number | null) => (value === null ? null : value * 100);
  const series = LINES.map(({ colour, symbol, of }) => ({
    ...{ colour, symbol, thick: symbol === 'circle' || symbol === 'rect' },
    values: rows.map((row) => percent(of(row))),
  }));
  const tip = (line: number, index: number) => {
    const [one, row] = [LINES[line], rows[index]];
    const value = one && row ? percent(one.of(row)) : null;
    return value === null ? '' : `${one!.name}, iteration ${row!.iteration}: ${value.toFixed(2)}%`;
  };
  const iterations = rows.map(({ iteration }) => String(iteration));
  return framed(title, LINES, drawn('theory', bands(iterations, series, false, null), WIDTH, HEIGHT, tip));
}
