/** All rows in one drawing: ratios on a logarithmic scale around 1, each with its lowest and highest repetition. */
import type { CustomSeriesOption } from 'echarts/charts';
import { drawn, paint } from '../report/svg.ts';
import type { BenchRow } from './row.ts';
import { between, times } from './table.ts';

const WIDTH = 760;
const LINE_HEIGHT = 34;

/** An SVG file of its own; rows without a ratio are left out. Same rows ⇒ same bytes. */
export function figure(all: readonly BenchRow[]): string {
  const rows = all.flatMap(({ name, ratio, spread, peerName }) =>
    ratio === null ? [] : [{ name, ratio, range: spread.ratio ?? [ratio, ratio], peerName }],
  );
  const names = rows.map(({ name }) => name).toReversed();
  const data = rows.toReversed();
  const values = data.flatMap(({ ratio, range }) => [ratio, ...range]);
  // Powers of two that hold everything, 1 in any case.
  const low = 2 ** Math.floor(Math.log2(Math.min(0.5, ...values)));
  const high = 2 ** Math.ceil(Math.log2(Math.max(2, ...values)));
  const label = { color: paint('muted'), fontSize: 12 };
  const bars: CustomSeriesOption & { type: 'custom' } = {
    type: 'custom',
    data: data.map(({ ratio }, i) => [ratio, i]),
    renderItem: ({ dataIndex }, api) => {
      const { ratio, range } = data[dataIndex]!;
      const [x = 0, y = 0] = api.coord([ratio, dataIndex]);
      const [one = 0] = api.coord([1, dataIndex]);
      const [from = 0] = api.coord([range[0], dataIndex]);
      const [to = 0] = api.coord([range[1], dataIndex]);
      const colour = paint(ratio >= 1 ? 'blue' : 'orange');
      return {
        type: 'group',
        children: [
          {
            type: 'rect',
            shape: { x: Math.min(one, x), y: y - 8, width: Math.abs(x - one), height: 16 },
            style: { fill: colour },
          },
          { type: 'line', shape: { x1: from, y1: y, x2: to, y2: y }, style: { stroke: paint('ink'), lineWidth: 2 } },
        ],
      };
    },
  };
  const option = {
    backgroundColor: paint('surface'),
    grid: { left: 8, right: 24, top: 26, bottom: 44, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      type: 'log',
      logBase: 2,
      min: low,
      max: high,
      name: 'times the peer, or inside the bound; right of 1 we are ahead; lines: lowest to highest repetition',
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: label,
      axisLabel: { ...label, formatter: (value: number) => `${Number(value.toPrecision(3))}×` },
      splitLine: { lineStyle: { color: paint('grid') } },
    },
    yAxis: {
      type: 'category',
      data: names,
      axisLabel: { ...label, color: paint('ink') },
      axisTick: { show: false },
      axisLine: { show: false },
    },
    series: [
      {
        ...bars,
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: paint('ink'), type: 'solid', width: 1 },
          data: [{ xAxis: 1 }],
        },
      },
    ],
  };
  const tip = (_series: number, index: number) => {
    const row = data[index];
    return row === undefined ? '' : `${row.name}: ${times(row.ratio)} of ${row.peerName} (${between(row.range)})`;
  };
  const height = 70 + LINE_HEIGHT * rows.length;
  const svg = drawn('bench', option, WIDTH, height, tip);
  return `${svg.replace('<svg ', `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" `)}\n`;
}
