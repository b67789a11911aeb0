/**
 * A simulated iteration of a million problems (scripted engine, real server and worker): Temporal's histories must stay small.
 *
 * Held against the bound is the longest history; time, payload and how the cost per problem grew from a tenth of the size
 * stand among the sides. One run, since it takes long: the spread is that of the two sizes.
 */
import { startServer, createBench } from '../../test/support/temporal.ts';
import { largeAddition, measureFanOut } from '../fan-out.ts';
import type { FanOutFigures } from '../fan-out.ts';
import { defineRow } from '../row.ts';
import { rangeOf } from '../statistics.ts';

const SIZES = [100_000, 1_000_000];
const MOST_EVENTS = 5_000;

export default defineRow({
  name: 'fan-out-million',
  about: 'longest history of an iteration of a million problems, scripted engine',
  measure: async ({ say }) => {
    const env = await startServer();
    const figures: FanOutFigures[] = [];
    try {
      for (const problems of SIZES) {
        const bench = await createBench(env, { tasks: [largeAddition()] });
        try {
          const one = await measureFanOut(bench, `fan-out-${problems}`, problems);
          figures.push(one);
          say(`${problems} problems: ${one.seconds.toFixed(0)} s, ${one.largestHistory} events in the longest history`);
        } finally {
          await bench.close();
        }
      }
    } finally {
      await env.teardown();
    }
    const [small, large] = figures as [FanOutFigures, FanOutFigures];
    const events = figures.map(({ largestHistory }) => largestHistory);
    const { ledgerDigest: _, ...facts } = large;
    return {
      ours: large.largestHistory,
      peer: MOST_EVENTS,
      peerName: 'the bound',
      ratio: MOST_EVENTS / large.largestHistory,
      unit: 'events',
      spread: {
        ours: rangeOf(events),
        peer: [MOST_EVENTS, MOST_EVENTS],
        ratio: rangeOf(events.map((count) => MOST_EVENTS / count)),
      },
      repetitions: 1,
      beside: [],
      sides: {
        million: facts,
        'growth per problem from a tenth': {
          seconds: large.secondsPerThousand / small.secondsPerThousand,
          cpu: large.cpuMicrosecondsPerProblem / small.cpuMicrosecondsPerProblem,
        },
      },
      samples: { events },
    };
  },
});
