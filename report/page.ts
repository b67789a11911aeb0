/**
 * The report as one HTML page: nothing is fetched, nothing is scripted, everything is there without either.
 *
 * A content security policy refuses scripts and requests besides, should text of others ever get past the escaping.
 */
import type { RunDocument } from '../schemas/run.ts';
import { groupMarkup } from './cards.ts';
import type { Figure, Key } from './figures.ts';
import type { ResolvedOptions } from './options.ts';
import type { SampleGroup } from './samples.ts';
import { bestOf, interval, minutes, overall, percent, secondsOf, tokensOf, strataName } from './statistics.ts';
import { STYLE } from './style.ts';
import { accuracyHead, columnsOf, remarksOf } from './table.ts';
import { markup, oneLine, trusted } from './untrusted.ts';
import type { Markup } from './untrusted.ts';

export interface Parts {
  document: RunDocument;
  figures: Figure[];
  options: ResolvedOptions;
  samples: SampleGroup[];
}

/** How a status is coloured; absent = not at all. */
export const STATUS: Partial<Record<RunDocument['status'], string>> = {
  done: 'good',
  failed: 'bad',
  terminated: 'bad',
};

/** The whole page. The same parts ⇒ the same bytes. */
export function page({ document, figures, options, samples }: Parts): string {
  const [accuracy, ledger, sound, speed, seconds] = figures.map(figure);
  return markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <meta name="color-scheme" content="light dark" />
        <title>${oneLine(document.runId)} · Startrail</title>
        <style>
          ${trusted(STYLE)}
        </style>
      </head>
      <body>
        <a class="skip" href="#table">Skip to the table</a>
        ${head(document)}
        <nav aria-label="Parts of this report">
          <ul>
            ${NAV.map(([id, name]) => markup`<li><a href="#${id}">${name}</a></li>`)}
          </ul>
        </nav>
        <main>
          <section id="table" aria-labelledby="h-table">
            <h2 id="h-table">Iterations</h2>
            ${table(document)}
          </section>
          <section id="accuracy">${accuracy}</section>
          <div class="pair">
            <section id="ledger">${ledger}</section>
            <section id="sound">${sound}</section>
          </div>
          <div class="pair" style="margin-top:20px">
            <section id="speed">${speed}</section>
            <section id="seconds">${seconds}</section>
          </div>
          <section id="rationales" aria-labelledby="h-rationales">
            <h2 id="h-rationales">Rationales</h2>
            <p class="note">
              What the model wrote, taken evenly over the strata and by a rule, not by hand. Where a step checker
              exists, the first wrong step is marked.
            </p>
            ${samples.map((group, i) => groupMarkup(group, strataName(document), i === 0))}
          </section>
          <section id="options" aria-labelledby="h-options">
            <h2 id="h-options">Options</h2>
            ${optionsTable(options)}
          </section>
          <section id="identity" aria-labelledby="h-identity">
            <h2 id="h-identity">Identity</h2>
            ${identity(document)}
          </section>
        </main>
        <footer>
          Written by Startrail. The same numbers stand in <code>metrics.jsonl</code> and the Markdown file beside this
          page.
        </footer>
      </body>
    </html> `.text;
}

const NAV = [
  ['table', 'Iterations'],
  ['accuracy', 'Accuracy'],
  ['ledger', 'Ledger'],
  ['speed', 'Speed'],
  ['rationales', 'Rationales'],
  ['options', 'Options'],
  ['identity', 'Identity'],
] as const;

function head(document: RunDocument): Markup {
  const { recipe, task, seed, status, reason } = document;
  return markup`<header>
    <p class="over">Startrail run</p>
    <div class="title">
      <h1>${oneLine(document.runId)}</h1>
      <span class="badge ${STATUS[status] ?? ''}">${status}</span>
    </div>
    <p class="sub">recipe <b>${oneLine(recipe)}</b> · task <b>${oneLine(task)}</b> · seed <b>${seed}</b></p>
    ${reason !== null && markup`<p class="reason">${oneLine(reason, 1000)}</p>`} ${tiles(document)}
  </header>`;
}

/** The run in five numbers. */
export function tiles(document: RunDocument): Markup {
  const records = document.iterations;
  const best = bestOf(document);
  const [base, top] = [records.find((record) => record.n === 0), best].map((one) => one && overall(one.accuracy));
  const last = records.findLast((record) => record.drawn > 0);
  const taken = last && last.ledger.acceptedFree + last.ledger.acceptedHinted;
  const gain = base && top ? (top.accuracy - base.accuracy) * 100 : null;
  const seconds = records.reduce((sum, record) => sum + secondsOf(record), 0);
  const tokens = records.reduce((sum, record) => sum + tokensOf(record), 0);
  const tile = (name: string, value: string, more: string) =>
    markup`<div class="tile">
      <dt>${name}</dt>
      <dd>${value}<small>${more}</small></dd>
    </div>`;
  return markup`<dl class="tiles">
    ${tile('Best test accuracy', top ? `${percent(top.accuracy)}%` : '–', top && best ? `95%: ${interval(top)} · iteration ${best.n}, chosen on dev` : 'nothing chosen yet')}
    ${tile('Gain over the base', gain === null ? '–' : `${gain < 0 ? '−' : '+'}${Math.abs(gain).toFixed(1)}`, base ? `points; base ${percent(base.accuracy)}%` : 'the base is not evaluated yet')}
    ${tile('Accepted', last && taken !== undefined ? `${percent(taken / last.drawn)}%` : '–', last ? `${taken} of ${last.drawn} problems, iteration ${last.n}` : 'nothing drawn yet')}
    ${tile('Sound', last ? `${last.soundShare === null ? '–' : `${percent(last.soundShare)}%`}` : '–', 'of the accepted rationales')}
    ${tile('Work', `${minutes(seconds)} min`, `${tokens.toLocaleString('en-US')} tokens, ${records.filter((record) => record.n > 0).length} iterations and the base`)}
  </dl>`;
}

/** One row an iteration. */
export function table(document: RunDocument): Markup {
  if (document.iterations.length === 0) return markup`<p class="note">No iteration is finished yet.</p>`;
  const columns = columnsOf(document);
  const span = (group: string) => columns.filter((column) => column.group === group).length;
  const begins = columns.map((column, i) => (i > 0 && columns[i - 1]?.group !== column.group ? 'begins' : ''));
  return markup`<p class="note">
      ${document.best && 'The best iteration is marked; it was chosen on dev and is reported on test. '}The interval is that of the mean of the strata.
    </p>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of iterations">
      <table>
        <thead>
          <tr>
            <td></td>
            <th colspan="${span('ledger')}" scope="colgroup">problems drawn</th>
            <th class="begins" colspan="${span('accuracy')}" scope="colgroup">${accuracyHead(document)}</th>
            <th class="begins" scope="colgroup">time</th>
          </tr>
          <tr>
            <th scope="col">iteration</th>
            ${columns.map(({ head: name }, i) => markup`<th scope="col" class="${begins[i]}">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${document.iterations.map((record) => {
            const best = record.n === document.best?.n;
            return markup`<tr${trusted(best ? ' class="best"' : '')}><th scope="row">${best && markup`<span class="badge good">best</span> `}${record.n}</th>${columns.map((column, i) => markup`<td class="${begins[i]}">${column.of(record)}</td>`)}</tr>
`;
          })}
        </tbody>
      </table>
    </div>
    ${remarksOf(document).map((remark) => markup`<p class="note">${oneLine(remark, 1000)}</p>`)}`;
}

const MARKS: Record<string, string> = {
  circle: '<circle cx="13" cy="6" r="4"/>',
  rect: '<path d="M9 2h8v8h-8z"/>',
  triangle: '<path d="M13 1.5l5 8.5h-10z"/>',
  diamond: '<path d="M13 1l5 5l-5 5l-5 -5z"/>',
};

function mark({ mark: form, colour }: Key): Markup {
  if (form === 'square')
    return trusted(`<svg viewBox="0 0 26 12" aria-hidden="true"><path class="f-${colour}" d="M8 0h12v12h-12z"/></svg>`);
  const empty = form.startsWith('empty');
  const shape = MARKS[form.replace('empty', '').toLowerCase()] ?? '';
  const inner = `<g class="${empty ? 'f-surface' : `f-${colour}`} s-${colour}" stroke-width="${empty ? 2 : 0}">${shape}</g>`;
  return trusted(
    `<svg viewBox="0 0 26 12" aria-hidden="true"><path class="s-${colour}" stroke-width="2" d="M0 6h26"/>${inner}</svg>`,
  );
}

/** A figure with its numbers. */
export function figure({ id, title, caption, alt, keys, svg, table: { head: heads, rows } }: Figure): Markup {
  const drawing =
    svg &&
    markup`<div class="plot" role="img" aria-label="${alt}">
      <div class="wide">${trusted(svg.wide)}</div>
      <div class="narrow">${trusted(svg.narrow)}</div>
    </div>`;
  const data =
    rows.length > 0 &&
    markup`<details class="data">
      <summary>Numbers of this figure</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="${title}">
        <table>
          <thead>
            <tr>
              ${heads.map((name) => markup`<th scope="col">${oneLine(name, 40)}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              ([first, ...cells]) =>
                markup`<tr>
                  <th scope="row">${first}</th>
                  ${cells.map((cell) => markup`<td>${cell}</td>`)}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>`;
  return markup`<figure aria-labelledby="f-${id}">
      <figcaption>
        <h2 id="f-${id}">${title}</h2>
        <p>${caption}</p>
      </figcaption>
      ${
        keys.length > 0 &&
        markup`<ul class="keys">
          ${keys.map((key) => markup`<li>${mark(key)}${oneLine(key.name, 40)}</li>`)}
        </ul>`
      }${drawing}
    </figure>
    ${svg && data}`;
}

function optionsTable({ options, missing }: ResolvedOptions): Markup {
  return markup`${missing !== null && markup`<p class="reason">${missing}.</p>`}
  ${
    options.length > 0 &&
    markup`<div class="scroll" tabindex="0" role="region" aria-label="Options">
      <table class="words">
        <thead>
          <tr>
            <th scope="col">option</th>
            <th scope="col">value</th>
            <th scope="col">from</th>
          </tr>
        </thead>
        <tbody>
          ${options.map(
            ({ path, value, origin }) =>
              markup`<tr>
                <th scope="row"><code>${oneLine(path)}</code></th>
                <td><code>${oneLine(value, 400)}</code></td>
                <td>${origin ?? '–'}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`
  }`;
}

function identity(document: RunDocument): Markup {
  const facts: [string, string | null][] = [
    ['ledger digest', document.ledgerDigest],
    ['weights digest', document.weightsDigest],
    ['fingerprint', document.fingerprint],
    ['workflow', document.workflowId],
    ['started', document.startedAt],
    ['last change', document.updatedAt],
    ['input', JSON.stringify(document.input)],
  ];
  return markup`<p class="note">
      Two runs of one seed at one fingerprint have the same two digests, however often they were interrupted.
    </p>
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          markup`<dt>${name}</dt>
            <dd><code>${value === null ? '–' : oneLine(value, 4000)}</code></dd>`,
      )}
    </dl>`;
}
