/** One run: what it is doing, the iteration chosen as its dataflow, the ledger as a flow, accuracy over iterations, the table. */
import { accuracyFigure } from '../report/figures.ts';
import { figure, table, tiles } from '../report/page.ts';
import { markup, oneLine } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { isFinal } from '../schemas/run.ts';
import { actionBar, actionDialogs } from './actions-view.ts';
import { flow } from './flow.ts';
import type { LiveRun } from './installation.ts';
import { region, statusBadge } from './layout.ts';
import type { Part, View } from './layout.ts';
import { ledgerFlow } from './ledger-flow.ts';
import { recipeOf, runningStages, sealedStages } from './stages.ts';

/** What is shown of a run. */
export interface Shown {
  document: RunDocument;
  /** null: it has ended, or no server answers. */
  live: LiveRun | null;
  /** The iteration somebody chose; undefined = the one under way, else the last. */
  chosen: number | undefined;
  writable: boolean;
}

/** The document with what the server knows better. */
function withLive({ document, live }: Shown): RunDocument {
  const progress = live?.progress;
  if (!progress || isFinal(document.status)) return document;
  return { ...document, status: progress.status, reason: progress.reason };
}

/** Iterations that there is something to show of. */
function iterationsOf({ document, live }: Shown): number[] {
  const sealed = document.iterations.map(({ n }) => n);
  const now = isFinal(document.status) ? null : (live?.progress?.iteration ?? null);
  return now === null || sealed.includes(now) ? sealed : [...sealed, now];
}

const recordOf = (document: RunDocument, n: number | undefined): IterationRecord | undefined =>
  document.iterations.find((record) => record.n === n);

/** Drawn once per document: a chart takes tens of milliseconds, and live pages ask every second. */
const charts = new WeakMap<RunDocument, { accuracy: Markup; table: Markup }>();
function chartsOf(document: RunDocument): { accuracy: Markup; table: Markup } {
  const known = charts.get(document);
  if (known) return known;
  const made = { accuracy: figure(accuracyFigure(document)), table: table(document) };
  charts.set(document, made);
  return made;
}

export function runParts(shown: Shown): Part[] {
  const { document } = shown;
  const iterations = iterationsOf(shown);
  const n = shown.chosen ?? iterations.at(-1);
  const { accuracy, table: rows } = chartsOf(document);
  return [
    { id: 'head', body: head(shown) },
    { id: 'iteration', body: iteration(shown, iterations, n) },
    { id: 'ledger', body: ledger(document, shown.chosen) },
    { id: 'accuracy', body: accuracy },
    { id: 'table', body: markup`<h2>Iterations</h2>${rows}` },
  ];
}

export function runView(shown: Shown, parts: Part[]): View {
  const { document, chosen, writable } = shown;
  const [head, ...sections] = parts.map(region);
  return {
    title: document.runId,
    here: null,
    topic: chosen === undefined ? `run/${document.runId}` : `run/${document.runId}/${chosen}`,
    main: markup`${head}${sections.map((one) => markup`<section>${one}</section>`)}${writable && actionDialogs(document)}`,
  };
}

function head(shown: Shown): Markup {
  const { live, writable } = shown;
  const document = withLive(shown);
  const { recipe, task, seed, reason, runId } = document;
  const { fork } = document.input;
  return markup`<div class="title">
      <h1>${oneLine(runId, 100)}</h1>
      ${statusBadge(document.status)}
    </div>
    <p class="sub">
      recipe <b>${oneLine(recipe)}</b> · task <b>${oneLine(task)}</b> · seed <b>${seed}</b>${
        fork && markup` · fork of <a href="/runs/${fork.run}">${fork.run}</a> from iteration ${fork.from}`
      }
    </p>
    ${reason !== null && markup`<p class="reason">${oneLine(reason, 1000)}</p>`}
    ${live?.stuck && markup`<p class="reason">Its code fails and is tried again without end: ${oneLine(live.stuck, 600)}</p>`}
    ${!isFinal(document.status) && !live && markup`<p class="reason">No server answers; what is shown is what the store holds.</p>`}
    <div class="bar">
      <a class="button" href="/runs/${runId}/rationales">Rationales</a>
      <a class="button" href="/runs/${runId}/weights">Weights</a>
      <a class="button" href="/compare?a=${runId}">Compare</a>
      ${actionBar(document, writable)}
    </div>
    ${tiles(document)}`;
}

function iteration(shown: Shown, iterations: number[], n: number | undefined): Markup {
  const { document, live } = shown;
  const { runId } = document;
  if (n === undefined) return markup`<h2>Iteration</h2><p class="note">No iteration has begun.</p>`;
  const recipe = recipeOf(document, n);
  const record = recordOf(document, n);
  const stages = !recipe ? [] : record ? sealedStages(recipe, record) : runningStages(recipe, n, live);
  const retries = record ? [] : (live?.retries ?? []);
  return markup`<h2>Iteration ${n}${n === 0 && ', the base'}</h2>
    <p class="note">
      ${record ? 'Sealed.' : 'Under way.'}${record?.carried && ' Nothing was accepted; the model is carried.'}
    </p>
    ${
      iterations.length > 1 &&
      markup`<nav aria-label="Iterations" class="pages">
        ${iterations.map((one) =>
          one === n
            ? markup`<a href="/runs/${runId}?iteration=${one}" aria-current="true">${one}</a> `
            : markup`<a href="/runs/${runId}?iteration=${one}">${one}</a> `,
        )}${shown.chosen !== undefined && markup`<a href="/runs/${runId}">latest</a>`}
      </nav>`
    }
    ${retries.map(({ stage, attempt, message }) => markup`<p class="reason">${oneLine(stage, 40)}, attempt ${attempt}: ${oneLine(message, 400)}</p>`)}
    ${flow(stages)}`;
}

function ledger(document: RunDocument, chosen: number | undefined): Markup {
  const record = chosen === undefined ? document.iterations.at(-1) : recordOf(document, chosen);
  const href = (outcome: string) => `/runs/${document.runId}/rationales?iteration=${record?.n ?? 0}&outcome=${outcome}`;
  return markup`<h2>Ledger${record && markup` of iteration ${record.n}`}</h2>
    <p class="note">Every problem drawn ends in exactly one of the four.</p>
    ${record ? ledgerFlow(record, href) : markup`<p class="note">No iteration is sealed yet.</p>`}`;
}
