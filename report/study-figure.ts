/**
 * A study as one figure that stands alone: test accuracy of each method against the tokens it has sampled by then, a mark an
 * iteration, both the mean of the seeds. Same runs ⇒ same bytes.
 */
import type { RunDocument } from '../schemas/run.ts';
import { compact, spentBy } from './compute.ts';
import { framed, HEIGHT, WIDTH } from './figure-frame.ts';
import { curves, SYMBOLS } from './plots.ts';
import { drawn, SERIES } from './svg.ts';
import type { Colour } from './svg.ts';

const MARKED = SYMBOLS.filter((symbol) => symbol !== 'none');

interface Point {
  n: number;
  /** Tokens. */
  sampled: number;
  /** 0..1 */
  test: number;
}

const mean = (values: number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;

/** The iterations that every run of a method has. Pure. */
export function pointsOf(runs: RunDocument[]): Point[] {
  const spent = runs.map(spentBy);
  const length = Math.min(...runs.map(({ iterations }) => iterations.length));
  return Array.from({ length }, (_, at) => ({
    n: runs[0]?.iterations[at]?.n ?? at,
    sampled: mean(spent.map((run) => run[at]?.sampled ?? 0)),
    test: mean(runs.map(({ iterations }) => iterations[at]?.accuracy.overall ?? 0)),
  }));
}

/** An SVG document; methods in the order given. */
export function studyFigure(title: string, methods: { recipe: string; documents: RunDocument[] }[]): string {
  const shown = methods
    .filter(({ documents }) => documents.length > 0)
    .map(({ recipe, documents }, index) => ({
      recipe,
      points: pointsOf(documents),
      colour: SERIES[index % SERIES.length] as Colour,
      symbol: MARKED[index % MARKED.length] as (typeof MARKED)[number],
    }));
  const option = curves(
    shown.map(({ points, colour, symbol }, index) => ({
      ...{ colour, symbol, thick: index === 0 },
      points: points.map(({ sampled, test }): [number, number] => [sampled, test * 100]),
    })),
    'tokens sampled to learn from, all iterations so far',
    compact,
  );
  const tip = (series: number, index: number) => {
    const one = shown[series];
    const point = one?.points[index];
    if (!one || !point) return '';
    return `${one.recipe}, iteration ${point.n}: ${(point.test * 100).toFixed(1)}% after ${compact(point.sampled)} tokens`;
  };
  const chart = drawn('study', option, WIDTH, HEIGHT, tip);
  return framed(
    title,
    shown.map(({ recipe, colour }) => ({ name: recipe, colour })),
    chart,
  );
}
