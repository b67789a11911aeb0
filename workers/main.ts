/**
 * The worker's process: its command line and its engines; what they serve is put together in serve.ts.
 *
 *   node scripts/start.mjs workers/main.ts --role all --home .startrail --address 127.0.0.1:7233 --namespace default
 *   node scripts/start.mjs workers/main.ts --role train,sample …     on a machine of a cluster; see docs/howto/cluster.md
 *
 * Prints one JSON line when it polls: {"event":"ready"}. Ends, with its engine, on SIGTERM/SIGINT after the shards under way
 * had their grace time (settings.shutdownGraceMs), and with `--owned` when standard input closes: its owner is gone.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ConnectionError } from '../connection/failure.ts';
import { settings, taskQueues } from '../temporal.config.ts';
import type { Role } from '../temporal.config.ts';
import { startEngines } from './engines.ts';
import { createLog } from './log.ts';

const { values: args } = parseArgs({
  options: {
    role: { type: 'string', default: 'all' },
    home: { type: 'string', default: settings.home },
    address: { type: 'string' },
    namespace: { type: 'string' },
    /** Standard input belongs to an owner: when it closes, he is gone. A service's input is closed from the start. */
    owned: { type: 'boolean', default: false },
    /** Workflow code of an earlier version that the home has kept, by its name in a run's document. */
    bundle: { type: 'string' },
  },
});
const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

/** Throws InvalidInput for a role that does not exist, or that is to run less than one activity. */
function checkRoles(asked: Role[]): void {
  const all = Object.keys(taskQueues);
  const invalid = (message: string) => Object.assign(new Error(message), { code: 'InvalidInput' });
  for (const role of asked) if (!all.includes(role)) throw invalid(`no role ${role}; there are all, ${all.join(', ')}`);
  for (const [role, count] of Object.entries(settings.concurrency))
    if (!all.includes(role) || !Number.isInteger(count) || count < 1)
      throw invalid(`STARTRAIL_CONCURRENCY has ${role}=${count}; expected role=1 or more, of ${all.join(', ')}`);
}

async function main(): Promise<void> {
  const home = path.resolve(args.home);
  const log = createLog(home, 'worker', settings.log.level);
  const roles = args.role === 'all' ? (Object.keys(taskQueues) as Role[]) : (args.role.split(',') as Role[]);
  checkRoles(roles);
  const engines = startEngines(settings.engines, (engine, line) => log.info({ engine }, line));
  if (args.owned) {
    process.stdin.on('end', () => {
      // The owner is gone: nobody will restart us or end us, so the engine must not outlive this moment.
      log.info('owner is gone');
      for (const engine of engines.values()) void engine.close();
      process.exit(0);
    });
    process.stdin.resume();
  }
  // First of all: the engine loads while the SDK does, and in a dead worker's place until its heartbeats are missed.
  if (roles.includes('sample') || roles.includes('train'))
    engines
      .get(settings.defaultEngine)
      ?.describe()
      .catch(() => undefined);
  const { serve } = await import('./serve.ts');
  const { address, namespace, bundle } = args;
  const onReady = (deployed = {}) => say({ event: 'ready', pid: process.pid, roles, ...deployed });
  await serve({ home, roles, engines, log, address, namespace, bundle, owned: args.owned, onReady });
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const { code, message } = error as { code?: unknown; message?: unknown };
    const told = error instanceof ConnectionError ? error.sentence : String(message ?? error);
    say({ event: 'failed', code: typeof code === 'string' ? code : 'WorkerFailed', message: told });
    process.exit(1);
  },
);
