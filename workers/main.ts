/**
 * The worker: composition root of activities, engines, store and Temporal.
 *
 *   node --import tsx workers/main.ts --role all --home .startrail --address 127.0.0.1:7233 --namespace default
 *   node --import tsx workers/main.ts --role train,sample …        on a machine of a cluster; see docs/howto/cluster.md
 *
 * Prints one JSON line when it polls: {"event":"ready"}. Ends, with its engine, on SIGTERM/SIGINT after the shards under way
 * had their grace time (settings.shutdownGraceMs), and with `--owned` when standard input closes: its owner is gone.
 */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { Dependencies } from '../activities/dependencies.ts';
import { dataConverterOf } from '../connection/codec.ts';
import { ConnectionError } from '../connection/failure.ts';
import { loadKeys } from '../connection/keys.ts';
import { loadTarget, plainTarget } from '../connection/profile.ts';
import type { Target } from '../connection/profile.ts';
import type { Engine } from '../engine/engine.ts';
import { createHostedEngine } from '../engine/host.ts';
import { createLanedEngine } from '../engine/lanes.ts';
import { Price } from '../schemas/budget.ts';
import { recipeById, recipeIds } from '../recipes/index.ts';
import { openStore } from '../store/open.ts';
import { taskById, taskIds } from '../tasks/index.ts';
import { settings, stageRules, taskQueues } from '../temporal.config.ts';
import type { EngineSettings, Role } from '../temporal.config.ts';
import { bundleName, keptBundle, workflowBundle } from './bundle.ts';
import type { BundleOptions } from './bundle.ts';
import { CURRENT_COMMAND, currentVersion, deploymentOptions } from './deployment.ts';
import type { Version } from './deployment.ts';
import { createLog, installRuntimeLog } from './log.ts';
import { metricsAddress, startTraces } from './observe.ts';
import { createNotifier, notifyTargets } from './notify.ts';

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

/** An engine in child processes, started at its first request: one that trains, and lanes that sample. */
function startEngine({ kind, threads, lanes, hungAfterMs }: EngineSettings, log: (line: string) => void): Engine {
  const hosted = (count: number) => createHostedEngine({ entry: kind, threads: count, hungAfterMs, log });
  if (lanes === 0) return hosted(threads);
  return createLanedEngine({ sampling: Array.from({ length: lanes }, () => hosted(1)), training: hosted(threads) });
}

const bundleOf = (home: string, options: BundleOptions): Promise<string> =>
  args.bundle === undefined ? workflowBundle(home, options) : keptBundle(home, args.bundle);

/** The server to work for; one that is not this machine's own is asked first, because the SDK would try for long. */
async function serverTarget(): Promise<Target> {
  const { server } = settings;
  if (server.mode === 'embedded') return plainTarget(args.address ?? '127.0.0.1:7233', args.namespace ?? 'default');
  const target = await loadTarget({
    ...server,
    ...(args.address !== undefined && { address: args.address }),
    ...(args.namespace !== undefined && { namespace: args.namespace }),
  });
  const { connect } = await import('../connection/connect.ts');
  await (await connect(target)).close();
  return target;
}

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
  installRuntimeLog(log, await metricsAddress(settings.observe.metrics));
  const tracing = await startTraces(settings.observe.traces);
  const keys = loadKeys(settings.codec);
  const target = await serverTarget();
  const roles = args.role === 'all' ? (Object.keys(taskQueues) as Role[]) : (args.role.split(',') as Role[]);
  checkRoles(roles);

  const engines = new Map(
    Object.entries(settings.engines).map(([name, engine]) => [
      name,
      startEngine(engine, (line) => log.info({ engine: name }, line)),
    ]),
  );
  const spans = path.join(home, 'logs', 'spans.jsonl');
  const deps: Dependencies = {
    store: await openStore(home, settings.store, { probeNow: true }),
    engine: (name) => engines.get(name),
    engineNames: [...engines.keys()],
    defaultEngine: settings.defaultEngine,
    price: (name) => {
      const price = settings.engines[name]?.price;
      return price && Price.parse(price);
    },
    recipe: recipeById,
    recipeIds: recipeIds(),
    task: taskById,
    taskIds: taskIds(),
    dataRoots: settings.dataRoots,
    rules: stageRules,
    shardsInFlight: settings.shardsInFlight,
    fanOutAbove: settings.fanOutAbove,
    snapshotEveryMs: settings.snapshotEveryMs,
    ...(tracing && { trace: tracing.trace }),
    span: (span) => appendFileSync(spans, `${JSON.stringify(span)}\n`),
    notify: createNotifier(notifyTargets(settings.notify), (message, fields) => log.warn(fields, message)),
    log: {
      info: (message, fields) => log.info(fields ?? {}, message),
      warn: (message, fields) => log.warn(fields ?? {}, message),
    },
  };
  const [codePath, connection] = await Promise.all([
    roles.includes('control') ? bundleOf(home, { encrypted: keys.size > 0, traced: tracing?.modules }) : undefined,
    NativeConnection.connect(target.options),
  ]);
  if (codePath !== undefined) deps.bundle = bundleName(codePath);
  if (settings.observe.searchAttributes && roles.includes('control')) {
    const { needSearchAttributes } = await import('./search-attributes.ts');
    await needSearchAttributes(connection.operatorService, target.namespace, args.owned);
    deps.searchAttributes = true;
  }
  const { deployment } = settings;
  const version: Version | undefined =
    deployment !== undefined && deps.bundle !== undefined
      ? { deploymentName: deployment, buildId: deps.bundle }
      : undefined;
  const activities = createActivities(deps);
  const workers = await Promise.all(
    roles.map((role) =>
      Worker.create({
        connection,
        namespace: target.namespace,
        dataConverter: dataConverterOf(keys),
        taskQueue: taskQueues[role],
        activities,
        ...(role === 'control' && codePath ? { workflowBundle: { codePath } } : {}),
        ...(role === 'control' && version && { workerDeploymentOptions: deploymentOptions(version) }),
        ...(tracing && { plugins: [tracing.plugin] }),
        maxConcurrentActivityTaskExecutions: settings.concurrency[role],
        shutdownGraceTime: settings.shutdownGraceMs,
        shutdownForceTime: settings.shutdownGraceMs + 4_000,
        // Fresh progress in the UI, and a cancel that is heard within a second or two.
        maxHeartbeatThrottleInterval: '1s',
        defaultHeartbeatThrottleInterval: '1s',
        // A dead worker's sticky queue must not hold up the next one.
        stickyQueueScheduleToStartTimeout: '2s',
      }),
    ),
  );

  let ending = false;
  const end = (why: string) => {
    if (ending) return;
    ending = true;
    log.info({ why }, 'worker ends');
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  if (args.owned) {
    process.stdin.on('end', () => {
      // The owner is gone: nobody will restart us or end us, so the engine must not outlive this moment.
      log.info('owner is gone');
      for (const engine of engines.values()) void engine.close();
      process.exit(0);
    });
    process.stdin.resume();
  }

  const running = Promise.all(workers.map((worker) => worker.run()));
  const current = version && (await currentVersion(connection, target.namespace, version));
  say({ event: 'ready', pid: process.pid, roles, ...(version && { version: version.buildId, current }) });
  if (version && current !== version.buildId)
    log.warn({ ...version, current }, `new runs go to ${current}; move them here: ${CURRENT_COMMAND(version)}`);
  log.info({ address: target.address, roles }, 'worker ready');
  // In a dead worker's place there are seconds to go until its heartbeats are missed: the engine loads meanwhile.
  if (roles.includes('sample') || roles.includes('train'))
    engines
      .get(settings.defaultEngine)
      ?.describe()
      .catch(() => undefined);
  try {
    await running;
  } finally {
    await Promise.all([...engines.values()].map((engine) => engine.close()));
    await connection.close();
    await tracing?.close();
  }
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
