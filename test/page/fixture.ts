/** A live page over a store of made-up runs, and requests to it as browsers and others send them. */
import http from 'node:http';
import net from 'node:net';
import type { Installation, LiveRun, LogEntry, Wish } from '../../page/installation.ts';
import { startPage } from '../../page/server.ts';
import type { Page } from '../../page/server.ts';
import { exampleOf } from '../../activities/select.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { Judged } from '../../schemas/verdict.ts';
import { readRows, writeRows } from '../../store/rows.ts';
import addition from '../../tasks/addition.ts';
import { recipeById, recipeIds } from '../../recipes/index.ts';
import type { IterationRecord, RunDocument } from '../../schemas/run.ts';
import type { Store } from '../../store/store.ts';
import { taskById } from '../../tasks/index.ts';
import { runOf, temporaryStore } from '../report/fixture.ts';
import type { RunShape } from '../report/fixture.ts';

export const TOKEN = 'a-token-that-only-the-test-has';

export interface Opened {
  page: Page;
  store: Store;
  log: LogEntry[];
  wishes: Wish[];
  /** What `look` answers. */
  sees: (runId: string) => LiveRun | null;
}

export async function keepRun(store: Store, document: RunDocument): Promise<RunDocument> {
  await store.replaceName(`runs/${document.runId}`, document);
  return document;
}

/** The training rows that `select` would have made of what was accepted. */
async function withExamples(store: Store, record: IterationRecord): Promise<IterationRecord> {
  if (record.judged.length === 0) return record;
  const rows = await readRows(store, { shards: record.judged, rows: sum(record.judged) }, Judged);
  const accepted = rows.filter(({ verdict }) => verdict.verdict === 'correct');
  return {
    ...record,
    examples: [
      await writeRows(
        store,
        accepted.map(({ rationale }) => exampleOf(addition, rationale)),
      ),
    ],
  };
}
const sum = (refs: ArtifactRef[]): number => refs.reduce((all, { rows }) => all + (rows ?? 0), 0);

/** A store with one run of this shape. */
export async function storeWith(shape: RunShape, more: Partial<RunDocument> = {}) {
  const { store } = await temporaryStore();
  const document = await runOf(store, shape);
  const iterations = await Promise.all(document.iterations.map((record) => withExamples(store, record)));
  return { store, document: await keepRun(store, { ...document, iterations, ...more }) };
}

export async function openPage(
  store: Store,
  options: { token?: string; everyMs?: number; act?: Installation['act'] } = {},
): Promise<Opened> {
  const opened: Omit<Opened, 'page'> = { store, log: [], wishes: [], sees: () => null };
  const page = await startPage({
    store,
    task: taskById,
    recipe: recipeById,
    recipes: recipeIds(),
    look: async (runId) => opened.sees(runId),
    act: async (wish) => {
      opened.wishes.push(wish);
      return options.act ? options.act(wish) : { run: wish.run, said: `${wish.run} ${wish.action}` };
    },
    log: (entry) => opened.log.push(entry),
    port: 0,
    everyMs: options.everyMs ?? 50,
    token: options.token,
  });
  return Object.assign(opened, { page });
}

export interface Got {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** The target goes out as it is given: `fetch` would tidy up `..` and refuse a Host of its own. */
export function ask(
  { url }: Page,
  target: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Got> {
  const { port } = new URL(url);
  return new Promise((done, fail) => {
    const request = http.request(
      { port, host: '127.0.0.1', path: target, method, headers, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
        response.on('error', fail);
      },
    );
    request.on('error', fail);
    request.end(body);
  });
}

/** Bytes that are no request of any client; what came back until the server closed, at most `ms`. */
export function raw({ url }: Page, bytes: string | Buffer, ms = 3_000): Promise<string> {
  const { port } = new URL(url);
  return new Promise((done) => {
    let text = '';
    const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    socket.setTimeout(ms, () => socket.destroy());
    socket.on('close', () => done(text));
  });
}
