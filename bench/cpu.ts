/**
 * CPU-seconds and peak memory of everything a command line started, by role: cli, worker, engine, server.
 *
 *   const meter = meterOf(group);      // the process group of the command
 *   …
 *   const { cpuSeconds, peakMegabytes } = meter.stop();
 *
 * Looked at twice a second; a process' last reading counts, so up to half a second of each is missed. Peak: the largest sum of
 * resident sizes seen at one look, of all processes and of each role; a page that n processes share counts as 1/n in each
 * (Pss). Needs /proc (Linux).
 */
import { readFileSync } from 'node:fs';
import { members } from '../test/chaos/processes.ts';

/** USER_HZ, fixed on Linux for what /proc tells. */
const TICKS = 100;
const EVERY_MS = 500;

function secondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined; // ended between the listing and the reading
  }
}

function megabytesOf(pid: number): number {
  try {
    return Number(/^Pss:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

export interface Usage {
  cpuSeconds: Record<string, number>;
  /** `all`, and each role by itself at its own peak. */
  peakMegabytes: Record<string, number>;
}

export function meterOf(group: number): { stop(): Usage } {
  const last = new Map<string, { role: string; seconds: number }>();
  const peakMegabytes: Record<string, number> = {};
  const look = () => {
    const resident: Record<string, number> = { all: 0 };
    for (const { pid, start, role } of members(group)) {
      const seconds = secondsOf(pid);
      if (seconds !== undefined) last.set(`${pid} ${start}`, { role, seconds });
      const megabytes = megabytesOf(pid);
      for (const of of ['all', role]) resident[of] = (resident[of] ?? 0) + megabytes;
    }
    for (const [of, megabytes] of Object.entries(resident))
      peakMegabytes[of] = Math.max(peakMegabytes[of] ?? 0, megabytes);
  };
  const timer = setInterval(look, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      const sums: Record<string, number> = {};
      for (const { role, seconds } of last.values()) sums[role] = (sums[role] ?? 0) + seconds;
      return { cpuSeconds: sums, peakMegabytes };
    },
  };
}

/** Share of server and worker in all of it: what orchestration costs the processor. */
export function orchestrationShare(seconds: Readonly<Record<string, number>>): number {
  const all = Object.values(seconds).reduce((sum, one) => sum + one, 0);
  return all === 0 ? 0 : ((seconds.server ?? 0) + (seconds.worker ?? 0)) / all;
}
