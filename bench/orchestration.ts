/**
 * What orchestration costs: the share of a run's wall time in which no engine and no verifier is busy, from the spans of that
 * run, and the CPU-seconds of server, worker and CLI over those of the whole process tree.
 *
 *   node --import tsx bench/orchestration.ts -- run addition --seed 1        starts a run and measures it
 *   node --import tsx bench/orchestration.ts --home .startrail --run <id>    reads the spans of a run that has ended
 *
 * Between a run's first and last activity there is always work that could run (nothing waits for a person), so every idle
 * moment counts, start-up of the engine included. Prints one JSON document. CPU figures need /proc (Linux).
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Span } from '../activities/dependencies.ts';
import { settings } from '../temporal.config.ts';

interface Interval {
  from: number;
  to: number;
}

/** Seconds covered by at least one of the intervals. */
export function covered(intervals: Interval[]): number {
  let sum = 0;
  let end = -Infinity;
  for (const { from, to } of [...intervals].sort((x, y) => x.from - y.from)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}

export function overheadOf(spans: Span[]) {
  const intervals = (what: (span: Span) => boolean): Interval[] =>
    spans.filter(what).map(({ at, seconds }) => ({ from: Date.parse(at) / 1000, to: Date.parse(at) / 1000 + seconds }));
  const all = intervals(() => true);
  const wall = Math.max(...all.map(({ to }) => to)) - Math.min(...all.map(({ from }) => from));
  const busy = covered(intervals(({ what }) => what === 'engine' || what === 'verifier'));
  return { wallSeconds: wall, busySeconds: busy, overheadShare: 1 - busy / wall };
}

// ---- CPU-seconds by role, polled: a process' last reading counts ----

const TICKS = 100; // USER_HZ, fixed on Linux for what /proc tells

function processes(): { pid: number; parent: number; cpu: number; command: string }[] {
  const found = [];
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      found.push({
        pid: Number(name),
        parent: Number(fields[1]),
        cpu: (Number(fields[11]) + Number(fields[12])) / TICKS,
        command,
      });
    } catch {
      // ended between the listing and the reading
    }
  }
  return found;
}

const roleOf = (command: string): string => {
  if (command.includes('start-dev')) return 'server';
  if (command.includes('workers/main')) return 'worker';
  if (command.includes('engine/child')) return 'engine';
  return 'cli';
};

async function measureRun(args: string[]): Promise<object> {
  const bin = fileURLToPath(new URL('../bin/startrail', import.meta.url));
  const child = spawn(process.execPath, [bin, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const last = new Map<number, { role: string; cpu: number }>();
  const poll = setInterval(() => {
    const all = processes();
    const tree = new Set([child.pid]);
    for (let grown = true; grown;) {
      grown = false;
      for (const { pid, parent } of all)
        if (tree.has(parent) && !tree.has(pid)) {
          tree.add(pid);
          grown = true;
        }
    }
    for (const { pid, cpu, command } of all) if (tree.has(pid)) last.set(pid, { role: roleOf(command), cpu });
  }, 500);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.on('close', resolve));
  clearInterval(poll);
  const { runId } = JSON.parse(output) as { runId: string };
  const cpuSeconds: Record<string, number> = {};
  for (const { role, cpu } of last.values()) cpuSeconds[role] = (cpuSeconds[role] ?? 0) + cpu;
  const total = Object.values(cpuSeconds).reduce((sum, one) => sum + one, 0);
  return {
    runId,
    ...overheadOf(spansOf(settings.home, runId)),
    cpuSeconds,
    cpuShareOfServerAndWorker: ((cpuSeconds.server ?? 0) + (cpuSeconds.worker ?? 0)) / total,
  };
}

const spansOf = (home: string, run: string): Span[] =>
  readFileSync(path.join(home, 'logs', 'spans.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Span)
    .filter((span) => span.run === run);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const split = process.argv.indexOf('--');
  const option = (name: string) => process.argv[process.argv.indexOf(name) + 1];
  const run = process.argv.includes('--run') ? option('--run') : undefined;
  const home = process.argv.includes('--home') ? (option('--home') as string) : settings.home;
  const result = run
    ? { runId: run, ...overheadOf(spansOf(home, run)) }
    : await measureRun(process.argv.slice(split + 1));
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}
