/**
 * The main job (`run addition`), measured from outside: its spans, CPU-seconds and peak memory. Takes minutes, so rows share one.
 *
 *   const { spans, usage } = await mainJob(say);
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Span } from '../activities/dependencies.ts';
import { meterOf } from './cpu.ts';
import type { Usage } from './cpu.ts';
import { spansOf } from './spans.ts';

export interface MainJob {
  spans: Span[];
  usage: Usage;
}

let done: Promise<MainJob> | undefined;

/** One run for all who ask in this process. @throws Error where the run fails. */
export function mainJob(say: (line: string) => void): Promise<MainJob> {
  return (done ??= measure(say));
}

async function measure(say: (line: string) => void): Promise<MainJob> {
  say('running the main job; this takes minutes');
  const home = mkdtempSync(path.join(os.tmpdir(), 'startrail-main-job-'));
  try {
    const bin = fileURLToPath(new URL('../bin/startrail', import.meta.url));
    const child = spawn(process.execPath, [bin, 'run', 'addition', '--seed', '1', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // A group of its own, so that all of its processes can be told from others.
      detached: true,
      env: { ...process.env, STARTRAIL_HOME: home },
    });
    const interrupt = () => void child.kill('SIGINT');
    process.once('exit', interrupt);
    const meter = meterOf(child.pid!);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    process.removeListener('exit', interrupt);
    const usage = meter.stop();
    if (code !== 0) throw new Error(`the main job ended with exit code ${String(code)}`);
    return { spans: spansOf(home, (JSON.parse(output) as { runId: string }).runId), usage };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
