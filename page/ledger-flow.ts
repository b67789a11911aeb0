/** The ledger of an iteration as a flow: what was drawn on the left, and the four words it ends in, as wide as their counts. Pure. */
import { percent } from '../report/statistics.ts';
import { markup, trusted } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { IterationRecord } from '../schemas/run.ts';

export const WORDS = [
  { name: 'accepted-free', colour: 'blue', key: 'acceptedFree', says: 'solved without help' },
  { name: 'accepted-hinted', colour: 'sky', key: 'acceptedHinted', says: 'solved once the answer was shown' },
  { name: 'rejected', colour: 'orange', key: 'rejected', says: 'wrong' },
  { name: 'unjudged', colour: 'stone', key: 'unjudged', says: 'could not be judged' },
] as const;

const HEIGHT = 190;
const GAP = 14;
/** Of a label's two lines: two thin bands must not write over each other. */
const LABEL = 38;
const BAR = 14;

export function ledgerFlow(record: IterationRecord, href: (outcome: string) => string): Markup {
  const { drawn, ledger, n } = record;
  if (drawn === 0)
    return markup`<p class="note">Iteration ${n} draws no problems: it makes and evaluates the base.</p>`;
  const told = WORDS.map(({ name, key }) => `${name} ${ledger[key]}`).join(', ');
  return markup`<div class="plot" role="img" aria-label="${drawn} problems drawn in iteration ${n}: ${told}">
      <div class="wide">${sankey(record, 760)}</div>
      <div class="narrow">${sankey(record, 340)}</div>
    </div>
    <ul class="keys">
      ${WORDS.map(
        ({ name, key, says }) =>
          markup`<li><a href="${href(name)}">${name}</a> ${ledger[key]} <span class="note">${says}</span></li>`,
      )}
    </ul>`;
}

function sankey({ drawn, ledger }: IterationRecord, width: number): Markup {
  const [left, right] = [96, width - 150];
  let [from, to] = [GAP, GAP];
  const bands = WORDS.map(({ name, colour, key }) => {
    const count = ledger[key];
    const height = (count / drawn) * HEIGHT;
    const [a, b] = [from, to];
    from += height;
    to += Math.max(height, LABEL) + 4;
    if (count === 0) return markup`${label(name, count, drawn, right, b)}`;
    const middle = (left + right) / 2;
    const band = `M${left} ${a}C${middle} ${a} ${middle} ${b} ${right} ${b}V${b + height}C${middle} ${b + height} ${middle} ${a + height} ${left} ${a + height}Z`;
    return markup`${trusted(`<path class="f-${colour}" opacity="0.45" d="${band}"/><rect class="f-${colour}" x="${right}" y="${b}" width="${BAR}" height="${Math.max(1, height)}"/>`)}${label(name, count, drawn, right, b)}`;
  });
  return markup`<svg viewBox="0 0 ${width} ${Math.max(to, HEIGHT + 2 * GAP)}" width="${width}" aria-hidden="true" focusable="false">
    ${trusted(`<rect class="f-slate" x="${left - BAR}" y="${GAP}" width="${BAR}" height="${HEIGHT}"/>`)}
    <text x="${left - BAR - 8}" y="${GAP + HEIGHT / 2 - 4}" text-anchor="end" class="f-ink strong">drawn</text>
    <text x="${left - BAR - 8}" y="${GAP + HEIGHT / 2 + 14}" text-anchor="end" class="f-muted">${drawn}</text>
    ${bands}
  </svg>`;
}

const label = (name: string, count: number, drawn: number, right: number, y: number): Markup =>
  markup`<text x="${right + BAR + 8}" y="${y + 13}" class="f-ink strong">${name}</text>
    <text x="${right + BAR + 8}" y="${y + 30}" class="f-muted">${count} (${percent(count / drawn)}%)</text>`;
