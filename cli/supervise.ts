/**
 * Keeps one child process alive: started again when it ends, ever more slowly, given up when it never gets ready.
 *
 *   const worker = supervise({ name: 'worker', start: () => spawn(…), … });  await worker.ready;  await worker.stop();
 *
 * Delays go from 0.2 s to 5 s and begin anew after ten good seconds. Five ends in a row within a minute without having
 * been ready once are a defect, not an accident: `failed` rejects with the last lines of the log.
 */
import type { ChildProcess } from 'node:child_process';
import { identityOf } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

export interface Started {
  child: ChildProcess;
  /** Resolves when it can be used; never rejects. */
  ready: Promise<void>;
  /** Called once it has ended, before it is started again. */
  ended?: () => void;
}

export interface Supervised {
  /** The first time it was ready. */
  readonly ready: Promise<void>;
  /** Rejects when it is given up. */
  readonly failed: Promise<never>;
  readonly identity: ProcessIdentity | null;
  stop(graceMs: number): Promise<void>;
  /** At the end of this process, when nothing can be awaited any more. */
  killNow(): void;
}

export interface SuperviseOptions {
  name: string;
  start: () => Started;
  /** Told to people. */
  say: (text: string) => void;
  changed: () => void;
  /** Why it could not start, for the error that ends it all. */
  explain: (exit: string) => Error;
}

const LOOP = { ends: 5, withinMs: 60_000, goodMs: 10_000, firstMs: 200, mostMs: 5_000 };

export function supervise(options: SuperviseOptions): Supervised {
  let current: { started: Started; identity: ProcessIdentity | null } | null = null;
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  let tries = 0;
  let unready: number[] = [];
  let setReady: () => void = () => undefined;
  let setFailed: (error: Error) => void = () => undefined;
  let setStopped: () => void = () => undefined;
  const ready = new Promise<void>((done) => (setReady = done));
  const failed = new Promise<never>((_, fail) => (setFailed = fail));
  failed.catch(() => undefined);
  const stopped = new Promise<void>((done) => (setStopped = done));

  const launch = () => {
    let readyAt: number | undefined;
    const started = options.start();
    const { child } = started;
    // Taken before anything is awaited: a child that ends at once has none.
    current = { started, identity: child.pid === undefined ? null : (identityOf(child.pid) ?? null) };
    options.changed();
    started.ready.then(
      () => {
        readyAt = performance.now();
        unready = [];
        setReady();
        options.changed();
      },
      () => undefined,
    );
    let over = false;
    const end = (exit: string) => {
      if (over) return;
      over = true;
      current = null;
      started.ended?.();
      options.changed();
      if (stopping) {
        setStopped();
        return;
      }
      const now = performance.now();
      if (readyAt === undefined) unready = [...unready.filter((at) => now - at < LOOP.withinMs), now];
      else if (now - readyAt > LOOP.goodMs) tries = 0;
      if (unready.length >= LOOP.ends) {
        stopping = true;
        setStopped();
        setFailed(options.explain(exit));
        return;
      }
      const delay = Math.min(LOOP.mostMs, LOOP.firstMs * 2 ** tries++);
      options.say(`the ${options.name} ended (${exit}); it is started again`);
      timer = setTimeout(launch, delay);
    };
    child.once('error', (error) => {
      end(error.message);
    });
    child.once('exit', (code, signal) => {
      end(signal ?? `exit code ${code ?? '?'}`);
    });
  };
  launch();

  return {
    ready,
    failed,
    get identity() {
      return current?.identity ?? null;
    },
    async stop(graceMs) {
      stopping = true;
      clearTimeout(timer);
      const child = current?.started.child;
      if (!child) return;
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await stopped;
      clearTimeout(kill);
    },
    killNow() {
      stopping = true;
      clearTimeout(timer);
      current?.started.child.kill('SIGKILL');
    },
  };
}

export const logTail = (text: string, lines = 8): string => text.trimEnd().split('\n').slice(-lines).join('\n');
