/**
 * The run document as the contract's JSON, and reading it from the store. `show`, `list`, `ledger`, `report` use this alone,
 * so they work when the server's data are gone.
 */
import { RunDocument } from '../schemas/run.ts';
import type { IterationRecord, RunStatus } from '../schemas/run.ts';
import { nearest } from '../schemas/nearest.ts';
import type { Store } from '../store/store.ts';
import { CliError, EXIT } from './exit.ts';

const PREFIX = 'runs/';

export async function runIds(store: Store): Promise<string[]> {
  return (await store.listNames(PREFIX))
    .map((name) => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name))
    .sort();
}

export async function readRun(store: Store, runId: string): Promise<RunDocument | undefined> {
  const found = await store.getName(PREFIX + runId);
  if (found === undefined) return undefined;
  const parsed = RunDocument.safeParse(found);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CliError(
    EXIT.unreachable,
    'RunDocumentInvalid',
    `the document of run ${runId} in ${store.location} is not of format 1 (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`,
  );
}

export const writeRun = (store: Store, document: RunDocument): Promise<void> =>
  store.replaceName(PREFIX + document.runId, document);

export function unknownRun(runId: string, known: string[]): CliError {
  const near = nearest(runId, known);
  return new CliError(
    EXIT.input,
    'UnknownRun',
    `there is no run ${runId}${near === undefined ? ';' : `; did you mean ${near}?`} \`./bin/startrail list\` shows them all`,
    { found: runId, nearest: near ?? null },
  );
}

const iterationJson = (record: IterationRecord) => ({
  n: record.n,
  drawn: record.drawn,
  ledger: record.ledger,
  soundShare: record.soundShare,
  dev: record.dev,
  accuracy: record.accuracy,
  seconds: record.seconds,
  trainedOn: record.trainedOn,
  steps: record.steps,
  checkpoint: record.checkpoint,
  // beyond the contract
  weightsDigest: record.weightsDigest,
  ledgerDigest: record.ledgerDigest,
  tokens: record.tokens,
  shards: record.shards,
  stages: record.stages ?? null,
  attempt: record.attempt,
  changed: record.changed,
  carried: record.carried,
  partial: record.partial,
  rolledBackTo: record.rolledBackTo ?? null,
  drawnNew: record.drawnNew ?? null,
  spent: record.spent ?? null,
  ranking: record.ranking ?? null,
  losses: record.losses ?? null,
});

/** The contract's shape; what the contract does not name stands after it. */
export const contractJson = (document: RunDocument) => ({
  runId: document.runId,
  workflowId: document.workflowId,
  status: document.status,
  recipe: document.recipe,
  task: document.task,
  seed: document.seed,
  iterations: document.iterations.map(iterationJson),
  best: document.best,
  ledgerDigest: document.ledgerDigest,
  weightsDigest: document.weightsDigest,
  fingerprint: document.fingerprint,
  forkOf: document.input.fork ?? null,
  reason: document.reason,
  decisions: document.decisions ?? [],
  startedAt: document.startedAt,
  updatedAt: document.updatedAt,
});

/** The document with what the server knows better: a terminated run could not write its own end. */
export function withStatus(document: RunDocument, status: RunStatus, reason: string | null): RunDocument {
  return document.status === status ? document : { ...document, status, reason: reason ?? document.reason };
}

/** Stands in where a run ended before it wrote its first document. */
export function emptyDocument(
  runId: string,
  input: RunDocument['input'],
  status: RunStatus,
  reason: string | null,
): RunDocument {
  const now = new Date().toISOString();
  return {
    format: 1,
    runId,
    workflowId: runId,
    status,
    reason,
    recipe: typeof input.recipe === 'string' ? input.recipe : input.recipe.id,
    task: input.task,
    seed: input.seed,
    iterations: [],
    best: null,
    ledgerDigest: null,
    weightsDigest: null,
    fingerprint: '',
    input,
    resolved: null,
    startedAt: now,
    updatedAt: now,
  };
}
