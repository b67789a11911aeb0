/**
 * `export model <run> <folder>`: an iteration's model as transformers (or PEFT) loads it; `export dataset <run> <folder>`: the rows
 * it was trained on, as JSON Lines under a card.
 *
 * From the store alone, no server needed. A folder appears whole or not at all; one that is there is not written into.
 */
import { existsSync } from 'node:fs';
import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exportStored } from '../engine/tfjs/export.ts';
import type { Model } from '../schemas/checkpoint.ts';
import { Example } from '../schemas/example.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { rowBatches } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { CliError, EXIT } from './exit.ts';
import type { Context } from './parts.ts';
import { sealedIteration, storedRun } from './recorded.ts';

export interface ExportOptions {
  iteration?: number;
  adapter?: boolean;
}

const bad = (code: string, message: string) => new CliError(EXIT.input, code, message);

/** The iteration asked for, else the best on dev. */
function chosen(document: RunDocument, asked: number | undefined): IterationRecord {
  const n = asked ?? document.best?.n;
  if (n === undefined)
    throw bad('UnknownIteration', `run ${document.runId} has no sealed iteration yet; \`watch\` it until it has`);
  return sealedIteration(document, n);
}

/** Fills a folder beside the wanted one and moves it there. */
async function whole(wanted: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = path.resolve(wanted);
  if (existsSync(folder)) throw bad('FolderExists', `${folder} is there already; name a folder that is not`);
  const unfinished = `${folder}.${process.pid}.tmp`;
  try {
    await mkdir(unfinished, { recursive: true });
    await fill(unfinished);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // What transformers has no form for is the model that was asked for, not a failure.
    if (error instanceof Error && 'code' in error && error.code === 'CheckpointInvalid')
      throw bad('CheckpointInvalid', error.message.replace(/^CheckpointInvalid: /, ''));
    throw error;
  }
  return folder;
}

const opened = async (store: Store, { checkpoint, weightsDigest }: Omit<Model, 'base'>) => ({
  path: await store.open(checkpoint.digest),
  digest: weightsDigest,
});

export async function exportModel(context: Context, runId: string, wanted: string, options: ExportOptions) {
  const { store, document } = await storedRun(context, runId);
  const { n, model } = chosen(document, options.iteration);
  if (options.adapter && model.base === undefined)
    throw bad('NoAdapter', `iteration ${n} of ${runId} is a whole model, no adapter; leave --adapter out`);
  const baseName = options.adapter ? (document.input.model ?? model.base!.weightsDigest) : undefined;
  const folder = await whole(wanted, async (at) => {
    const base = model.base && (await opened(store, model.base));
    await exportStored({ ...(await opened(store, model)), base }, at, baseName);
  });
  const { weightsDigest } = model;
  const what = options.adapter ? `adapter (PEFT) on ${baseName}` : 'model (transformers)';
  context.terminal.say(`${what} of ${runId}, iteration ${n}: ${folder}`);
  if (context.terminal.json)
    context.terminal.document({
      runId,
      iteration: n,
      kind: options.adapter ? 'adapter' : 'model',
      weightsDigest,
      folder,
    });
  return EXIT.ok;
}

export async function exportDataset(context: Context, runId: string, wanted: string, options: ExportOptions) {
  const { store, document } = await storedRun(context, runId);
  const record = chosen(document, options.iteration);
  const counts = new Map<string, number>();
  const folder = await whole(wanted, async (at) => {
    const file = path.join(at, 'train.jsonl');
    await writeFile(file, '');
    const rows = { shards: record.examples, rows: record.examples.reduce((sum, ref) => sum + (ref.rows ?? 0), 0) };
    for await (const batch of rowBatches(store, rows, Example)) {
      for (const { origin } of batch) counts.set(origin, (counts.get(origin) ?? 0) + 1);
      await appendFile(file, batch.map((row) => `${JSON.stringify(row)}\n`).join(''));
    }
    await writeFile(path.join(at, 'README.md'), card(document, record, counts));
  });
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
  context.terminal.say(`${rows} training rows of ${runId}, iteration ${record.n}: ${folder}`);
  if (context.terminal.json) context.terminal.document({ runId, iteration: record.n, rows, folder });
  return EXIT.ok;
}

/** A card as the Hub shows it; the same iteration gives the same text. */
function card(
  document: RunDocument,
  { n, ledgerDigest }: IterationRecord,
  counts: ReadonlyMap<string, number>,
): string {
  const { runId, recipe, task, seed } = document;
  const table = [...counts].sort().map(([origin, count]) => `| ${origin} | ${count} |`);
  return `---
configs:
  - config_name: default
    data_files: train.jsonl
---

# ${task}: training rows of ${runId}, iteration ${n}

Rationales that the model of the iteration before wrote and a verifier accepted, and the seed rationales it was trained on beside
them; made by recipe \`${recipe}\`, seed ${seed}. Ledger: \`${ledgerDigest}\`.

| origin | rows |
|---|---|
${table.join('\n')}

\`prompt\` and \`completion\` are the texts; \`completionTokens\`, where it is there, the sampled ids with the end token. \`hinted\` rows
were sampled with the answer in sight and stand under the plain prompt; \`identity\` tells problems apart.
`;
}
