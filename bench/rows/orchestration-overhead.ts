/**
 * What orchestration costs the main job: the share of its wall time in which neither engine nor verifier was busy, from the
 * spans of one run. The spread is that of its iterations, each by itself. Beside it stands the share of server and worker in
 * the CPU-seconds of all processes.
 *
 *   npm run bench -- orchestration-overhead                               runs the main job (minutes)
 *   npm run bench -- orchestration-overhead --home .startrail --run <id>  reads the spans of a run that has ended
 */
import { orchestrationShare } from '../cpu.ts';
import { mainJob } from '../main-job.ts';
import { defineRow } from '../row.ts';
import { overheadByIteration, overheadOf, spansOf } from '../spans.ts';
import { rangeOf } from '../statistics.ts';

const BOUND = 0.01;

export default defineRow({
  name: 'orchestration-overhead',
  about: 'share of the main job in which neither engine nor verifier is busy',
  measure: async ({ say, ended }) => {
    const { spans, usage } = ended ? { spans: spansOf(ended.home, ended.run), usage: undefined } : await mainJob(say);
    const cpu = usage?.cpuSeconds;
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
