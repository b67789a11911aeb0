/**
 * A worker at work: activities, engines, store and Temporal put together. Loaded by main.ts once its engines are on their way,
 * for the SDK takes as long to load as they do.
 */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/index.ts';
import type { Dependencies } from '../activities/dependencies.ts';
import { dataConverterOf } from '../connection/codec.ts';
import { loadKeys } from '../connection/keys.ts';
import { loadTarget, plainTarget } from '../connection/profile.ts';
import type { Target } from '../connection/profile.ts';
import type { Engine } from '../engine/engine.ts';
import { openModels } from '../engine/models.ts';
import { recipeById, recipeIds } from '../recipes/index.ts';
import { openStore } from '../store/open.ts';
import { taskById, taskIds } from '../tasks/index.ts';
import { settings, stageRules, taskQueues } from '../temporal.config.ts';
import type { Role } from '../temporal.config.ts';
import { CURRENT_COMMAND, currentVersion, deploymentOptions } from './deployment.ts';
import type { Version } from './deployment.ts';
import { metricsAddress, startTraces } from './observe.ts';
import type { BundleOptions } from './bundle.ts';
import { bundleName, keptBundle, workflowBundle } from './bundle.ts';
import { installRuntimeLog } from './runtime-log.ts';
import { createNotifier, notifyTargets } from './notify.ts';

export interface ServeOptions {
  home: string;
  roles: Role[];
  engines: Map<string, Engine>;
  log: Logger;
  address?: string | undefined;
  namespace?: string | undefined;
  /** Workflow code of an earlier version that the home has kept. */
  bundle?: string | undefined;
  /** Started by an owner whose home the server is a part of. */
  owned: boolean;
  /** Told when it polls; with its version where it is one of a deployment. */
  onReady: (deployed?: { version: string; current: string | undefined }) => void;
}

/** A server that starts together with this worker. */
const SERVER = { withinMs: 60_000, lookMs: 50 };

const bundleOf = ({ home, bundle }: ServeOptions, options: BundleOptions): Promise<string> =>
  bundle === undefined ? workflowBundle(home, options) : keptBundle(home, bundle);

/** The server to work for; one that is not this machine's own is asked first, because the SDK would try for long. */
async function serverTarget({ address, namespace }: ServeOptions): Promise<Target> {
  const { server } = settings;
  if (server.mode === 'embedded') return plainTarget(address ?? '127.0.0.1:7233', namespace ?? 'default');
  const target = await loadTarget({
    ...server,
    ...(address !== undefined && { address }),
    ...(namespace !== undefined && { namespace }),
  });
  const { connect } = await import('../connection/connect.ts');
  await (await connect(target)).close();
  return target;
}

/** The embedded server may be on its way yet; one of somebody else's has answered already. */
async function connectNative({ options }: Target): Promise<NativeConnection> {
  const until = performance.now() + SERVER.withinMs;
  for (;;)
    try {
      return await NativeConnection.connect(options);
    } catch (error) {
      if (settings.server.mode !== 'embedded' || performance.now() > until) throw error;
      await pause(SERVER.lookMs);
    }
}

/** Until SIGTERM or SIGINT. */
export async function serve(options: ServeOptions): Promise<void> {
  const { home, roles, engines, log, owned } = options;
  installRuntimeLog(log, await metricsAddress(settings.observe.metrics));
  const tracing = await startTraces(settings.observe.traces);
  const keys = loadKeys(settings.codec);
  const target = await serverTarget(options);
  const spans = path.join(home, 'logs', 'spans.jsonl');
  const deps: Dependencies = {
    store: await openStore(home, settings.store, { probeNow: true }),
    engine: (name) => engines.get(name),
    engineNames: [...engines.keys()],
    defaultEngine: settings.defaultEngine,
    price: (name) => settings.engines[name]?.price,
    recipe: recipeById,
    recipeIds: recipeIds(),
    task: taskById,
    taskIds: taskIds(),
    models: await openModels(settings.models),
    dataRoots: settings.dataRoots,
    datasets: settings.datasets,
    rules: stageRules,
    shardsInFlight: settings.shardsInFlight,
    fanOutAbove: settings.fanOutAbove,
    snapshotEveryMs: settings.snapshotEveryMs,
    ...(tracing && { trace: tracing.trace }),
    span: (span) => {
      try {
        appendFileSync(spans, `${JSON.stringify(span)}\n`);
      } catch {
        // A measurement that finds no space costs no shard.
      }
    },
    notify: createNotifier(notifyTargets(settings.notify), (message, fields) => log.warn(fields, message)),
    log: {
      info: (message, fields) => log.info(fields ?? {}, message),
      warn: (message, fields) => log.warn(fields ?? {}, message),
    },
  };
  const [codePath, connection] = await Promise.all([
    roles.includes('control') ? bundleOf(options, { encrypted: keys.size > 0, traced: tracing?.modules }) : undefined,
    connectNative(target),
  ]);
  if (codePath !== undefined) deps.bundle = bundleName(codePath);
  if (settings.observe.searchAttributes && roles.includes('control')) {
    const { needSearchAttributes } = await import('./search-attributes.ts');
    await needSearchAttributes(connection.operatorService, target.namespace, owned);
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

  const running = Promise.all(workers.map((worker) => worker.run()));
  const current = version && (await currentVersion(connection, target.namespace, version));
  options.onReady(version && { version: version.buildId, current });
  if (version && current !== version.buildId)
    log.warn({ ...version, current }, `new runs go to ${current}; move them here: ${CURRENT_COMMAND(version)}`);
  log.info({ address: target.address, roles }, 'worker ready');
  try {
    await running;
  } finally {
    await Promise.all([...engines.values()].map((engine) => engine.close()));
    await connection.close();
    await tracing?.close();
  }
}
