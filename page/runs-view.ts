/** All runs of the home, newest first. */
import { percent } from '../report/statistics.ts';
import { markup, oneLine } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { RunDocument } from '../schemas/run.ts';
import type { Archive } from './archive.ts';
import { region, statusBadge } from './layout.ts';
import type { Part, View } from './layout.ts';

/** More rows make no page for people; the others are found by `startrail list`. */
const MOST = 500;

export async function runsParts(archive: Archive): Promise<Part[]> {
  const { documents, unread } = await archive.runs();
  return [{ id: 'runs', body: table(documents, unread) }];
}

export const runsView = (parts: Part[]): View => ({
  title: 'Runs',
  here: 'runs',
  topic: 'runs',
  main: markup`<h1>Runs</h1>
    <section aria-label="Runs">${parts.map(region)}</section>`,
});

/** "2026-11-22 15:00", of an ISO time; the same wherever the page is looked at. */
const moment = (iso: string): string => iso.slice(0, 16).replace('T', ' ');

function table(documents: RunDocument[], unread: string[]): Markup {
  if (documents.length === 0 && unread.length === 0)
    return markup`<p>No runs yet. <code>./bin/startrail run addition</code> starts one.</p>`;
  const row = (document: RunDocument) => {
    const last = document.iterations.at(-1);
    return markup`<tr data-item>
      <th scope="row"><a href="/runs/${document.runId}">${oneLine(document.runId, 100)}</a></th>
      <td class="left">${statusBadge(document.status)}</td>
      <td class="left">${oneLine(document.recipe, 40)}</td>
      <td class="left">${oneLine(document.task, 40)}</td>
      <td>${document.seed}</td>
      <td>${last ? last.n : '–'}</td>
      <td>${document.best ? percent(document.best.accuracy) : '–'}</td>
      <td>${moment(document.startedAt)}</td>
      <td>${moment(document.updatedAt)}</td>
    </tr>`;
  };
  return markup`${unread.map((id) => markup`<p class="reason">The document of ${oneLine(id)} can't be read.</p>`)}
    ${documents.length > MOST && markup`<p class="note">The newest ${MOST} of ${documents.length}; <code>startrail list</code> shows all.</p>`}
    <div class="scroll" tabindex="0" role="region" aria-label="Table of runs">
      <table>
        <thead>
          <tr>
            <th scope="col" class="left">run</th>
            <th scope="col" class="left">status</th>
            <th scope="col" class="left">recipe</th>
            <th scope="col" class="left">task</th>
            <th scope="col">seed</th>
            <th scope="col">iteration</th>
            <th scope="col">best test %</th>
            <th scope="col">started (UTC)</th>
            <th scope="col">changed (UTC)</th>
          </tr>
        </thead>
        <tbody>
          ${documents.slice(0, MOST).map(row)}
        </tbody>
      </table>
    </div>`;
}
