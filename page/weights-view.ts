/** Weights back to their rows: what an iteration's model was trained on, row by row, from which base, sampled by whose model. */
import { markup, oneLine, visible } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { Example } from '../schemas/example.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { PAGE, pageOf } from './filter.ts';
import type { View } from './layout.ts';
import { pager } from './pager.ts';
import type { RowArchive } from './rows.ts';

/** The chain of a run's models, newest first. */
export function chainView(document: RunDocument): View {
  const { runId } = document;
  const link = (n: number) => markup`<a href="/runs/${runId}/iterations/${n}/weights">iteration ${n}</a>`;
  const step = (record: IterationRecord): Markup => {
    const by = record.rolledBackTo ?? record.n - 1;
    return markup`<li>
      <b>${link(record.n)}</b> <code>${record.weightsDigest.slice(0, 23)}…</code>
      <p class="note">
        ${
          record.n === 0
            ? 'The base: every later model is trained from it.'
            : record.carried
              ? markup`Nothing was accepted: the model of ${link(by)} is carried.`
              : markup`Trained from the base, ${record.steps} steps on ${record.trainedOn} rows, which ${link(by)} sampled.`
        }
      </p>
    </li>`;
  };
  return {
    title: `Weights of ${runId}`,
    here: null,
    main: markup`<h1>Weights <small>of <a href="/runs/${runId}">${runId}</a></small></h1>
      <section>
        ${document.iterations.length === 0 && markup`<p>No iteration is sealed yet.</p>`}
        <ul class="chain">
          ${document.iterations.toReversed().map(step)}
        </ul>
      </section>`,
  };
}

/** @param row number of a training row, from 0, on whose page to begin */
export async function weightsView(
  archive: RowArchive,
  document: RunDocument,
  record: IterationRecord,
  asked: { page?: number | undefined; row?: number | undefined },
): Promise<View> {
  const { runId } = document;
  const base = `/runs/${runId}/iterations/${record.n}`;
  const [{ rows, missing }, judged] = await Promise.all([archive.examples(record), archive.judged(record)]);
  const { shown, page, pages } = pageOf(rows, asked.row === undefined ? asked.page : Math.floor(asked.row / PAGE) + 1);
  const placeOf = ({ problem, completion }: Example) =>
    judged.rows.findLast(
      ({ judged: { rationale } }) => rationale.problem.id === problem && rationale.text === completion,
    )?.at;
  const first = (page - 1) * PAGE;
  const links = pager(page, pages, (n) => `${base}/weights?page=${n}`);
  return {
    title: `Weights of iteration ${record.n} · ${runId}`,
    here: null,
    main: markup`<p class="sub"><a href="/runs/${runId}">${runId}</a> · <a href="/runs/${runId}/weights">all its weights</a></p>
      <h1>Weights of iteration ${record.n}</h1>
      <section aria-labelledby="h-identity">
        <h2 id="h-identity">Identity</h2>
        ${identity(document, record)}
      </section>
      <section aria-labelledby="h-rows">
        <h2 id="h-rows">Rows it was trained on</h2>
        ${missing.map((what) => markup`<p class="reason">Not to be had: ${what}.</p>`)}
        <div id="rows">
          <p class="note">${rows.length.toLocaleString('en-US')} rows of the model's own, beside the seeds.</p>
          ${links}
          <div class="cards">
            ${shown.map((example, i) => card(example, first + i, placeOf(example), base, asked.row))}
          </div>
          ${links}
        </div>
      </section>`,
  };
}

function card(
  example: Example,
  at: number,
  judged: number | undefined,
  base: string,
  asked: number | undefined,
): Markup {
  const head = markup`<code>${oneLine(example.problem, 120)}</code>`;
  return markup`<article class="card ${at === asked ? 'asked' : ''}" data-item tabindex="-1">
    <h3>${judged === undefined ? head : markup`<a href="${base}/rows/${judged}">${head}</a>`}</h3>
    <p class="meta">
      <span>row <b>${at + 1}</b></span> <span>origin <b>${example.origin}</b></span>
      ${judged === undefined && markup`<span>kept from an earlier iteration, or not sampled</span>`}
    </p>
    <pre class="said" tabindex="0">${visible(example.prompt)}</pre>
    <pre class="said" tabindex="0">${visible(example.completion)}</pre>
  </article>`;
}

function identity(document: RunDocument, record: IterationRecord): Markup {
  const { runId, resolved } = document;
  const trainer = Object.entries(resolved?.recipe.stages ?? {}).find(([, stage]) => stage.use === 'fine-tune');
  const facts: [string, Markup | string | number][] = [
    ['weights digest', markup`<code>${record.weightsDigest}</code>`],
    ['checkpoint', markup`<code>${record.checkpoint}</code>`],
    ['steps', record.steps],
    ['rows trained on', record.trainedOn],
    ['seed rows', resolved?.seeds.rows ?? 'not known'],
    ['base', markup`<a href="/runs/${runId}/iterations/0/weights">iteration 0</a>`],
    ['fingerprint', oneLine(document.fingerprint, 300)],
  ];
  return markup`<dl class="facts">
      ${facts.map(
        ([name, value]) =>
          markup`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${
      record.n > 0 &&
      trainer &&
      markup`<details>
        <summary>How it is trained (${oneLine(trainer[0], 40)})</summary>
        <pre class="said" tabindex="0">${visible(JSON.stringify(trainer[1], null, 2))}</pre>
      </details>`
    }`;
}
