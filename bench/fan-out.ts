/**
 * What a very large iteration costs: the scripted engine, a real server and worker, one iteration of so many problems.
 *
 *   node --import tsx bench/fan-out.ts 10000 100000 1000000
 *
 * Prints one JSON document: per size the seconds and CPU-microseconds a problem, shards, links, the longest history and the
 * largest payload; and how the cost per problem grows from the first size to the last (1 = not at all). Sizes run one after
 * another in one process, so its memory's peak is that of the largest. Limits: the server keeps its histories in memory.
 */
import { fileURLToPath } from 'node:url';
import { RunDocument } from '../schemas/run.ts';
import { taskById } from '../tasks/index.ts';
import type { Task } from '../tasks/task.ts';
import { historySizes } from '../test/support/histories.ts';
import { createBench, startRun, startServer } from '../test/support/temporal.ts';
import type { Bench } from '../test/support/temporal.ts';

/** Addition of four and five digits alone: strata that hold any number of problems. */
export const largeAddition = (): Task => {
  const addition = taskById('addition') as Task;
  return { ...addition, id: 'addition-large', strata: (parameters) => addition.strata(parameters).slice(3) };
};

export const largeRun = (problems: number, shardSize = 500) => ({
  recipe: 'star',
  task: 'addition-large',
  iterations: 1,
  shardSize,
  set: {
    'stages.batch.with.count': problems,
    'stages.next.with.steps': { first: 4, growth: 1, add: 0 },
    'base.steps': { first: 4, growth: 1, add: 0 },
  },
});

export interface FanOutFigures {
  problems: number;
  shards: number;
  seconds: number;
  secondsPerThousand: number;
  /** Of the worker's process, both iterations and the evaluation of the base included. */
  cpuMicrosecondsPerProblem: number;
  links: number;
  largestHistory: number;
  largestPayload: number;
  peakMemoryMb: number;
  ledgerDigest: string | null;
}

/** Runs iterations 0 and 1 on this bench and reads back what Temporal holds of them. */
export async function measureFanOut(bench: Bench, id: string, problems: number): Promise<FanOutFigures> {
  const cpu = process.cpuUsage();
  const began = Date.now();
  await bench.during(async () => {
    const run = await startRun(bench, id, largeRun(problems));
    await run.result();
  });
  const seconds = (Date.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { iterations, ledgerDigest } = RunDocument.parse(await bench.store.getName(`runs/${id}`));
  const [, record] = iterations;
  if (record?.drawn !== problems) throw new Error(`${problems} problems were asked for, ${record?.drawn} were drawn`);
  const sizes = await historySizes(bench.env.client.workflow, id);
  return {
    problems,
    shards: record.shards.reused + record.shards.redone,
    seconds,
    secondsPerThousand: (1000 * seconds) / problems,
    cpuMicrosecondsPerProblem: (user + system) / problems,
    links: sizes.filter(({ type }) => type === 'fanOut').length,
    largestHistory: Math.max(...sizes.map(({ events }) => events)),
    largestPayload: Math.max(...sizes.map(({ largestPayload }) => largestPayload)),
    peakMemoryMb: process.resourceUsage().maxRSS / 1024,
    ledgerDigest,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = process.argv.slice(2).map(Number);
  const env = await startServer();
  const figures: FanOutFigures[] = [];
  try {
    for (const problems of sizes) {
      const bench = await createBench(env, { tasks: [largeAddition()] });
      try {
        figures.push(await measureFanOut(bench, `fan-out-${problems}`, problems));
        process.stderr.write(`${JSON.stringify(figures.at(-1))}\n`);
      } finally {
        await bench.close();
      }
    }
  } finally {
    await env.teardown();
  }
  const [first, last] = [figures.at(0), figures.at(-1)];
  const growth = (pick: (one: FanOutFigures) => number) => (first && last ? pick(last) / pick(first) : null);
  const grown = {
    seconds: growth((one) => one.secondsPerThousand),
    cpu: growth((one) => one.cpuMicrosecondsPerProblem),
  };
  process.stdout.write(`${JSON.stringify({ sizes: figures, growthPerProblem: grown }, null, 2)}\n`);
}
