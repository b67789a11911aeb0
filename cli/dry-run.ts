/** `run --dry-run`: the resolved recipe, where each value comes from, and what a run would cost. Starts and writes nothing. */
import type { RunDocument, RunInput } from '../schemas/run.ts';
import { readRun, runIds } from './document.ts';
import { estimate } from './estimate.ts';
import { EXIT } from './exit.ts';
import { readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { planInput } from './plan.ts';
import { byteSize, duration } from './terminal.ts';

async function earlierRuns(home: string): Promise<RunDocument[]> {
  const store = await readStore(home);
  const documents: RunDocument[] = [];
  for (const runId of store ? await runIds(store) : []) {
    // A damaged document is no reason not to plan.
    const document = store && (await readRun(store, runId).catch(() => undefined));
    if (document) documents.push(document);
  }
  return documents;
}

export async function dryRun(context: Context, input: RunInput): Promise<number> {
  const { terminal } = context;
  const plan = await planInput(input);
  const cost = estimate(plan, await earlierRuns(context.home));
  const { recipe, iterations, shardSize, model, base, origins } = plan.filled;
  terminal.say(`${recipe.id} on ${plan.task.id}, seed ${input.seed}, engine ${plan.engine}`);
  for (const [path, { value, from }] of Object.entries(origins))
    terminal.say(`  ${path.padEnd(36)} ${JSON.stringify(value).padEnd(44)} ${from}`);
  terminal.say(`model      ${cost.parameters.toLocaleString('en')} parameters`);
  terminal.say(
    `tokens     at most ${cost.tokens.sampled.toLocaleString('en')} sampled, ${cost.tokens.trained.toLocaleString('en')} trained on`,
  );
  terminal.say(`time       about ${duration(cost.seconds)} at most (from ${cost.speed}; within a factor of three)`);
  terminal.say(`memory     about ${byteSize(cost.memoryBytes)}`);
  terminal.say(`disk       about ${byteSize(cost.diskBytes)}`);
  terminal.say('nothing was started');
  if (terminal.json)
    terminal.document({
      input,
      task: plan.task.id,
      parameters: plan.parameters,
      engine: plan.engine,
      resolved: { recipe, base, model, iterations, shardSize },
      origins,
      estimate: cost,
    });
  return EXIT.ok;
}
