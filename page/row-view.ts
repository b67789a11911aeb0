/** A row back to where it comes from: prompt, seed, model, verdict; and on to the weights that were trained on it. */
import { rationale } from '../report/cards.ts';
import { strataName } from '../report/statistics.ts';
import { markup, oneLine, visible } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import type { Task } from '../tasks/task.ts';
import type { View } from './layout.ts';
import { originOf } from './prompts.ts';
import { notFound } from './refusal.ts';
import type { Row, RowArchive } from './rows.ts';

export async function rowView(
  archive: RowArchive,
  document: RunDocument,
  record: IterationRecord,
  at: number,
  task: Task | undefined,
): Promise<View> {
  const [{ rows }, { rows: examples }] = await Promise.all([archive.judged(record), archive.examples(record)]);
  // Rows stand in their order; what could not be read leaves gaps.
  const row = rows[at]?.at === at ? rows[at] : rows.find((one) => one.at === at);
  if (!row) throw notFound(`iteration ${record.n} has no row ${at}`);
  const { problem, text, hinted } = row.judged.rationale;
  const taken = examples.findIndex((one) => one.problem === problem.id && one.completion === text);
  const others = rows.filter((one) => one !== row && one.judged.rationale.problem.id === problem.id).slice(0, 20);
  const base = `/runs/${document.runId}/iterations/${record.n}`;
  return {
    title: `${oneLine(problem.id, 60)} · ${document.runId}`,
    here: null,
    main: markup`<p class="sub"><a href="/runs/${document.runId}">${document.runId}</a> · <a href="/runs/${document.runId}/rationales?iteration=${record.n}">rationales of iteration ${record.n}</a></p>
      <h1><code>${oneLine(problem.id, 200)}</code></h1>
      <div class="two">
        <section aria-labelledby="h-said">
          <h2 id="h-said">What the model wrote</h2>
          ${rationale(row.judged, null)}
          <p class="note">${row.tokens} tokens, ended by ${row.judged.rationale.finish}</p>
        </section>
        <section aria-labelledby="h-judged">
          <h2 id="h-judged">What became of it</h2>
          ${fate(row, document, record, taken < 0 ? null : taken)}
        </section>
      </div>
      <section aria-labelledby="h-from">
        <h2 id="h-from">Where it comes from</h2>
        ${from(document, record, row, task)}
      </section>
      ${
        others.length > 0 &&
        markup`<section aria-labelledby="h-others">
          <h2 id="h-others">Other rationales of this problem</h2>
          <ul>
            ${others.map(
              ({ at: other, judged }) =>
                markup`<li>
                  <a href="${base}/rows/${other}">${judged.rationale.hinted ? 'hinted' : 'free'}, sample ${judged.rationale.sample}</a>: ${judged.verdict.verdict}
                </li>`,
            )}
          </ul>
        </section>`
      }
      ${hinted && markup`<p class="note">What was sampled with the answer in sight is trained on under the plain prompt.</p>`}`,
  };
}

const fact = (name: string, value: Markup | string | number): Markup =>
  markup`<dt>${name}</dt>
    <dd>${value}</dd>`;

function fate({ judged, outcome }: Row, document: RunDocument, record: IterationRecord, taken: number | null): Markup {
  const { problem } = judged.rationale;
  const { verdict, sound, firstWrongStep } = judged;
  const weights = `/runs/${document.runId}/iterations/${record.n}/weights`;
  return markup`<dl class="facts">
    ${fact('verdict', verdict.verdict)}
    ${verdict.verdict === 'incorrect' && fact('why', oneLine(verdict.why, 600))}
    ${verdict.verdict === 'unjudged' && fact('cause', oneLine(verdict.cause, 600))}
    ${fact('accepted answers', markup`<code>${oneLine(problem.gold.join(' | '), 300)}</code>`)}
    ${fact('steps', sound === null ? 'not checked' : sound ? 'all right' : `wrong from line ${(firstWrongStep ?? 0) + 1} on`)}
    ${fact('ledger', outcome ?? 'not known')}
    ${fact(strataName(document), oneLine(problem.stratum, 60))}
    ${fact(
      'trained on',
      taken === null
        ? 'no'
        : markup`yes: <a href="${weights}?row=${taken}">row ${taken + 1} of the weights of iteration ${record.n}</a>`,
    )}
  </dl>`;
}

function from(document: RunDocument, record: IterationRecord, { judged }: Row, task: Task | undefined): Markup {
  const { rationale: made } = judged;
  const origin = originOf(document, record, made, task);
  const { model, prefix, prompt } = origin;
  const by = document.iterations.find(({ n }) => n === model);
  return markup`<dl class="facts">
      ${fact('stage', oneLine(origin.stages.join(' or ') || 'not known'))}
      ${fact('sample', made.sample)}
      ${fact('seed', markup`<code>${origin.seed}</code>`)}
      ${fact('temperature', typeof origin.temperature === 'string' ? `as ${oneLine(origin.temperature, 40)} found it best` : (origin.temperature ?? 'by default'))}
      ${fact('top p', origin.topP ?? 'by default')}
      ${fact(
        'model',
        by
          ? markup`<a href="/runs/${document.runId}/iterations/${by.n}/weights">weights of iteration ${by.n}</a> <code>${by.weightsDigest.slice(0, 23)}…</code>`
          : origin.modelRef,
      )}
      ${fact('problem', markup`<code>${oneLine(JSON.stringify(made.problem.data), 1_000)}</code>`)}
    </dl>
    <h3>Prompt${made.hinted && ', with the hint'}</h3>
    ${prompt === null ? markup`<p class="note">The task ${oneLine(document.task)} is not known here.</p>` : markup`<pre class="said" tabindex="0">${visible(prompt)}</pre>`}
    ${prefix !== '' && markup`<details><summary>Few-shot examples before it</summary><pre class="said" tabindex="0">${visible(prefix)}</pre></details>`}
    ${origin.form !== 'shots' && markup`<p class="note">Form of the prompt: ${oneLine(origin.form, 40)}.</p>`}`;
}
