/** A browser of an iteration's rationales: filtered, searched and paged here, so that a browser never holds more than a page. */
import { rationale } from '../report/cards.ts';
import { shown as factsOf } from '../report/samples-text.ts';
import { strataName } from '../report/statistics.ts';
import { markup, oneLine } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import { compareStrata } from '../schemas/accuracy.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { Outcome } from '../schemas/verdict.ts';
import { addressOf, matching, pageOf } from './filter.ts';
import type { Filter } from './filter.ts';
import type { View } from './layout.ts';
import { pager } from './pager.ts';
import { notFound } from './refusal.ts';
import type { Row, RowArchive } from './rows.ts';

/** The iteration asked for, else the last that drew something. Throws Refused 404. */
export function recordIn(document: RunDocument, n: number | undefined): IterationRecord | undefined {
  if (n === undefined) return document.iterations.findLast(({ drawn }) => drawn > 0);
  const record = document.iterations.find((one) => one.n === n);
  if (!record) throw notFound(`the run has no sealed iteration ${n}`);
  return record;
}

export async function rationalesView(archive: RowArchive, document: RunDocument, filter: Filter): Promise<View> {
  const { runId } = document;
  const base = `/runs/${runId}/rationales`;
  const record = recordIn(document, filter.iteration);
  const title = `Rationales of ${runId}`;
  const heading = markup`<h1>Rationales <small>of <a href="/runs/${runId}">${runId}</a></small></h1>`;
  if (!record || record.judged.length === 0)
    return {
      title,
      here: null,
      main: markup`${heading}<section><p>Nothing was judged in this iteration yet.</p></section>`,
    };
  const { rows, missing } = await archive.judged(record);
  const strata = [...new Set(rows.map(({ judged }) => judged.rationale.problem.stratum))].sort(compareStrata);
  return {
    title,
    here: null,
    main: markup`${heading}
      <section>
        ${form(document, { ...filter, iteration: record.n }, strata)}
        ${missing.map((what) => markup`<p class="reason">Not to be had: ${what}.</p>`)}
        <div id="rows" aria-live="polite">${found(rows, { ...filter, iteration: record.n }, base, document)}</div>
      </section>`,
  };
}

function found(rows: Row[], filter: Filter, base: string, document: RunDocument): Markup {
  const all = matching(rows, filter);
  const { shown, page, pages } = pageOf(all, filter.page);
  const links = pager(page, pages, (n) => addressOf(base, { ...filter, page: n }));
  const many = (count: number) => count.toLocaleString('en-US');
  return markup`<p class="note"><b>${many(all.length)}</b> of ${many(rows.length)} rationales</p>
    ${links}
    <div class="cards">${shown.map((row) => card(row, document, filter.iteration ?? 0))}</div>
    ${links}`;
}

function card({ at, judged, outcome }: Row, document: RunDocument, n: number): Markup {
  const { problem } = judged.rationale;
  return markup`<article class="card" data-item>
    <h2><a href="/runs/${document.runId}/iterations/${n}/rows/${at}"><code>${oneLine(problem.id, 120)}</code></a></h2>
    <p class="meta">
      ${factsOf(judged, strataName(document)).map(({ name, text }) => markup`<span>${name} <b>${text}</b></span> `)}${outcome && markup`<span>ledger <b>${outcome}</b></span>`}
    </p>
    ${rationale(judged, null)}
  </article>`;
}

function select(name: string, label: string, value: string | undefined, choices: string[], all: string): Markup {
  const option = (one: string, text: string) =>
    one === (value ?? '')
      ? markup`<option value="${one}" selected>${text}</option>`
      : markup`<option value="${one}">${text}</option>`;
  return markup`<label>${label}
    <select name="${name}">
      ${all !== '' && option('', all)}${choices.map((one) => option(one, oneLine(one, 60)))}
    </select></label>`;
}

function form(document: RunDocument, filter: Filter, strata: string[]): Markup {
  const iterations = document.iterations.filter(({ drawn }) => drawn > 0).map(({ n }) => String(n));
  return markup`<form class="filter" method="get" role="search" aria-label="Rationales">
    <label class="wide">Search in problem, text and reason
      <input type="search" name="q" value="${filter.q ?? ''}" maxlength="500" autocomplete="off" /></label>
    ${select('iteration', 'Iteration', String(filter.iteration), iterations, '')}
    ${select('outcome', 'Outcome', filter.outcome, Outcome.options, 'all')}
    ${select('verdict', 'Verdict', filter.verdict, ['correct', 'incorrect', 'unjudged'], 'all')}
    ${select('form', 'Prompt', filter.form, ['free', 'hinted'], 'both')}
    ${select('steps', 'Steps', filter.steps, ['sound', 'unsound'], 'all')}
    ${select('stratum', strataName(document), filter.stratum, strata, 'all')}
    <noscript><button>Show</button></noscript>
  </form>`;
}
