/** A real worker process with the scripted engine, of a test that watches it from outside; ends with the test at the latest. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { startGuardian } from '../../cli/guardian.ts';
import { until } from '../cli/fixture/process.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const READY_MS = 180_000;

export interface WorkerProcess {
  home: string;
  /** What it said when it was ready, or why it could not be. */
  said: Record<string, unknown>;
  /** Lines of its log. */
  log(): Record<string, unknown>[];
  /** SIGTERM, and its end. */
  end(): Promise<void>;
}

const children = new Set<ChildProcess>();
const homes = new Set<string>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const home of homes) rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

export function tempHome(): string {
  const home = mkdtempSync(path.join(os.tmpdir(), 'startrail-worker-'));
  homes.add(home);
  return home;
}

/** @param own the worker is to take the server for its home's, as the command line's is */
export async function startWorker(
  address: string,
  {
    home = tempHome(),
    env = {},
    words = [],
    own = false,
  }: {
    home?: string;
    env?: Record<string, string>;
    words?: string[];
    own?: boolean;
  } = {},
): Promise<WorkerProcess> {
  const server = own ? ['--owned', '--address', address] : [];
  const child = spawn(process.execPath, ['--import', 'tsx', 'workers/main.ts', '--home', home, ...server, ...words], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, STARTRAIL_ENGINE: 'scripted', ...(!own && { STARTRAIL_ADDRESS: address }), ...env },
  });
  children.add(child);
  if (child.pid !== undefined) startGuardian().watch(child.pid, 'workers/main.ts');
  let out = '';
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const first = await until(
    'the worker is ready',
    READY_MS,
    () => out.includes('\n') && out.slice(0, out.indexOf('\n')),
  );
  return {
    home,
    said: JSON.parse(first) as Record<string, unknown>,
    log: () =>
      readFileSync(path.join(home, 'logs', 'worker.log'), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    end: async () => {
      child.kill('SIGTERM');
      await ended;
      children.delete(child);
    },
  };
}
