/**
 * What there is under which address.
 *
 *   GET  /                                    runs
 *   GET  /runs/<run>[?iteration=n]            one run
 *   GET  /runs/<run>/rationales[?…]           its rationales, filtered and paged (filter.ts)
 *   GET  /runs/<run>/weights                  its models, one from the other
 *   GET  /runs/<run>/iterations/<n>/weights   a model back to its rows
 *   GET  /runs/<run>/iterations/<n>/rows/<i>  a row back to prompt, seed and model
 *   GET  /compare[?a=…&b=…]                   two runs, or recipes as recipe:<id>
 *   GET  /events?topic=…                      its changes, as server-sent events
 *   GET  /assets/<name>                       scripts, style, icon
 *   POST /runs/<run>/<action>                 pause, resume, stop, retry, abandon, fork; with the token
 */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Asked } from './admission.ts';
import { createArchive } from './archive.ts';
import { loadAssets } from './assets.ts';
import { ACTIONS } from './installation.ts';
import type { Action, Installation, LiveRun } from './installation.ts';
import { shell } from './layout.ts';
import type { Part, View } from './layout.ts';
import { compareView } from './compare-view.ts';
import { filterIn } from './filter.ts';
import { createLive } from './live.ts';
import { rationalesView, recordIn } from './rationales-view.ts';
import { createRowArchive } from './rows.ts';
import { rowView } from './row-view.ts';
import { chainView, weightsView } from './weights-view.ts';
import { notFound, Refused } from './refusal.ts';
import { runsParts, runsView } from './runs-view.ts';
import { runParts, runView } from './run-view.ts';
import type { Shown } from './run-view.ts';
import { isFinal } from '../schemas/run.ts';

export interface Answer {
  status?: number;
  type: string;
  body: string | Buffer;
  etag?: string;
  headers?: Record<string, string>;
}

const Changes = z.array(z.string().max(1_000)).max(50).default([]);
const Wished = {
  pause: z.strictObject({}),
  resume: z.strictObject({}),
  stop: z.strictObject({}),
  abandon: z.strictObject({}),
  retry: z.strictObject({ set: Changes }),
  fork: z.strictObject({ set: Changes, from: z.int().min(1), iterations: z.int().min(0).max(1000).optional() }),
} satisfies Record<Action, z.ZodType>;

/** "12" → 12; undefined for what is no whole number of at most nine digits. */
const wholeNumber = (text = ''): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);

/** A whole number of the query; undefined if it is not there. Throws Refused 400. */
function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? '';
  const found = wholeNumber(text);
  if (text !== '' && found === undefined) throw new Refused(400, 'BadQuery', `${name}: expected a whole number`);
  return found;
}

export function createRoutes(options: Installation & { token?: string | undefined; everyMs?: number }) {
  const { store, look, act, log, task } = options;
  const writable = options.token !== undefined;
  const archive = createArchive(store);
  const rows = createRowArchive(store);
  const assets = loadAssets();
  const silent = new Map<string, string>();
  const live = createLive(options.everyMs ?? 1_000, (message) => {
    log({ level: 'warn', code: 'LookFailed', message });
  });
  const html = (view: View): Answer => ({ type: 'text/html; charset=utf-8', body: shell(view, writable) });

  async function shownRun(id: string, chosen: number | undefined): Promise<Shown> {
    const document = await archive.run(id);
    return { document, live: isFinal(document.status) ? null : await seenBy(id), chosen, writable };
  }

  /** null where the server tells nothing; why stands in the log once, until it answers or says something else. */
  async function seenBy(id: string): Promise<LiveRun | null> {
    try {
      const seen = await look(id);
      silent.delete(id);
      return seen;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (silent.get(id) !== message) log({ level: 'warn', code: 'LookFailed', target: id, message });
      silent.set(id, message);
      return null;
    }
  }

  /** What a topic's name stands for. Throws Refused 404, also for a run that there is not. */
  async function partsOf(topic: string): Promise<() => Promise<Part[]>> {
    const [, id, chosen] = /^run\/([^/]+)(?:\/(\d{1,9}))?$/.exec(topic) ?? [];
    if (topic === 'runs') return () => runsParts(archive);
    if (id === undefined) throw notFound('there is no such topic');
    await archive.run(id);
    return async () => runParts(await shownRun(id, wholeNumber(chosen)));
  }

  async function runPage(id: string, rest: string[], query: URLSearchParams): Promise<View> {
    if (rest.length === 0) {
      const shown = await shownRun(id, numberIn(query, 'iteration'));
      return runView(shown, runParts(shown));
    }
    const document = await archive.run(id);
    const [what, iteration, which, row] = rest;
    if (what === 'rationales' && rest.length === 1) return rationalesView(rows, document, filterIn(query));
    if (what === 'weights' && rest.length === 1) return chainView(document);
    const [n, at] = [wholeNumber(iteration), wholeNumber(row)];
    const record = n === undefined ? undefined : recordIn(document, n);
    if (what === 'iterations' && record && which === 'weights' && rest.length === 3)
      return weightsView(rows, document, record, { page: numberIn(query, 'page'), row: numberIn(query, 'row') });
    if (what === 'iterations' && record && which === 'rows' && rest.length === 4 && at !== undefined)
      return rowView(rows, document, record, at, task(document.task));
    throw notFound('there is no such page');
  }

  async function get({ path, query, head }: Asked, response: ServerResponse): Promise<Answer | 'taken'> {
    const [first, second, ...rest] = path;
    if (first === undefined) return html(runsView(await runsParts(archive)));
    if (first === 'assets' && path.length === 2) {
      const found = assets.get(second ?? '');
      if (found) return found;
    }
    if (first === 'events' && path.length === 1 && !head) {
      const topic = query.get('topic') ?? '';
      live.listen(topic, await partsOf(topic), response);
      return 'taken';
    }
    if (first === 'compare' && path.length === 1)
      return html(await compareView(archive, options, { a: query.get('a'), b: query.get('b') }));
    if (first === 'runs' && second !== undefined) return html(await runPage(second, rest, query));
    throw notFound('there is no such page');
  }

  async function post({ path }: Asked, body: unknown): Promise<Answer> {
    const [first, id = '', word] = path;
    const action = ACTIONS.find((one) => one === word);
    if (first !== 'runs' || action === undefined || path.length !== 3) throw notFound('there is nothing to do here');
    const wish = Wished[action].safeParse(body);
    if (!wish.success) {
      const issue = wish.error.issues[0];
      throw new Refused(400, 'BadWish', `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`);
    }
    const { runId } = await archive.run(id);
    const done = await act({ set: [], ...wish.data, run: runId, action });
    log({ level: 'info', code: 'Done', status: 200, method: 'POST', target: path.join('/'), message: done.said });
    return { type: 'application/json', body: JSON.stringify(done) };
  }

  return {
    /** `taken`: the response is somebody else's now. Throws Refused, StoreError. */
    answer: (asked: Asked, body: unknown, response: ServerResponse): Promise<Answer | 'taken'> =>
      asked.method === 'POST' ? post(asked, body) : get(asked, response),
    close: () => live.close(),
  };
}
