/** A chart that stands alone as an SVG document: a title, a legend in three columns, and the drawing below. Same input ⇒ same bytes. */
import { COLOURS, paint } from './svg.ts';
import type { Colour } from './svg.ts';
import { escapeHtml } from './untrusted.ts';

export const [WIDTH, HEIGHT] = [760, 420];
/** Of one line of the legend. */
const LINE = 20;
const COLUMNS = 3;

/** `chart` is what `drawn` gave for WIDTH × HEIGHT. */
export function framed(title: string, legend: { name: string; colour: Colour }[], chart: string): string {
  const head = 34 + Math.ceil(legend.length / COLUMNS) * LINE;
  const entries = legend.map(({ name, colour }, index) => {
    const x = 16 + (index % COLUMNS) * ((WIDTH - 16) / COLUMNS);
    const y = 34 + Math.floor(index / COLUMNS) * LINE;
    return `<rect x="${x}" y="${y}" width="18" height="4" fill="${paint(colour)}"/><text x="${x + 26}" y="${y + 7}" font-size="13" fill="${COLOURS.ink[0]}">${escapeHtml(name)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT + head}" width="${WIDTH}" height="${HEIGHT + head}" font-family="sans-serif" role="img">`,
    `<title>${escapeHtml(title)}</title>`,
    `<rect width="100%" height="100%" fill="${paint('surface')}"/>`,
    `<text x="16" y="20" font-size="14" fill="${COLOURS.ink[0]}">${escapeHtml(title)}</text>`,
    ...entries,
    chart.replace('<svg ', `<svg y="${head}" width="${WIDTH}" height="${HEIGHT}" `),
    '</svg>',
    '',
  ].join('\n');
}
