/**
 * Rationales as cards for the page: each line numbered, the first wrong step marked, verdict and gold beside it. All of it is
 * other people's text and goes through `markup`.
 */
import type { Judged, Outcome } from '../schemas/verdict.ts';
import type { Sample, SampleGroup } from './samples.ts';
import { shown } from './samples-text.ts';
import type { Colour } from './svg.ts';
import { markup, oneLine, trusted, visible } from './untrusted.ts';
import type { Markup } from './untrusted.ts';

const OUTCOMES: Record<Outcome, { colour: Colour; says: string }> = {
  'accepted-free': { colour: 'blue', says: 'solved without help' },
  'accepted-hinted': { colour: 'sky', says: 'solved once the answer was shown' },
  rejected: { colour: 'orange', says: 'wrong, also with the answer shown where the recipe shows it' },
  unjudged: { colour: 'stone', says: 'could not be judged; counted neither right nor wrong' },
};

/** One outcome's samples; the first group stands open. */
export function groupMarkup(group: SampleGroup, strata: string, open: boolean): Markup {
  const { colour, says } = OUTCOMES[group.outcome];
  const count =
    group.iteration === null
      ? 'none in this run'
      : `${group.samples.length} of ${group.of}, iteration ${group.iteration}`;
  return markup`<details class="group" id="${group.outcome}" ${trusted(open ? ' open' : '')}>
    <summary>
      <h3><span class="dot" style="background:var(--${colour})"></span>${group.outcome}</h3>
      <span class="note">${says} · ${count}</span>
    </summary>
    ${group.missing.map((what) => markup`<p class="reason">Not to be had: ${what}.</p>`)}
    <div class="cards">${group.samples.map((sample) => card(sample, group.outcome, strata))}</div>
  </details>`;
}

function card(sample: Sample, outcome: Outcome, strata: string): Markup {
  const { row, others } = sample;
  if (!row)
    return markup`<article class="card">
      <h4><code>${oneLine(sample.problem)}</code></h4>
      <p class="meta">${strata} <b>${oneLine(sample.stratum, 40)}</b></p>
      <p class="why">${sample.made ? 'Its rationale is not in the store.' : 'No rationale was made.'}</p>
    </article>`;
  const facts = shown(row, strata);
  return markup`<article class="card">
    <h4><code>${oneLine(sample.problem)}</code></h4>
    <p class="meta">${facts.map(({ name, text }) => markup`<span>${name} <b>${text}</b></span> `)}</p>
    ${rationale(row, outcome)}
    ${
      others.length > 0 &&
      markup`<details>
        <summary>
          ${aboutOthers(others)}
        </summary>
        ${others.map((other) => rationale(other, null))}
      </details>`
    }
  </article>`;
}

function aboutOthers(others: Judged[]): string {
  if (others.length > 1) return `${others.length} other attempts at this problem`;
  return others[0]?.rationale.hinted ? 'the attempt with the answer shown' : 'the attempt without the answer shown';
}

/** Longer texts scroll; those must be reachable by keyboard, the others should not hold it up. */
const SCROLLS = 14;

/** A judged text, its lines numbered, the first wrong one marked; `outcome` null says whether it was hinted. */
export function rationale(row: Judged, outcome: Outcome | null): Markup {
  const { rationale: made, verdict, sound, firstWrongStep } = row;
  const lines = visible(made.text).split('\n');
  const steps =
    sound === null
      ? null
      : sound
        ? markup`<span class="badge good">✓ sound</span>`
        : markup`<span class="badge bad">✗ unsound</span>`;
  const end = { stop: null, length: 'cut off by length', overflow: 'did not fit the context', failed: 'not generated' }[
    made.finish
  ];
  const reason = verdict.verdict === 'incorrect' ? verdict.why : verdict.verdict === 'unjudged' ? verdict.cause : null;
  const verdictBadge = { correct: 'good', incorrect: 'bad', unjudged: '' }[verdict.verdict];
  const row_ = (text: string, i: number) =>
    i === firstWrongStep
      ? markup`<li class="wrong">
          <span>${i + 1}</span><span>${text}<em>first wrong step</em></span>
        </li>`
      : markup`<li><span>${i + 1}</span><span>${text}</span></li>`;
  // a checker that misses a step names the line after the last
  const absent = firstWrongStep !== null && firstWrongStep >= lines.length;
  return markup`<div class="badges">
      <span class="badge ${verdictBadge}">${verdict.verdict}</span
      >${steps}${(made.hinted || outcome === null) && markup`<span class="badge">${made.hinted ? 'hinted' : 'free'}</span>`}${end && markup`<span class="badge">${end}</span>`}
    </div>
    <ol class="text" ${trusted(lines.length > SCROLLS ? 'tabindex="0"' : '')} aria-label="rationale, ${lines.length} lines">
      ${lines.map(row_)}${
        absent &&
        markup`<li class="wrong">
          <span>${firstWrongStep + 1}</span><span><em>first wrong step: this line is missing</em></span>
        </li>`
      }
    </ol>
    ${reason !== null && markup`<p class="why"><b>${verdict.verdict === 'unjudged' ? 'Cause' : 'Why'}:</b> ${oneLine(reason, 400)}</p>`}`;
}
