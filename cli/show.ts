/**
 * `show <run>`: its state. The store is enough; where the owner of the home is alive, its server is asked too, so that a run
 * whose code keeps failing does not look as if all were well.
 */
import { isFinal } from '../schemas/run.ts';
import { runTable } from '../report/table.ts';
import type { RunDocument } from '../schemas/run.ts';
import { contractJson, readRun, runIds, unknownRun, withStatus } from './document.ts';
import { EXIT } from './exit.ts';
import { homePaths, livingOwner } from './home.ts';
import type { Look } from './look.ts';
import { readStore, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';

/** Undefined where nobody can be asked. */
async function askServer(context: Context, runId: string): Promise<Look | undefined> {
  const owner = livingOwner(homePaths(context.home));
  if (context.server.mode === 'embedded' && owner?.entry?.state !== 'ready') return undefined;
  try {
    const { emptyMemory, look } = await import('./look.ts');
    const session = await newSession(context, 'show', { attachOnly: true });
    try {
      return await look(session.connection, session.client, runId, emptyMemory(), true);
    } finally {
      await session.close();
    }
  } catch {
    return undefined;
  }
}

export async function show(context: Context, runId: string): Promise<number> {
  const { terminal } = context;
  const store = await readStore(context.home);
  const stored = store ? await readRun(store, runId) : undefined;
  const open = stored ? !isFinal(stored.status) : true;
  const live = open ? await askServer(context, runId) : undefined;
  const document = stored && live?.progress ? withStatus(stored, live.progress.status, live.progress.reason) : stored;
  if (!document) {
    if (!live) throw unknownRun(runId, store ? await runIds(store) : []);
    terminal.say(`run ${runId}: ${live.progress?.status ?? 'running'}, nothing stored yet`);
  } else {
    for (const line of summary(document, live !== undefined)) terminal.say(line);
    if (document.iterations.length > 0) terminal.raw(`${runTable(document)}\n`);
  }
  if (live?.stuck) terminal.say(`the workflow's code fails and is tried again without end: ${live.stuck}`);
  if (terminal.json)
    terminal.document(
      document
        ? { ...contractJson(document), stuck: live?.stuck ?? null }
        : {
            runId,
            workflowId: runId,
            status: live?.progress?.status ?? 'running',
            iterations: [],
            stuck: live?.stuck ?? null,
          },
    );
  return EXIT.ok;
}

function summary(document: RunDocument, asked: boolean): string[] {
  const rests =
    !isFinal(document.status) && !asked ? ` (nobody works on it: ./bin/startrail watch ${document.runId})` : '';
  const lines = [
    `run        ${document.runId}`,
    `status     ${document.status}${rests}${document.reason === null ? '' : ` · ${document.reason}`}`,
    `recipe     ${document.recipe} · task ${document.task} · seed ${document.seed}`,
    `started    ${document.startedAt} · last change ${document.updatedAt}`,
    `engine     ${document.fingerprint}`,
  ];
  const { fork } = document.input;
  if (fork) lines.push(`fork       of ${fork.run}, from iteration ${fork.from} on`);
  if (document.resolved?.bundle !== undefined) lines.push(`code       ${document.resolved.bundle}`);
  if (document.ledgerDigest !== null) lines.push(`ledger     ${document.ledgerDigest}`);
  if (document.weightsDigest !== null) lines.push(`weights    ${document.weightsDigest}`);
  return lines;
}
