/** Overall test accuracy of a few runs over their iterations, with intervals, in one drawing. The same documents ⇒ the same bytes. */
import type { RunDocument } from '../schemas/run.ts';
import { both } from './figures.ts';
import type { Figure } from './figures.ts';
import { bands, SYMBOLS } from './plots.ts';
import { interval, overall, percent } from './statistics.ts';
import { SERIES } from './svg.ts';
import type { Colour, Tip } from './svg.ts';
import { oneLine } from './untrusted.ts';

export function compareFigure(documents: RunDocument[]): Figure {
  const last = Math.max(0, ...documents.flatMap(({ iterations }) => iterations.map(({ n }) => n)));
  const iterations = Array.from({ length: last + 1 }, (_, n) => n);
  const rows = documents.map((document, i) => ({
    name: oneLine(document.runId, 60),
    colour: SERIES[i % SERIES.length] as Colour,
    mark: SYMBOLS[i % SYMBOLS.length] as (typeof SYMBOLS)[number],
    at: iterations.map((n) => {
      const record = document.iterations.find((one) => one.n === n);
      return record ? overall(record.accuracy) : null;
    }),
  }));
  const share = (value: number | undefined) => (value === undefined ? null : value * 100);
  const series = rows.map(({ colour, mark, at }) => ({
    ...{ colour, symbol: mark, thick: true },
    values: at.map((one) => share(one?.accuracy)),
    low: at.map((one) => share(one?.low)),
    high: at.map((one) => share(one?.high)),
  }));
  const said = (i: number, at: number): string => {
    const one = rows[i]?.at[at];
    return one ? `${percent(one.accuracy)}% (95%: ${interval(one)})` : '–';
  };
  const tip: Tip = (i, at) => (rows[i] ? `${rows[i].name}, iteration ${at}: ${said(i, at)}` : '');
  const some = rows.some(({ at }) => at.some((one) => one !== null));
  return {
    id: 'compared',
    title: 'Test accuracy over iterations',
    caption: some
      ? 'Mean of the strata of the test split, with 95% intervals as bands. Iteration 0 is the base model.'
      : 'Nothing was evaluated yet.',
    alt: rows.map(({ name }, i) => `${name}: ${iterations.map((n) => said(i, n)).join(', ')}`).join('; '),
    keys: rows,
    svg: some ? both('compared', (narrow) => bands(iterations.map(String), series, narrow, null), tip) : null,
    table: {
      head: ['iteration', ...rows.map(({ name }) => name)],
      rows: iterations.map((n) => [String(n), ...rows.map((_, i) => said(i, n))]),
    },
  };
}
