/**
 * How long nothing goes on after a SIGKILL at a random moment of a small run.
 *
 * Seen from outside: until the next artifact, memo entry or snapshot stands in the store, which is later than the first new
 * token or step. After a kill of everything the clock runs from the command that goes on with the run.
 */
import { numbers } from '../models.ts';
import { defineRow } from '../row.ts';
import { strikes, TARGETS } from '../small-runs.ts';
import { against, median } from '../statistics.ts';

const KILLS = 20;
const BOUND_S = 10;

export default defineRow({
  name: 'resume-seconds',
  about: 'SIGKILL of worker, engine, server or everything at a random moment, to the next trace of work',
  measure: async ({ repetitions, say }) => {
    const count = Math.max(KILLS, repetitions);
    const all: number[] = [];
    const byTarget = new Map(TARGETS.map((target) => [target, [] as number[]]));
    await strikes(count, numbers(5), (target, seconds) => {
      all.push(seconds);
      byTarget.get(target)!.push(seconds);
      say(`${all.length} of ${count}: killed ${target}, work after ${seconds.toFixed(1)} s`);
    });
    const medians = [...byTarget].map(([target, values]): [string, number] => [target, median(values)]);
    return {
      ...against(BOUND_S, all),
      peerName: 'the bound',
      unit: 's',
      repetitions: all.length,
      beside: [],
      sides: { 'median by target, s': Object.fromEntries(medians) },
      samples: Object.fromEntries(byTarget),
    };
  },
});
