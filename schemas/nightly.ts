/**
 * Nightly: what a schedule asks for each night, and what a night comes to.
 *
 *   { "run": { "recipe": "star", "task": "addition" }, "gate": { "margin": 0.01 } }
 *
 * A night's run always fails instead of waiting, and keeps the gate's identities from training, whatever `run` says.
 */
import { z } from 'zod';
import { GateRule } from './gate.ts';
import { RunInput } from './run.ts';

export const NightlyInput = z.strictObject({
  /** Without a seed each night has its own: the seconds of its start. */
  run: z.strictObject({ ...RunInput.shape, seed: RunInput.shape.seed.unwrap().optional() }),
  gate: GateRule.prefault({}),
});
export type NightlyInput = z.infer<typeof NightlyInput>;

export const NightResult = z.strictObject({
  run: z.string(),
  what: z.enum(['promoted', 'kept']),
  /** Number of the event in the task's history. */
  event: z.int().min(1),
  reason: z.string(),
});
export type NightResult = z.infer<typeof NightResult>;

export const NIGHTLY = 'nightly';
