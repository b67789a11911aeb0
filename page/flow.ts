/**
 * An iteration as its dataflow: a box a stage, in columns by what it waits for, with lines from what it reads. Beside the drawing
 * the same as a list, which narrow screens and screen readers get.
 */
import { markup, oneLine, trusted } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { Stage } from './stages.ts';

const ROW = 92;
const BOX = { height: 66, top: 14, least: 112, gap: 18 } as const;
const WIDE = 1_062;

export function flow(stages: Stage[]): Markup {
  if (stages.length === 0) return markup`<p class="note">Its stages are not known yet.</p>`;
  return markup`<div class="flow-wide" aria-hidden="true">${drawing(stages)}</div>
    <ol class="stages">
      ${stages.map(
        ({ name, kind, reads, state, says, more }) =>
          markup`<li class="${state}">
            <b>${oneLine(name, 40)}</b> <span class="note">${kind}, reads ${oneLine(reads.join(', '))}</span>
            <span>${says}${more !== '' && `, ${more}`}</span>
          </li>`,
      )}
    </ol>`;
}

interface Placed extends Stage {
  x: number;
  y: number;
}

function place(stages: Stage[], width: number): Placed[] {
  const filled = new Map<number, number>();
  return stages.map((stage) => {
    const row = filled.get(stage.depth) ?? 0;
    filled.set(stage.depth, row + 1);
    return { ...stage, x: stage.depth * width, y: BOX.top + row * ROW };
  });
}

function drawing(stages: Stage[]): Markup {
  const columns = Math.max(...stages.map(({ depth }) => depth)) + 1;
  const column = Math.max(BOX.least + BOX.gap, Math.min(200, (WIDE + BOX.gap) / columns));
  const box = column - BOX.gap;
  const placed = place(stages, column);
  const byName = new Map(placed.map((one) => [one.name, one]));
  const rows = Math.max(...placed.map(({ y }) => y)) + BOX.height;
  const lines = placed.flatMap((to) =>
    to.after.flatMap((name) => {
      const from = byName.get(name);
      return from ? [line(from, to, box)] : [];
    }),
  );
  const [width, height] = [columns * column - BOX.gap, rows + 34];
  return markup`<svg class="dataflow" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" focusable="false">
    ${lines}${placed.map((one) => drawn(one, box))}
  </svg>`;
}

/** Straight to the next column; below the boxes between where it passes some. */
function line(from: Placed, to: Placed, box: number): Markup {
  const near = to.depth === from.depth + 1;
  const [x1, y1, x2, y2] = near
    ? [from.x + box, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2]
    : [from.x + box / 2, from.y + BOX.height, to.x + box / 2, to.y + BOX.height];
  const path = near
    ? `M${x1} ${y1}C${x1 + 10} ${y1} ${x2 - 10} ${y2} ${x2} ${y2}`
    : `M${x1} ${y1}C${x1} ${y1 + 36} ${x2} ${y2 + 36} ${x2} ${y2}`;
  return trusted(`<path class="wire ${from.state === 'done' ? 'done' : ''}" d="${path}"/>`);
}

/** Characters of a text size that fit a box. */
const fitting = (text: string, box: number, size: number): string =>
  oneLine(text, Math.floor((box - 18) / (size * 0.56)));

function drawn(stage: Placed, box: number): Markup {
  const { x, y, name, kind, state, share, says, more, reads } = stage;
  return markup`<g class="stage ${state}" transform="translate(${x} ${y})">
    <title>${oneLine(`${name}: ${kind}, reads ${reads.join(', ')}. ${says} ${more}`)}</title>
    <rect class="box" width="${box}" height="${BOX.height}" rx="8" />
    <text x="10" y="19" class="name">${fitting(name, box, 14)}</text>
    <text x="10" y="34">${fitting(kind, box, 11)}</text>
    <text x="10" y="50" class="says">${fitting(says, box, 11)}</text>
    <rect class="track" x="10" y="57" width="${box - 20}" height="4" rx="2" />
    <rect class="bar" x="10" y="57" width="${((box - 20) * share).toFixed(1)}" height="4" rx="2" />
  </g>`;
}
