/**
 * fine-tune: trains a model from its base, with fresh moments and step 0, on seed rationales and what was kept.
 *
 * The rows stand in a fixed order (seeds, hinted seeds, kept rationales as drawn), so another shard size gives the same
 * weights. Nothing kept where something should have been: no training, the carried model goes on and says so. With an
 * `objective` it learns from samples and their rewards instead (policy.ts).
 */
import { z } from 'zod';
import type { Model } from '../schemas/checkpoint.ts';
import { Example } from '../schemas/example.ts';
import { Problem } from '../schemas/problem.ts';
import { readRows, rowBatches } from '../store/rows.ts';
import type { Task } from '../tasks/task.ts';
import { policyRequest, policyRows } from './policy.ts';
import { hintedPrompt } from './sample.ts';
import { seedOf } from './seed.ts';
import type { ShardWork } from './shard.ts';
import { trainingActivity, trainOn } from './training.ts';

/** A seed triple as it stands in the run's `$seeds`. */
export const SeedRow = z.strictObject({ problem: Problem, rationale: z.string(), withTools: z.string().optional() });
export type SeedRow = z.infer<typeof SeedRow>;

/** Seed triples as training rows; a declared share of them, by rank of hash, also in the hinted form. */
export function seedExamples(task: Task, seeds: SeedRow[], hintedShare: number, hint?: 'tools'): Example[] {
  const row = ({ problem, rationale, withTools }: SeedRow, hinted: boolean): Example => ({
    problem: problem.id,
    identity: problem.identity,
    prompt: hinted ? hintedPrompt(task, problem, hint) : task.prompt.free(problem),
    completion: hinted && hint ? (withTools ?? rationale) : rationale,
    origin: hinted ? 'seed-hinted' : 'seed',
  });
  const ranked = [...seeds].sort((x, y) => (seedOf('hinted', x.problem.id) < seedOf('hinted', y.problem.id) ? -1 : 1));
  const hinted = ranked.slice(0, Math.round(hintedShare * seeds.length));
  return [...seeds.map((seed) => row(seed, false)), ...hinted.map((seed) => row(seed, true))];
}

export const fineTune = trainingActivity<'fine-tune'>(train);

async function train(shard: ShardWork<'fine-tune'>) {
  const { deps, input, task } = shard;
  const { store } = deps;
  const { inputs, options } = input;
  const chat = options.prompt === 'chat' && { chat: true };
  if (options.objective !== undefined) {
    const samples = inputs.samples ? await policyRows(store, inputs.samples, options) : [];
    if (samples.length === 0 && input.carried) return asItWas(input.carried);
    const policy = await policyRequest(store, inputs, options);
    return trainedOn(await trainOn(shard, { from: inputs.from, options, rows: oneBatch(samples), policy, ...chat }));
  }
  if (inputs.examples && inputs.examples.to === inputs.examples.from && input.carried) return asItWas(input.carried);
  const seeds = inputs.seeds ? await readRows(store, inputs.seeds, SeedRow) : [];
  const rowsOf = (examples: Example[]) =>
    examples.map(({ prompt, completion, completionTokens, calls }) => ({
      prompt,
      completion,
      completionTokens,
      ...(calls && { calls }),
      ...(options.tools && !completionTokens && { tools: options.tools }),
    }));
  async function* rows() {
    yield rowsOf(seedExamples(task, seeds, options.hintedSeeds, options.hint));
    if (inputs.examples) for await (const kept of rowBatches(store, inputs.examples, Example)) yield rowsOf(kept);
  }
  return trainedOn(await trainOn(shard, { from: inputs.from, options, rows: rows(), ...chat }));
}

const asItWas = (model: Model) => ({
  outputs: { model },
  tokens: 0,
  partial: false,
  trained: { rows: 0, steps: 0, carried: true },
});
const trainedOn = ({ model, tokens, rows, steps }: Awaited<ReturnType<typeof trainOn>>) => ({
  outputs: { model },
  tokens,
  partial: false,
  trained: { rows, steps, carried: false },
});

async function* oneBatch<R>(rows: R[]): AsyncGenerator<R[]> {
  yield await Promise.resolve(rows);
}
