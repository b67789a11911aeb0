/**
 * `models list|promote|rollback`: a task's current checkpoint, with its history and lineage. From the store alone.
 *
 *   models list addition
 *   models promote addition --run night-3 --iteration 4     by hand, past the gate; the history says so
 *   models rollback addition                                where the pointer stood before
 */
import { randomUUID } from 'node:crypto';
import Table from 'cli-table3';
import { currentModel, promotionsOf } from '../schemas/models.ts';
import type { ModelEntry, NumberedEvent } from '../schemas/models.ts';
import type { RunDocument } from '../schemas/run.ts';
import { appendEvent, readEvents, tasksWithModels } from '../store/models.ts';
import type { Store } from '../store/store.ts';
import { CliError, EXIT } from './exit.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { storedRun } from './recorded.ts';

export interface PromoteOptions {
  run: string;
  iteration?: number;
}

const bad = (code: string, message: string, details: unknown = null) =>
  new CliError(EXIT.input, code, message, details);

/** One task as JSON and as the table shows it. */
const modelsJson = (task: string, events: NumberedEvent[]) => ({
  task,
  current: currentModel(events) ?? null,
  history: events,
});

const pointerOf = ({ run, iteration, model }: ModelEntry) =>
  `${run} › ${iteration} · ${model.checkpoint.digest.slice(7, 19)}`;

function subject(event: NumberedEvent): string {
  if (event.what === 'rolled-back') return event.to === null ? 'to none' : `to event ${event.to}`;
  return event.what === 'failed' ? event.run : pointerOf(event.entry);
}

export async function listModels(context: Context, task?: string): Promise<number> {
  const { terminal } = context;
  const store = await readStore(context.home);
  const tasks = store ? (await tasksWithModels(store)).filter((one) => task === undefined || one === task) : [];
  const all = [];
  for (const one of tasks) all.push(modelsJson(one, await readEvents(store as Store, one)));
  if (terminal.json) {
    terminal.document(all);
    return EXIT.ok;
  }
  if (all.length === 0)
    terminal.say(
      `no model of ${task ?? 'any task'} has been promoted; \`./bin/startrail models promote <task> --run <id>\` does it by hand`,
    );
  for (const { task: id, current, history } of all) {
    terminal.raw(`${id}: ${current ? `event ${current.n}, ${pointerOf(current.entry)}` : 'no current model'}\n`);
    const table = new Table({ head: ['event', 'at', 'what', 'model', 'by', 'why'], style: { head: [], border: [] } });
    for (const event of history)
      table.push([
        `${event.n}${event.n === current?.n ? ' *' : ''}`,
        event.at.slice(0, 16).replace('T', ' '),
        event.what,
        subject(event),
        event.by,
        event.reason,
      ]);
    terminal.raw(`${table.toString()}\n`);
  }
  return EXIT.ok;
}

/** An iteration of a run as a pointer's entry. Throws InvalidInput for another task and an iteration that is not sealed. */
export function entryOf(document: RunDocument, task: string, asked?: number): ModelEntry {
  const { runId, recipe, seed, resolved, fingerprint, iterations, best } = document;
  if (document.task !== task)
    throw bad(
      'InvalidInput',
      `run ${runId} is of task ${document.task}, not ${task}: name that task, or another --run`,
    );
  const n = asked ?? best?.n;
  const record = iterations.find((one) => one.n === n);
  if (!record || !resolved)
    throw bad(
      'InvalidInput',
      `run ${runId} has no sealed iteration${n === undefined ? '' : ` ${n}`}; it has ${iterations.map((one) => one.n).join(', ') || 'none'}`,
    );
  return {
    run: runId,
    iteration: record.n,
    recipe,
    seed,
    parameters: resolved.context.parameters,
    fingerprint,
    ledgerDigest: record.ledgerDigest,
    model: record.model,
  };
}

function tell(context: Context, task: string, events: NumberedEvent[], did: NumberedEvent): number {
  const current = currentModel(events);
  const { terminal } = context;
  terminal.say(`${task}: event ${did.n}, ${did.what}; current: ${current ? pointerOf(current.entry) : 'none'}`);
  if (terminal.json) terminal.document({ task, event: did, current: current ?? null });
  return EXIT.ok;
}

export async function promoteModel(context: Context, task: string, options: PromoteOptions): Promise<number> {
  const { store, document } = await storedRun(context, options.run);
  const entry = entryOf(document, task, options.iteration);
  const { digest } = entry.model.checkpoint;
  if (!(await store.has(digest)))
    throw bad(
      'ArtifactMissing',
      `the checkpoint ${digest} of ${options.run} › ${entry.iteration} is gone from ${store.location}; replay that iteration or promote another`,
    );
  const key = `hand/${randomUUID()}`;
  const did = await appendEvent(store, task, (events) => {
    const standing = currentModel(events);
    if (standing?.entry.model.checkpoint.digest === digest)
      throw bad('AlreadyCurrent', `${pointerOf(entry)} is the current model of ${task} already (event ${standing.n})`);
    return {
      format: 1,
      at: new Date().toISOString(),
      by: 'person',
      key,
      reason: 'promoted by hand, past the gate',
      what: 'promoted',
      entry,
      gate: null,
    };
  });
  return tell(context, task, await readEvents(store, task), did);
}

export async function rollbackModel(context: Context, task: string, options: { to?: number }): Promise<number> {
  const store = await readStore(context.home);
  const key = `hand/${randomUUID()}`;
  const none = bad(
    'NothingToRollBack',
    `no model of ${task} is promoted; \`./bin/startrail models list\` shows the history`,
  );
  if (!store) throw none;
  const did = await appendEvent(store, task, (events) => {
    const stack = promotionsOf(events);
    const current = stack.pop();
    if (current === undefined) throw none;
    if (options.to !== undefined && !stack.includes(options.to))
      throw bad(
        'InvalidInput',
        `event ${options.to} is no promotion that ${task} can go back to; there are ${stack.join(', ') || 'none'} (without --to: to ${stack.at(-1) ?? 'none'})`,
      );
    return {
      format: 1,
      at: new Date().toISOString(),
      by: 'person',
      key,
      reason: `event ${current} is taken back`,
      what: 'rolled-back',
      to: options.to ?? stack.at(-1) ?? null,
    };
  });
  return tell(context, task, await readEvents(store, task), did);
}
