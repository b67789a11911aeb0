/** Pair: a right and a wrong rationale of one problem, under its plain prompt; what a verifier learns to tell apart. */
import type { z } from 'zod';
import { Example } from './example.ts';

const Side = Example.pick({ completion: true, completionTokens: true });

export const Pair = Example.pick({ problem: true, identity: true, prompt: true }).extend({
  chosen: Side,
  rejected: Side,
});
export type Pair = z.infer<typeof Pair>;
