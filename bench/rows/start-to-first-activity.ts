/** From the command to the run's first activity: Node, server, worker and workflow started, nothing running before. */
import { defineRow } from '../row.ts';
import { smallRuns } from '../small-runs.ts';
import { firstActivityAt } from '../spans.ts';
import { against } from '../statistics.ts';

const BOUND_S = 2;

export default defineRow({
  name: 'start-to-first-activity',
  about: 'from `run` to the first activity, no server running, workflow bundle at hand',
  measure: async (context) => {
    const seconds = (await smallRuns(context)).map(
      ({ commandAt, spans }) => (firstActivityAt(spans) - commandAt) / 1000,
    );
    return {
      ...against(BOUND_S, seconds),
      peerName: 'the bound',
      unit: 's',
      repetitions: seconds.length,
      beside: [],
      sides: {},
      samples: { seconds },
    };
  },
});
