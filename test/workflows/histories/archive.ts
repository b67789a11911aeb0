/**
 * Committed histories: one compressed file a scenario, in a folder for the version that wrote them.
 *
 *   test/workflows/histories/0.1.0/nights.json.br   [{ workflowId, type, history }, …], one a workflow execution
 *
 * `npm run histories` writes the folder of today's version and touches no other: what a released version wrote must go on being
 * replayed. Held here is what replay needs; who ran the workers, and where, is not. Payloads stand there as the JSON they carry,
 * not as base64, of which neither a person nor a compressor makes much.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { WorkflowClient } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const SUFFIX = '.json.br';

/** In the JSON form of protocol buffers, as `temporal workflow show --output json` prints it. */
export interface HistoryJson {
  events: Record<string, unknown>[];
}
export interface Recorded {
  workflowId: string;
  type: string;
  history: HistoryJson;
}

/** The version whose histories are written now. */
export const currentVersion = (): string => {
  const { version } = JSON.parse(readFileSync(path.join(folder, '../../../package.json'), 'utf8')) as {
    version: string;
  };
  return version;
};

export const versions = (): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

export const scenariosOf = (version: string): string[] =>
  readdirSync(path.join(folder, version))
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();

export const readHistories = (version: string, scenario: string): Recorded[] =>
  packed(
    JSON.parse(brotliDecompressSync(readFileSync(path.join(folder, version, `${scenario}${SUFFIX}`))).toString('utf8')),
  ) as Recorded[];

/** Empties the folder of a version. */
export function clearVersion(version: string): void {
  rmSync(path.join(folder, version), { recursive: true, force: true });
  mkdirSync(path.join(folder, version));
}

/** Returns the bytes written. */
export function writeHistories(version: string, scenario: string, recorded: Recorded[]): number {
  const text = Buffer.from(JSON.stringify(recorded.map(unpacked)).replaceAll(TEST_HOME, 'home'));
  const bytes = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
  writeFileSync(path.join(folder, version, `${scenario}${SUFFIX}`), bytes);
  return bytes.length;
}

/** Every value in a JSON document, changed by `change` where that gives something. */
function mapped(value: unknown, change: (object: Record<string, unknown>) => unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => mapped(one, change));
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Record<string, unknown>;
  return change(object) ?? Object.fromEntries(Object.entries(object).map(([key, one]) => [key, mapped(one, change)]));
}

const PLAIN = Buffer.from('json/plain').toString('base64');
/** Payloads that are JSON as that JSON, where the way back gives the same bytes. */
const unpacked = (whole: unknown): unknown =>
  mapped(whole, ({ metadata, data, ...rest }) => {
    const { encoding } = (metadata ?? {}) as { encoding?: unknown };
    if (encoding !== PLAIN || typeof data !== 'string' || Object.keys(rest).length > 0) return undefined;
    const text = Buffer.from(data, 'base64').toString('utf8');
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text ? { $json: value } : undefined;
  });
const packed = (whole: unknown): unknown =>
  mapped(whole, (object) =>
    '$json' in object
      ? { metadata: { encoding: PLAIN }, data: Buffer.from(JSON.stringify(object.$json)).toString('base64') }
      : undefined,
  );

/** Which process on which machine did it, and where its code lay: nothing that a replay reads. */
const PRIVATE = ['identity', 'stackTrace'];
const scrubbed = (whole: unknown): unknown =>
  mapped(whole, (object) => {
    if (object.kind === 'TASK_QUEUE_KIND_STICKY') return { ...object, name: 'sticky' };
    if (!PRIVATE.some((key) => key in object)) return undefined;
    return scrubbed(Object.fromEntries(Object.entries(object).filter(([key]) => !PRIVATE.includes(key))));
  });
/** Failures name the file that they miss. */
const TEST_HOME = new RegExp(`${os.tmpdir()}/startrail-test-\\w+`, 'g');

/** Every execution whose workflow's id is `root` or begins with it and a slash; closed ones only. Oldest first. */
export async function recordHistories(
  client: WorkflowClient,
  root: string,
  wanted: (workflowId: string) => boolean = () => true,
): Promise<Recorded[]> {
  const found: (Recorded & { started: number })[] = [];
  for await (const one of client.list({ query: `WorkflowId STARTS_WITH "${root}"` })) {
    const { workflowId, runId, type, startTime, status } = one;
    if (status.name === 'RUNNING') throw new Error(`${workflowId} has not ended; a scenario ends all it starts`);
    if (!wanted(workflowId)) continue;
    const events = await client.getHandle(workflowId, runId).fetchHistory();
    const history = scrubbed(JSON.parse(historyToJSON(events))) as HistoryJson;
    found.push({ workflowId, type, history, started: startTime.getTime() });
  }
  found.sort((x, y) => x.started - y.started || x.workflowId.localeCompare(y.workflowId));
  return found.map(({ workflowId, type, history }) => ({ workflowId, type, history }));
}
