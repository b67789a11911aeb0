/**
 * `replay <run> --iteration <n> [--fresh] [--set …]`: a sealed iteration once more, in a workflow of its own.
 *
 *   replay addition-star-s1-1 --iteration 3             answered by the memo, in seconds
 *   replay addition-star-s1-1 --iteration 3 --fresh     all work again; the first digest that differs is named
 *
 * Exit code 1 where an unchanged replay is not what was recorded.
 */
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { withOptions } from '../schemas/changed-options.ts';
import { ReplayResult } from '../schemas/replay.ts';
import type { ReplayInput } from '../schemas/replay.ts';
import { IterationProgress, QUERIES, WORKFLOWS } from '../schemas/run.ts';
import { taskQueues } from '../temporal.config.ts';
import { checkDisk } from './disk.ts';
import { CliError, EXIT } from './exit.ts';
import { Detached, unlessStopped } from './follow.ts';
import { listenForLeave } from './leave.ts';
import { emptyMemory, look } from './look.ts';
import { checkEngine, session as newSession } from './parts.ts';
import type { Context } from './parts.ts';
import { resolvedRun, reusedLine, sealedIteration, storedRun } from './recorded.ts';
import { pause } from './session.ts';
import type { Session } from './session.ts';

export interface ReplayOptions {
  iteration: number;
  fresh?: boolean;
  set?: [string, unknown][];
}

const LOOK_MS = 1_000;

export async function replay(context: Context, runId: string, options: ReplayOptions): Promise<number> {
  const { document } = await storedRun(context, runId);
  const { resolved } = resolvedRun(document);
  const { n } = sealedIteration(document, options.iteration);
  const set = Object.fromEntries(options.set ?? []);
  const { problems } = withOptions(n === 0 ? resolved.prepare : resolved.recipe, set);
  if (problems.length > 0)
    throw new CliError(
      EXIT.input,
      'InvalidInput',
      problems.map(({ field, message }) => `${field}: ${message}`).join('; '),
      problems,
    );
  checkEngine(context, resolved.context.engine);
  checkDisk(context.home, 0);
  const input: ReplayInput = { run: runId, iteration: n, fresh: options.fresh ?? false, set };
  const leaving = listenForLeave();
  try {
    const session = await newSession(context, 'replay');
    leaving.orderly();
    try {
      const handle = await start(session, input);
      context.terminal.say(`replay ${handle.workflowId} started`);
      const result = await unlessStopped(resultOf(context, session, handle), leaving.signal, session);
      return tell(context, result, Object.keys(set).length > 0);
    } finally {
      await session.close();
    }
  } catch (error) {
    if (!(error instanceof Detached)) throw error;
    throw new CliError(
      EXIT.detached,
      'Detached',
      'detached; the replay goes on while somebody works on this home, and its result stands in Temporal’s UI',
    );
  } finally {
    leaving.done();
  }
}

/** `<run>/replay-<n>-<k>` with the first k that is free. */
async function start(session: Session, input: ReplayInput): Promise<WorkflowHandle> {
  for (let k = 1; ; k++) {
    try {
      return await session.client.workflow.start(WORKFLOWS.replay, {
        workflowId: `${input.run}/replay-${input.iteration}-${k}`,
        taskQueue: taskQueues.control,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: `iteration ${input.iteration} of ${input.run} again${input.fresh ? ', without the memo' : ''}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

/** Says what happens until the replay ends. */
async function resultOf(context: Context, session: Session, handle: WorkflowHandle): Promise<ReplayResult> {
  const id = handle.workflowId;
  const told = new Set<string>();
  const say = (text: string) => {
    if (!told.has(text)) context.terminal.say(text);
    told.add(text);
  };
  let ended = false;
  const result = handle.result().finally(() => (ended = true));
  result.catch(() => undefined);
  while (!ended) {
    await Promise.race([pause(LOOK_MS), result.catch(() => undefined)]);
    if (ended || !session.workerReady()) continue;
    const seen = await look(session.connection, session.client, id, emptyMemory(), false).catch(() => undefined);
    if (seen?.stuck) say(`the workflow's code fails and is tried again without end: ${seen.stuck}`);
    for (const { stage, attempt, message } of seen?.retries ?? [])
      say(`${stage} is tried again (attempt ${attempt}): ${message}`);
    const asked = await session.connection
      .withDeadline(Date.now() + LOOK_MS, () => handle.query<unknown>(QUERIES.progress))
      .catch(() => undefined);
    const progress = IterationProgress.safeParse(asked).data;
    for (const [name, stage] of Object.entries(progress?.stages ?? {}))
      if (stage.state === 'done') say(`${name} done (${stage.shards} shards)`);
  }
  try {
    return ReplayResult.parse(await result);
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    if (!(cause instanceof ApplicationFailure)) throw error;
    const exit = cause.type === 'InvalidInput' ? EXIT.input : EXIT.failed;
    throw new CliError(exit, cause.type ?? 'ReplayFailed', cause.message, cause.details?.[0] ?? null);
  }
}

function tell({ terminal }: Context, result: ReplayResult, changedNow: boolean): number {
  const { recorded, replayed, firstDifference: first, compared } = result;
  terminal.say(`          ${'recorded'.padEnd(71)} replayed`);
  terminal.say(`ledger    ${recorded.ledgerDigest} ${replayed.ledgerDigest}`);
  terminal.say(`weights   ${recorded.weightsDigest} ${replayed.weightsDigest}`);
  terminal.say(`stages    ${reusedLine(result.stages, result, '')}`);
  if (compared)
    terminal.say(
      `compared  ${compared.equal} shards equal, ${compared.different} different, ${compared.unknown} of which the memo holds no record`,
    );
  if (first)
    terminal.say(
      `differs   first in ${first.what}${first.shard === null ? '' : `, shard ${first.shard}`}: recorded ${first.recorded}, replayed ${first.replayed}`,
    );
  terminal.say(`replay ${result.replayId}: ${result.same ? 'the same' : 'not the same'}`);
  if (terminal.json) terminal.document(result);
  return result.same || changedNow ? EXIT.ok : EXIT.failed;
}
