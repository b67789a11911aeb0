/** `report <run>`: writes the HTML and Markdown report anew, from the store alone. */
import path from 'node:path';
import { writeReport } from '../report/report.ts';
import { EXIT } from './exit.ts';
import { homePaths } from './home.ts';
import type { Context } from './parts.ts';
import { storedRun } from './recorded.ts';

export async function report(context: Context, runId: string, options: { out?: string }): Promise<number> {
  const { store, document } = await storedRun(context, runId);
  const folder =
    options.out === undefined ? path.join(homePaths(context.home).reports, runId) : path.resolve(options.out);
  const files = await writeReport(store, document, folder);
  context.terminal.say(files.html);
  context.terminal.say(files.markdown);
  if (context.terminal.json) context.terminal.document({ runId, ...files });
  return EXIT.ok;
}
