/** `run <recipe, task or file.json>`: starts a run and follows it. */
import { runIds } from './document.ts';
import { checkDisk } from './disk.ts';
import { estimate } from './estimate.ts';
import { prepareHome } from './home.ts';
import { chooseRunId, runInput } from './input.ts';
import type { RunOptions } from './input.ts';
import { checkEngine, openStore } from './parts.ts';
import type { Context } from './parts.ts';
import { planInput } from './plan.ts';
import { names } from './registry.ts';
import { beginRun } from './start.ts';

export async function run(context: Context, name: string, options: RunOptions & { dryRun?: boolean }): Promise<number> {
  const { terminal } = context;
  const input = runInput(name, options, names());
  if (options.dryRun) return (await import('./dry-run.ts')).dryRun(context, input);
  const plan = await planInput(input);
  checkEngine(context, plan.engine);
  checkDisk(context.home, estimate(plan, []).diskBytes);
  prepareHome(context.home);
  const taken = await runIds(await openStore(context.home));
  const choose = (names: string[]) => chooseRunId(input, names);
  const { session, runId, leaving } = await beginRun(context, 'run', input, { wanted: options.runId, choose, taken });
  terminal.say(
    `run ${runId} started${session.ui === null ? '' : ` · ${session.ui}/namespaces/default/workflows/${runId}`}`,
  );
  // Loaded now: what a start needs first is a server and a worker.
  const { followToEnd } = await import('./finish.ts');
  return followToEnd(context, session, runId, 'run', leaving, input);
}
