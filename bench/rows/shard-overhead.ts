/** What a shard costs besides the engine's and the verifier's work: memo, store, Temporal, and the start of the engine. */
import { defineRow } from '../row.ts';
import { smallRuns } from '../small-runs.ts';
import { overheadOf } from '../spans.ts';
import { median, rangeOf } from '../statistics.ts';

export default defineRow({
  name: 'shard-overhead',
  about: 'idle time per shard in a small run of many short shards, start of the engine included',
  measure: async (context) => {
    const overheads = (await smallRuns(context)).map(({ spans }) => overheadOf(spans));
    const perShard = overheads.map(({ wallSeconds, busySeconds, shards }) => (wallSeconds - busySeconds) / shards);
    return {
      ours: median(perShard),
      peer: null,
      peerName: null,
      ratio: null,
      unit: 's',
      spread: { ours: rangeOf(perShard), peer: null, ratio: null },
      repetitions: perShard.length,
      beside: [],
      sides: { run: { shards: overheads[0]!.shards } },
      samples: { secondsPerShard: perShard },
    };
  },
});
