/**
 * What orchestration costs the main job: the share of its wall time in which neither engine nor verifier was busy, from the
 * spans of one run. The spread is that of its iterations, each by itself. Beside it stands the share of server and worker in
 * the CPU-seconds of all processes.
 *
 *   npm run bench -- orchestration-overhead                               runs the main job (minutes)
 *   npm run bench -- orchestration-overhead --home .startrail --run <id>  reads the spans of a run that has ended
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { meterOf, orchestrationShare } from '../cpu.ts';
import { defineRow } from '../row.ts';
import { overheadByIteration, overheadOf, spansOf } from '../spans.ts';
import { rangeOf } from '../statistics.ts';

const BOUND = 0.01;

async function mainJob(home: string): Promise<{ run: string; cpu: Record<string, number> }> {
  const bin = fileURLToPath(new URL('../../bin/startrail', import.meta.url));
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
  const cpu = meter.stop();
  if (code !== 0) throw new Error(`the main job ended with exit code ${String(code)}`);
  return { run: (JSON.parse(output) as { runId: string }).runId, cpu };
}

export default defineRow({
  name: 'orchestration-overhead',
  about: 'share of the main job in which neither engine nor verifier is busy',
  measure: async ({ folder, say, ended }) => {
    const home = ended?.home ?? path.join(folder, 'home');
    if (!ended) say('running the main job; this takes minutes');
    const { run, cpu } = ended ? { run: ended.run, cpu: undefined } : await mainJob(home);
    const spans = spansOf(home, run);
    const whole = overheadOf(spans);
    const shares = overheadByIteration(spans).map(({ share }) => share);
    const { wallSeconds, busySeconds, shards } = whole;
    return {
      ours: whole.share,
      peer: BOUND,
      peerName: 'the bound',
      ratio: BOUND / whole.share,
      unit: 'fraction',
      spread: {
        ours: rangeOf(shares),
        peer: [BOUND, BOUND],
        ratio: rangeOf(shares.map((share) => BOUND / share)),
      },
      repetitions: 1,
      beside: [],
      sides: {
        run: {
          wallSeconds,
          busySeconds,
          shards,
          ...(cpu ? { cpuShareOfServerAndWorker: orchestrationShare(cpu) } : {}),
        },
        ...(cpu ? { 'CPU-seconds': cpu } : {}),
      },
      samples: { shareByIteration: shares },
    };
  },
});
