/** Most resident memory of the main job at one moment: command line, server, worker and engine together, shared pages once. */
import { mainJob } from '../main-job.ts';
import { defineRow } from '../row.ts';

/** What a laptop with 8 GB can spare beside a browser. */
const BOUND_MB = 2048;

export default defineRow({
  name: 'peak-memory',
  about: 'peak resident memory of the main job, all processes together',
  measure: async ({ say }) => {
    const { all = 0, ...byRole } = (await mainJob(say)).usage.peakMegabytes;
    return {
      ours: all,
      peer: BOUND_MB,
      peerName: 'the bound',
      ratio: BOUND_MB / all,
      unit: 'MB',
      spread: { ours: [all, all], peer: [BOUND_MB, BOUND_MB], ratio: [BOUND_MB / all, BOUND_MB / all] },
      repetitions: 1,
      beside: [],
      sides: { 'peak by role, MB': byRole },
      samples: {},
    };
  },
});
