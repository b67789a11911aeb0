/** What every page has around it. All text of others goes through `markup`; scripts and styles are files of this server. */
import { STATUS } from '../report/page.ts';
import { markup, oneLine } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { RunStatus } from '../schemas/run.ts';

/** A region that is replaced as a whole when it changes; the client finds it by its id. */
export interface Part {
  id: string;
  body: Markup;
}

export const region = ({ id, body }: Part): Markup => markup`<div id="${id}">${body}</div>`;

export interface View {
  title: string;
  /** Of the navigation, the one that is shown. */
  here: 'runs' | 'compare' | null;
  /** Where its changes come from; absent = it does not change. */
  topic?: string;
  main: Markup;
}

export function shell({ title, here, topic, main }: View, writable: boolean): string {
  const link = (name: 'runs' | 'compare', href: string, text: string) =>
    here === name ? markup`<a href="${href}" aria-current="page">${text}</a>` : markup`<a href="${href}">${text}</a>`;
  return markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${oneLine(title)} · Startrail</title>
        <link rel="icon" href="/assets/icon.svg" />
        <link rel="stylesheet" href="/assets/page.css" />
        <script type="module" src="/assets/page.mjs"></script>
      </head>
      <body data-topic="${topic ?? ''}">
        <a class="skip" href="#main">Skip to the content</a>
        <nav class="top" aria-label="Startrail">
          <ul>
            <li>${link('runs', '/', 'Runs')}</li>
            <li>${link('compare', '/compare', 'Compare')}</li>
            <li class="right">
              <span id="live" class="badge" hidden></span>
              <span class="badge">${writable ? 'may steer' : 'read-only'}</span>
              <button type="button" id="help-open" aria-haspopup="dialog">Keys</button>
            </li>
          </ul>
        </nav>
        <main id="main" tabindex="-1">${main}</main>
        <div id="told" role="status" aria-live="polite"></div>
        ${HELP}
      </body>
    </html> `.text;
}

const KEYS = [
  ['/', 'to the search'],
  ['j, k', 'next, previous run or rationale'],
  ['Enter', 'open it'],
  ['n, p', 'next, previous page'],
  ['r, c', 'runs, compare'],
  ['?', 'this help'],
];

const HELP = markup`<dialog id="help" aria-labelledby="help-title">
  <h2 id="help-title">Keys</h2>
  <dl class="facts">
    ${KEYS.map(
      ([key, does]) =>
        markup`<dt><kbd>${key}</kbd></dt>
          <dd>${does}</dd>`,
    )}
  </dl>
  <p>
    <label><input type="checkbox" id="keys-on" checked /> single keys do this</label>
  </p>
  <form method="dialog"><button>Close</button></form>
</dialog>`;

/** The report's colours, and those of what a report has no need to point at. */
const TONE = { ...STATUS, running: 'busy', waiting: 'bad' };
/** A chip that says what a run is doing. */
export const statusBadge = (status: RunStatus): Markup =>
  markup`<span class="badge ${TONE[status] ?? ''}">${status}</span>`;
