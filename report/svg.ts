/**
 * A chart as SVG text, rendered without a browser.
 *
 * Colours are roles: the light colour stands in the drawing, and a class beside it (`f-blue`, `s-grid`) lets the page's style
 * sheet change it in dark mode. What the renderer adds for its own scripts (hover rules, ids counted over the whole process)
 * is taken out, so that the same data ⇒ the same bytes, and points carry a <title>, which browsers show as a tip.
 */
import { BarChart, CustomChart, LineChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import type { EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { escapeHtml } from './untrusted.ts';

echarts.use([BarChart, LineChart, CustomChart, GridComponent, MarkLineComponent, SVGRenderer]);

/** [light, dark]; told apart by people who see red and green alike, and ≥ 3:1 on their backgrounds. */
export const COLOURS = {
  ink: ['#1c2128', '#e8ebf0'],
  muted: ['#57606b', '#9aa4b1'],
  grid: ['#e4e7eb', '#2b313a'],
  surface: ['#fffffe', '#161a20'],
  blue: ['#1d5fc2', '#6aa8ff'],
  orange: ['#bf4f00', '#f5924a'],
  teal: ['#0a7a64', '#3ccfae'],
  plum: ['#97368f', '#e58be0'],
  gold: ['#876400', '#e3bf4a'],
  cyan: ['#0a7691', '#56c8e6'],
  rose: ['#bb2d5e', '#ff86ad'],
  slate: ['#66707d', '#aab4c0'],
  olive: ['#5d7a16', '#b4d465'],
  navy: ['#3a3f9e', '#9aa0ff'],
  sky: ['#4b93de', '#a9d0ff'],
  stone: ['#868f9a', '#767f8b'],
} as const satisfies Record<string, readonly [string, string]>;
export type Colour = keyof typeof COLOURS;

/** Of series, in this order. */
export const SERIES: readonly Colour[] = [
  'blue',
  'orange',
  'teal',
  'plum',
  'gold',
  'cyan',
  'rose',
  'olive',
  'navy',
  'slate',
];

/** The colour that stands in the drawing. */
export const paint = (colour: Colour): string => COLOURS[colour][0];

const ROLE = new Map<string, Colour>([
  ...(Object.keys(COLOURS) as Colour[]).map((colour): [string, Colour] => [paint(colour), colour]),
  ['#fff', 'surface'],
]);

/** What a point says when it is pointed at; '' = nothing. `series` and `index` are those of the option. */
export type Tip = (series: number, index: number) => string;

/** Draws an option at a size. `id` must be unique in the page. */
export function drawn(id: string, option: EChartsCoreOption, width: number, height: number, tip: Tip): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'inherit' }, ...option });
    return tidy(chart.renderToSVGString(), id, width, height, tip);
  } finally {
    chart.dispose(); // a chart that is not disposed keeps the process alive
  }
}

function tidy(svg: string, id: string, width: number, height: number, tip: Tip): string {
  const body = svg
    .replace(/<style\s*>[\s\S]*?<\/style>/g, '')
    .replace(/^<svg[^>]*>/, '')
    .replace(/<\/svg>\s*$/, '')
    .replace(/zr\d+-/g, `${id}-`);
  const elements = body.replace(
    /<([a-zA-Z]+)((?:\s[^<>]*?)?)(\/?)>(?:<\/\1>)?/g,
    (_all, name: string, attributes: string) => element(name, attributes, _all, tip),
  );
  return `<svg viewBox="0 0 ${width} ${height}" style="--w:${width}px" aria-hidden="true" focusable="false">${elements.replace(/\n+/g, '\n')}</svg>`;
}

function element(name: string, attributes: string, all: string, tip: Tip): string {
  const value = (attribute: string) => new RegExp(`\\s${attribute}="([^"]*)"`).exec(attributes)?.[1];
  const role = (attribute: string, prefix: string) => {
    const colour = ROLE.get(value(attribute) ?? '');
    return colour ? [`${prefix}-${colour}`] : [];
  };
  const classes = [...role('fill', 'f'), ...role('stroke', 's')];
  const [series, index] = [value('ecmeta_series_index'), value('ecmeta_data_index')];
  const text = series !== undefined && index !== undefined ? tip(Number(series), Number(index)) : '';
  const kept = attributes
    .replace(/\s(?:class|ecmeta_\w+|pointer-events)="[^"]*"/g, '')
    .replace(/\sstyle="[^"]*"/, (style) => style.replace(/font-family:[^;"]*;?/, ''))
    .replace(/\s+$/, '');
  const open = `<${name}${kept}${classes.length > 0 ? ` class="${classes.join(' ')}"` : ''}`;
  const closed = all.endsWith(`</${name}>`);
  const title = text === '' ? '' : `<title>${escapeHtml(text)}</title>`;
  return closed ? `${open}>${title}</${name}>` : all.endsWith('/>') ? `${open}/>` : `${open}>${title}`;
}
