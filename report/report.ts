/**
 * The report of a run, from its document and the store alone: it works when the workflow engine has forgotten the run, while
 * the run is under way, after it failed, and when artifacts are gone (it says which).
 *
 *   const { html, markdown, metrics } = await writeReport(store, document, 'reports/night-1');
 *
 * Writes `report.markup` (one self-contained file), `report.md` and `metrics.jsonl`, each by rename, so that a reader never
 * sees half of one. The same document and store ⇒ the same bytes.
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunDocument } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { figuresOf } from './figures.ts';
import { markdown } from './markdown.ts';
import { metricsLines } from './metrics.ts';
import { optionsOf } from './options.ts';
import { page } from './page.ts';
import type { Parts } from './page.ts';
import { samplesOf } from './samples.ts';

/** Paths of the files written. */
export interface ReportFiles {
  html: string;
  markdown: string;
  metrics: string;
}

/** Reads what a report shows. */
export async function gather(store: Store, document: RunDocument): Promise<Parts> {
  const [options, samples] = [await optionsOf(store, document), await samplesOf(store, document)];
  return { document, figures: figuresOf(document), options, samples };
}

/** Writes the report's files into a folder, which is made if absent. Throws what the file system throws. */
export async function writeReport(store: Store, document: RunDocument, folder: string): Promise<ReportFiles> {
  const parts = await gather(store, document);
  await mkdir(folder, { recursive: true });
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    const unfinished = `${path}.${process.pid}.part`;
    try {
      await writeFile(unfinished, text);
      await rename(unfinished, path);
    } finally {
      await rm(unfinished, { force: true });
    }
    return path;
  };
  return {
    html: await write('report.html', page(parts)),
    markdown: await write('report.md', markdown(parts)),
    metrics: await write('metrics.jsonl', metricsLines(document)),
  };
}
