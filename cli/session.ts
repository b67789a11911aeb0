/**
 * A session: a connection to the Temporal server that serves this home.
 *
 *   remote     an address is configured: that server, never another; workers are somebody else's
 *   attached   another process owns the home: its server and worker do the work
 *   owner      nobody owned it: this process starts server and worker, and ends them with `close`
 *
 * A session never uses a server that the home's living owner did not name.
 */
import type { Client, Connection } from '@temporalio/client';
import { ConnectionError } from '../connection/failure.ts';
import { loadKeys } from '../connection/keys.ts';
import type { CodecKeys } from '../connection/keys.ts';
import { loadTarget, plainTarget } from '../connection/profile.ts';
import type { Target } from '../connection/profile.ts';
import type { CodecSettings, ServerSettings } from '../temporal.config.ts';
import { startEmbedded } from './embedded.ts';
import type { Embedded } from './embedded.ts';
import { CliError, EXIT } from './exit.ts';
import { livingOwner, prepareHome } from './home.ts';
import type { HomePaths } from './home.ts';

export interface Session {
  mode: 'owner' | 'attached' | 'remote';
  paths: HomePaths;
  address: string;
  ui: string | null;
  connection: Connection;
  client: Client;
  /** True from the moment in which a worker of ours polls; always true where the worker is somebody else's. */
  workerReady: () => boolean;
  /** Calls back when the embedded server or worker is given up; returns how to stop listening. */
  onFailed(listener: (error: unknown) => void): () => void;
  close(): Promise<void>;
}

export interface SessionOptions {
  home: string;
  server: ServerSettings;
  /** Keys of encrypted payloads. */
  codec?: CodecSettings;
  verb: string;
  say: (text: string) => void;
  temporal: string | undefined;
  /** Refuse (exit 5) instead of attaching. */
  mustOwn?: boolean;
  /** Start nothing: throw ServerUnreachable where nobody owns the home. */
  attachOnly?: boolean;
  /** Another program in the worker's place (tests). */
  worker?: string[];
}

const WAIT = { ownerMs: 90_000, lookMs: 150 };
const RETENTION_DAYS = 30;
export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

interface Connected {
  connection: Connection;
  client: Client;
}
const loadClient = () => import('../connection/client.ts');
const connect = async (target: Target, keys: CodecKeys): Promise<Connected> =>
  (await loadClient()).openClient(target, keys);

/** A development server forgets closed workflows after a day; a home keeps them for a month. */
async function keepHistory(connection: Connection, namespace: string): Promise<void> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const seconds = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  if (seconds >= RETENTION_DAYS * 86_400) return;
  const wanted = { ...config?.workflowExecutionRetentionTtl, seconds: RETENTION_DAYS * 86_400 } as never;
  await connection.workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: wanted } });
}

async function owned(embedded: Embedded, keys: CodecKeys): Promise<Session> {
  let ready = false;
  embedded.workerReady.then(
    () => (ready = true),
    () => undefined,
  );
  const listeners = new Set<(error: unknown) => void>();
  let trouble: { error: unknown } | undefined;
  embedded.failed.catch((error: unknown) => {
    trouble = { error };
    for (const listener of listeners) listener(error);
  });
  const onFailed = (listener: (error: unknown) => void) => {
    if (trouble) listener(trouble.error);
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  try {
    const { connection, client } = await connect(plainTarget(embedded.address, embedded.namespace), keys);
    await keepHistory(connection, embedded.namespace);
    return {
      mode: 'owner',
      paths: embedded.paths,
      address: embedded.address,
      ui: embedded.ui,
      connection,
      client,
      workerReady: () => ready,
      onFailed,
      close: async () => {
        await connection.close().catch(() => undefined);
        await embedded.stop();
      },
    };
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

const attached = (
  mode: 'attached' | 'remote',
  paths: HomePaths,
  address: string,
  ui: string | null,
  { connection, client }: Connected,
): Session => ({
  mode,
  paths,
  address,
  ui,
  connection,
  client,
  workerReady: () => true,
  onFailed: () => () => undefined,
  close: () => connection.close().catch(() => undefined),
});

/** Throws HomeOwned (5), a ConnectionError (connection/failure.ts), and what `startEmbedded` throws. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { server } = options;
  const keys = loadKeys(options.codec ?? {});
  const paths = prepareHome(options.home);
  if (server.mode === 'remote') {
    const target = await loadTarget(server);
    return attached('remote', paths, target.address, null, await connect(target, keys));
  }
  const until = performance.now() + WAIT.ownerMs;
  for (;;) {
    const embedded = options.attachOnly
      ? undefined
      : await startEmbedded({
          ...options,
          // Server and worker take longer to come up than the client to load. Where it can't be loaded, `connect` says so.
          meanwhile: () => void loadClient().catch(() => undefined),
        });
    if (embedded) return owned(embedded, keys);
    const living = livingOwner(paths);
    if (living && options.mustOwn && living.entry?.state !== 'ending') throw homeOwned(paths, living.pid);
    if (living?.entry?.state === 'ready') {
      const { address, namespace, ui } = living.entry;
      try {
        return attached('attached', paths, address, ui, await connect(plainTarget(address, namespace), keys));
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        // The owner is just starting its server anew, or ending.
      }
    }
    if (performance.now() > until || (options.attachOnly && !living))
      throw new CliError(
        EXIT.unreachable,
        'ServerUnreachable',
        `process ${living?.pid ?? '?'} owns the home ${paths.home}, but its server does not answer: end that process and try again`,
      );
    await pause(WAIT.lookMs);
  }
}

const homeOwned = (paths: HomePaths, pid: number) =>
  new CliError(
    EXIT.owned,
    'HomeOwned',
    `process ${pid} owns the home ${paths.home}: use it from here (\`run\`, \`watch\`, \`pause\` … attach to it), end it, or choose another folder in STARTRAIL_HOME`,
    { pid },
  );

export const unreachable = (address: string, error: unknown) =>
  new CliError(
    EXIT.unreachable,
    'ServerUnreachable',
    `no Temporal server answers at ${address}: start it again, then \`watch\` goes on; nothing of the run is lost`,
    { cause: error instanceof Error ? error.message : String(error) },
  );
