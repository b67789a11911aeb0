/** `watch <run>`: follows a run, starting the embedded server and worker again where nobody runs them. */
import { serverName } from '../connection/profile.ts';
import { isFinal } from '../schemas/run.ts';
import { WorkflowNotFoundError } from '@temporalio/client';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { readRun, runIds, unknownRun } from './document.ts';
import { CliError, EXIT, exitOfStatus } from './exit.ts';
import { followToEnd, present } from './finish.ts';
import { homePaths } from './home.ts';
import { listenForLeave } from './leave.ts';
import { checkEngine, readStore, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';
import { workerProgram } from './worker-process.ts';

export async function watch(context: Context, runId: string, options: { startedCode?: boolean } = {}): Promise<number> {
  const store = await readStore(context.home);
  const document = store ? await readRun(store, runId) : undefined;
  if (store && document && isFinal(document.status)) {
    await present(context, store, document, null);
    return exitOfStatus(document.status);
  }
  const known = store ? await runIds(store) : [];
  // A run without a document may have been started just now; without a database nobody could have.
  if (!document && context.server.mode === 'embedded' && !existsSync(homePaths(context.home).database))
    throw unknownRun(runId, known);
  if (document?.resolved) checkEngine(context, document.resolved.context.engine);
  const leaving = listenForLeave();
  const own = options.startedCode ? startedCode(context, runId, document?.resolved?.bundle) : {};
  const session = await newSession(context, 'watch', own);
  leaving.orderly();
  try {
    await session.client.workflow.getHandle(runId).describe();
  } catch (error) {
    await session.close();
    leaving.done();
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    if (!document) throw unknownRun(runId, known);
    throw new CliError(
      EXIT.failed,
      'RunForgotten',
      `the server at ${session.address} does not know run ${runId}: its data were deleted while the run was ${document.status}. \`./bin/startrail show ${runId}\` shows what is left; start it anew under another id, finished stages are not done again`,
    );
  }
  return followToEnd(context, session, runId, 'watch', leaving, document?.input);
}

/** A worker with the workflow code that the run was started with; it has to be this process that starts it. */
function startedCode(context: Context, runId: string, bundle: string | undefined) {
  const without = (code: string, why: string) =>
    new CliError(EXIT.input, code, `${why}; watch it without --started-code, or fork it`, { runId, bundle });
  if (context.server.mode === 'remote')
    throw new CliError(
      EXIT.input,
      'WorkersElsewhere',
      `the workers of ${serverName(context.server)} are not this command's to start: start one there with \`--bundle ${bundle ?? '<name>'}\` (the home it was started from keeps that code)`,
    );
  if (bundle === undefined)
    throw without('BundleUnknown', `run ${runId} does not say with which workflow code it was started`);
  const file = path.join(homePaths(context.home).bundles, `${bundle}.js`);
  if (!existsSync(file))
    throw without('BundleMissing', `the workflow code that run ${runId} was started with, ${file}, is gone`);
  return { mustOwn: true, worker: [...workerProgram(), '--bundle', bundle] };
}
