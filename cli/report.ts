/** `report <run>`: writes the HTML and Markdown report anew, from the store alone. */
import path from 'node:path';
import { writeReport } from '../report/report.ts';
import { readRun, runIds, unknownRun } from './document.ts';
import { EXIT } from './exit.ts';
import { homePaths } from './home.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';

export async function report(context: Context, runId: string, options: { out?: string }): Promise<number> {
  const store = await readStore(context.home);
  const document = store ? await readRun(store, runId) : undefined;
  if (!store || !document) throw unknownRun(runId, store ? await runIds(store) : []);
  const folder =
    options.out === undefined ? path.join(homePaths(context.home).reports, runId) : path.resolve(options.out);
  const files = await writeReport(store, document, folder);
  context.terminal.say(files.html);
  context.terminal.say(files.markdown);
  if (context.terminal.json) context.terminal.document({ runId, ...files });
  return EXIT.ok;
}
