/** What may be done with a run, and the dialogs that ask first. The client sends nothing that was not confirmed there. */
import { markup } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import type { RunDocument, RunStatus } from '../schemas/run.ts';
import type { Action } from './installation.ts';

/** `fork` needs a sealed iteration, whatever the run is doing. */
const FITTING: Partial<Record<RunStatus, Action[]>> = {
  running: ['pause', 'stop'],
  paused: ['resume', 'stop'],
  waiting: ['retry', 'abandon'],
};

const ASKS: Record<Action, { label: string; text: string }> = {
  pause: { label: 'Pause', text: 'No new shard starts; those under way are finished. Nothing is lost.' },
  resume: { label: 'Resume', text: 'The run goes on where it rests.' },
  stop: { label: 'Stop', text: 'The run ends when the shards under way are done; its iteration stays unsealed.' },
  retry: {
    label: 'Retry',
    text: 'The failed iteration is done again. Changes hold for it alone and stand in its ledger.',
  },
  abandon: { label: 'Abandon', text: 'The run, which waits after a failure, ends.' },
  fork: {
    label: 'Fork',
    text: 'A new run shares the iterations before the one named here, and goes on from there with these changes.',
  },
};

function actionsOf(document: RunDocument): Action[] {
  const forkable = document.resolved !== null && document.iterations.length > 0;
  return [...(FITTING[document.status] ?? []), ...(forkable ? (['fork'] as const) : [])];
}

export function actionBar(document: RunDocument, writable: boolean): Markup | false {
  return (
    writable &&
    markup`${actionsOf(document).map((action) => markup`<button type="button" id="do-${action}" data-action="${action}" aria-haspopup="dialog">${ASKS[action].label}</button> `)}`
  );
}

/** All of them, since a run's status changes while its page is open. */
export const actionDialogs = (document: RunDocument): Markup =>
  markup`${(Object.keys(ASKS) as Action[]).map((action) => dialog(document, action))}`;

function dialog({ runId, iterations }: RunDocument, action: Action): Markup {
  const { label, text } = ASKS[action];
  const sealed = iterations.length;
  return markup`<dialog class="confirm" data-confirm="${action}" aria-labelledby="ask-${action}">
    <form data-run="${runId}" data-send="${action}">
      <h2 id="ask-${action}">${label} ${runId}?</h2>
      <p>${text}</p>
      ${
        action === 'fork' &&
        markup`<p>
            <label>First iteration of its own <input name="from" type="number" min="1" step="1" required value="${Math.max(1, sealed)}" /></label>
          </p>
          <p>
            <label>Iterations in all <input name="iterations" type="number" min="1" step="1" placeholder="as before" /></label>
          </p>`
      }
      ${
        (action === 'fork' || action === 'retry') &&
        markup`<p>
          <label>Changes, one a line <textarea name="set" rows="3" placeholder="stages.next.with.learningRate=0.002" spellcheck="false"></textarea></label>
        </p>`
      }
      <p class="refused" role="alert" hidden></p>
      <p class="bar">
        <button type="submit" class="main">${label}</button>
        <button type="button" data-cancel>Cancel</button>
      </p>
    </form>
  </dialog>`;
}
