/**
 * A study as one figure that stands alone: test accuracy of each method against the tokens it has sampled by then, a mark an
 * iteration, both the mean of the seeds. Same runs ⇒ same bytes.
 */
import type { RunDocument } from '../schemas/run.ts';
import { compact, spentBy } from './compute.ts';
import { curves, SYMBOLS } from './plots.ts';
import { COLOURS, drawn, paint, SERIES } from './svg.ts';
import type { Colour } from './svg.ts';
import { escapeHtml } from './untrusted.ts';

const [WIDTH, HEIGHT] = [760, 420];
/** Of one line of the legend. */
const LINE = 20;
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
  const columns = 3;
  const head = 34 + Math.ceil(shown.length / columns) * LINE;
  const legend = shown.map(({ recipe, colour }, index) => {
    const x = 16 + (index % columns) * ((WIDTH - 16) / columns);
    const y = 34 + Math.floor(index / columns) * LINE;
    return `<rect x="${x}" y="${y}" width="18" height="4" fill="${paint(colour)}"/><text x="${x + 26}" y="${y + 7}" font-size="13" fill="${COLOURS.ink[0]}">${escapeHtml(recipe)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT + head}" width="${WIDTH}" height="${HEIGHT + head}" font-family="sans-serif" role="img">`,
    `<title>${escapeHtml(title)}</title>`,
    `<rect width="100%" height="100%" fill="${paint('surface')}"/>`,
    `<text x="16" y="20" font-size="14" fill="${COLOURS.ink[0]}">${escapeHtml(title)}</text>`,
    ...legend,
    chart.replace('<svg ', `<svg y="${head}" width="${WIDTH}" height="${HEIGHT}" `),
    '</svg>',
    '',
  ].join('\n');
}
