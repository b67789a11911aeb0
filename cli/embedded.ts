/**
 * The embedded installation: this process owns the home, runs its Temporal server and its worker, and ends them with itself.
 *
 * A dead owner's server and worker are ended first, never doubled. On SIGKILL of the owner the worker sees its input close
 * and the server's guardian ends the server; whatever outlives even that is ended by the next owner.
 */
import { rmSync } from 'node:fs';
import { CliError, EXIT } from './exit.ts';
import { livingOwner, prepareHome, readOwner, writeJson } from './home.ts';
import type { HomePaths, Owner } from './home.ts';
import { acquire } from './lock.ts';
import type { Lock } from './lock.ts';
import { choosePorts } from './ports.ts';
import { endProcess, findByCommand } from './process-identity.ts';
import { serverNeedle, superviseServer } from './server-process.ts';
import type { Supervised } from './supervise.ts';
import { superviseWorker, workerNeedle, workerProgram } from './worker-process.ts';

export interface Embedded {
  paths: HomePaths;
  address: string;
  namespace: string;
  ui: string;
  /** The worker took its first task queue. */
  workerReady: Promise<void>;
  /** Rejects when server or worker is given up. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  home: string;
  verb: string;
  /** Path of the Temporal CLI. */
  temporal: string | undefined;
  say: (text: string) => void;
  /** Another program in the worker's place (tests). */
  worker?: string[];
  /** Called once, when server and worker are on their way. */
  meanwhile?: () => void;
}

const GRACE = { workerMs: 6_000, serverMs: 4_000, leftoverMs: 1_500 };
export const SETUP_CURE = 'run `npm run setup` in the checkout';

async function endLeftovers(paths: HomePaths): Promise<void> {
  const dead = readOwner(paths);
  const ends: Promise<void>[] = [];
  if (dead?.worker) ends.push(endProcess(dead.worker, workerNeedle(paths), GRACE.leftoverMs));
  // By its command, not by the entry: an owner can die between starting a server and writing it down, and two servers on
  // one database destroy it.
  const needle = serverNeedle(paths);
  for (const identity of findByCommand(needle)) ends.push(endProcess(identity, needle, GRACE.leftoverMs));
  await Promise.all(ends);
}

/** Undefined if somebody else owns the home. Throws HomeUnusable, TemporalMissing, PortInUse, ServerFailed. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded | undefined> {
  const paths = prepareHome(options.home);
  if (livingOwner(paths)) return undefined;
  if (options.temporal === undefined)
    throw new CliError(EXIT.unreachable, 'TemporalMissing', `the Temporal server is not installed: ${SETUP_CURE}`);
  const lock = acquire(paths.lock);
  if (!lock) return undefined;
  try {
    return await startOwned(options, options.temporal, paths, lock);
  } catch (error) {
    rmSync(paths.owner, { force: true });
    lock.release();
    throw error;
  }
}

async function startOwned(options: EmbeddedOptions, temporal: string, paths: HomePaths, lock: Lock): Promise<Embedded> {
  await endLeftovers(paths);
  const { ports, moved } = await choosePorts(paths);
  if (moved) options.say(`another program took a port of this home; it uses ${ports.server} and ${ports.ui} now`);
  const entry: Owner = {
    claim: lock.n,
    ...lock.self,
    verb: options.verb,
    state: 'starting',
    address: `127.0.0.1:${ports.server}`,
    namespace: 'default',
    ui: `http://127.0.0.1:${ports.ui}`,
    server: null,
    worker: null,
    startedAt: new Date().toISOString(),
  };
  const children: { server?: Supervised; worker?: Supervised } = {};
  let written = true;
  const changed = () => {
    if (!written) return;
    entry.server = children.server?.identity ?? null;
    entry.worker = children.worker?.identity ?? null;
    try {
      writeJson(paths.owner, entry);
    } catch (error) {
      // A full disk must not take down what runs.
      options.say(`cannot write ${paths.owner}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const killNow = () => {
    children.worker?.killNow();
    children.server?.killNow();
  };
  process.on('exit', killNow);
  const hooks = { say: options.say, changed };
  const stop = async () => {
    entry.state = 'ending';
    changed();
    await children.worker?.stop(GRACE.workerMs);
    await children.server?.stop(GRACE.serverMs);
    written = false;
    process.off('exit', killNow);
  };
  const server = (children.server = superviseServer(temporal, paths, ports, hooks));
  const worker = (children.worker = superviseWorker(
    { paths, address: entry.address, namespace: entry.namespace, program: options.worker ?? workerProgram() },
    hooks,
  ));
  changed();
  options.meanwhile?.();
  const failed = Promise.race([server.failed, worker.failed]);
  failed.catch(() => undefined);
  try {
    await Promise.race([server.ready, failed]);
  } catch (error) {
    await stop();
    throw error;
  }
  entry.state = 'ready';
  changed();
  let stopped: Promise<void> | undefined;
  return {
    paths,
    address: entry.address,
    namespace: entry.namespace,
    ui: entry.ui,
    workerReady: worker.ready,
    failed,
    stop: () =>
      (stopped ??= stop().finally(() => {
        rmSync(paths.owner, { force: true });
        lock.release();
      })),
  };
}
