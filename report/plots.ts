/** Forms of a chart over iterations: lines with interval bands in percent, lines, stacked bars. */
import type { CustomSeriesOption } from 'echarts/charts';
import type { EChartsCoreOption } from 'echarts/core';
import { paint } from './svg.ts';
import type { Colour } from './svg.ts';

/** Markers tell lines apart where colours can't. */
export const SYMBOLS = [
  'circle',
  'rect',
  'triangle',
  'diamond',
  'emptyCircle',
  'emptyRect',
  'emptyTriangle',
  'emptyDiamond',
  'none',
] as const;

export interface Series {
  colour: Colour;
  symbol: (typeof SYMBOLS)[number];
  thick: boolean;
  values: (number | null)[];
  /** Bounds of the interval, where there is one. */
  low?: (number | null)[];
  high?: (number | null)[];
}

/** Above this many iterations, points and gaps between bars would run into each other. */
const CROWDED = 60;

function axes(iterations: string[], narrow: boolean, y: object, name: string) {
  const label = { color: paint('muted'), fontSize: narrow ? 11 : 12 };
  return {
    grid: {
      left: 6,
      right: narrow ? 10 : 16,
      top: 30,
      bottom: 28,
      outerBoundsMode: 'same',
      outerBoundsContain: 'axisLabel',
    },
    xAxis: {
      type: 'category',
      data: iterations,
      name: 'iteration',
      nameLocation: 'middle',
      nameGap: 30,
      nameTextStyle: label,
      axisLabel: { ...label, hideOverlap: true, margin: 10 },
      axisLine: { lineStyle: { color: paint('muted') } },
      axisTick: { show: false },
    },
    yAxis: {
      type: 'value',
      name,
      nameTextStyle: { ...label, align: 'left', padding: [0, 0, 0, -30] },
      axisLabel: label,
      splitLine: { lineStyle: { color: paint('grid') } },
      ...y,
    },
  };
}

function line(series: Series, crowded: boolean, z: number) {
  return {
    type: 'line',
    data: series.values,
    symbol: crowded ? 'none' : series.symbol === 'none' ? 'circle' : series.symbol,
    symbolSize: series.symbol === 'none' ? 5 : 8,
    z,
    lineStyle: { color: paint(series.colour), width: series.thick ? 3 : 2 },
    itemStyle: { color: paint(series.colour), borderColor: paint(series.colour) },
  };
}

/** The area between two bounds, in pieces where some are not known. */
function band(series: Series): CustomSeriesOption & { type: 'custom' } {
  const [low, high] = [series.low ?? [], series.high ?? []];
  const runs: number[][] = [];
  for (let i = 0; i < low.length; i++) {
    if (low[i] === null || high[i] === null) continue;
    const run = runs.at(-1);
    if (run && run.at(-1) === i - 1) run.push(i);
    else runs.push([i]);
  }
  return {
    type: 'custom',
    silent: true,
    z: 1,
    data: runs.map((_, i) => i),
    renderItem: (parameters, api) => {
      const run = runs[parameters.dataIndex] ?? [];
      const corner = (bounds: (number | null)[]) => (i: number) => api.coord([i, bounds[i] ?? 0]);
      const [first] = run;
      // a single point has no area: a short whisker instead
      if (run.length === 1 && first !== undefined) {
        const [top, bottom] = [corner(high)(first), corner(low)(first)];
        const [x = 0, y1 = 0] = top;
        return {
          type: 'line',
          shape: { x1: x, y1, x2: x, y2: bottom[1] ?? 0 },
          style: { stroke: paint(series.colour), lineWidth: 2 },
        };
      }
      const points = [...run.map(corner(high)), ...run.toReversed().map(corner(low))];
      return { type: 'polygon', shape: { points }, style: { fill: paint(series.colour), opacity: 0.14 } };
    },
  };
}

/** Lines from 0 to 100% with their intervals; `best` is the index of an iteration to mark. Series come first, bands after. */
export function bands(iterations: string[], series: Series[], narrow: boolean, best: number | null): EChartsCoreOption {
  const crowded = iterations.length > CROWDED;
  const mark = {
    silent: true,
    symbol: 'none',
    lineStyle: { color: paint('muted'), type: 'dashed', width: 1 },
    label: { formatter: 'best', color: paint('muted'), fontSize: 11, distance: 4 },
    data: [{ xAxis: best ?? 0 }],
  };
  const drawnLines = series.map((one, i) => ({
    ...line(one, crowded, 3),
    ...(i === 0 && best !== null ? { markLine: mark } : {}),
  }));
  return {
    ...axes(iterations, narrow, { min: 0, max: 100, interval: 20 }, '%'),
    series: [...drawnLines, ...series.filter((one) => one.low).map(band)],
  };
}

/** Lines from zero, with a named axis. */
export function lines(iterations: string[], series: Series[], narrow: boolean, unit: string): EChartsCoreOption {
  const crowded = iterations.length > CROWDED;
  return { ...axes(iterations, narrow, { min: 0 }, unit), series: series.map((one) => line(one, crowded, 3)) };
}

/** Percent against an amount of something, one mark a point; `told` writes the amounts. */
export function curves(
  series: (Omit<Series, 'values'> & { points: [amount: number, percent: number][] })[],
  name: string,
  told: (amount: number) => string,
): EChartsCoreOption {
  const { xAxis, ...rest } = axes([], false, { min: 0, max: 100, interval: 20 }, '%');
  const { data: _, ...axis } = xAxis;
  return {
    ...rest,
    xAxis: {
      ...axis,
      ...{ type: 'value', name, min: 0, splitLine: { show: false } },
      axisLabel: { ...axis.axisLabel, formatter: told },
    },
    series: series.map((one) => ({ ...line({ ...one, values: [] }, false, 3), data: one.points })),
  };
}

/** Bars stacked in the order given, the first at the bottom. */
export function bars(
  iterations: string[],
  series: { colour: Colour; values: number[] }[],
  narrow: boolean,
  unit: string,
): EChartsCoreOption {
  const crowded = iterations.length > CROWDED;
  return {
    ...axes(iterations, narrow, { min: 0 }, unit),
    series: series.map(({ colour, values }) => ({
      type: 'bar',
      stack: 'all',
      data: values,
      barMaxWidth: 46,
      barCategoryGap: crowded ? '0%' : '32%',
      // a line of the background between the parts, so that they can be told apart without their colours
      itemStyle: { color: paint(colour), borderColor: paint('surface'), borderWidth: crowded ? 0 : 1 },
    })),
  };
}
