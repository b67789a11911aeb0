/**
 * Models: which checkpoint of a task is the current one, and how it came to be. A history of events, never rewritten; the
 * pointer is what the history adds up to.
 *
 *   1 promoted   night-1 › 4   by the gate
 *   2 kept       night-2 › 3   the interval holds the margin
 *   3 rolled-back → none       by a person; `to: n` leads back to the promotion of that number
 *
 * Pure; store/models.ts keeps the events.
 */
import { z } from 'zod';
import { Digest } from './artifact.ts';
import { Model } from './checkpoint.ts';
import { GateResult } from './gate.ts';

/** A model with where it comes from: the lineage of a pointer. */
export const ModelEntry = z.strictObject({
  run: z.string(),
  iteration: z.int().nonnegative(),
  recipe: z.string(),
  seed: z.int(),
  parameters: z.record(z.string(), z.unknown()),
  fingerprint: z.string(),
  /** The sealed ledger of its iteration. */
  ledgerDigest: Digest,
  model: Model,
});
export type ModelEntry = z.infer<typeof ModelEntry>;

const common = {
  format: z.literal(1),
  /** ISO time. */
  at: z.string(),
  by: z.enum(['gate', 'person']),
  /** One event per key: what is delivered twice is entered once. */
  key: z.string().min(1),
  reason: z.string(),
};
export const ModelEvent = z.discriminatedUnion('what', [
  z.strictObject({ ...common, what: z.literal('promoted'), entry: ModelEntry, gate: GateResult.nullable() }),
  /** The gate looked and the old pointer stays. */
  z.strictObject({ ...common, what: z.literal('kept'), entry: ModelEntry, gate: GateResult }),
  /** A night that came to no gate. */
  z.strictObject({ ...common, what: z.literal('failed'), run: z.string() }),
  /** The pointer goes back to the promotion of this number; null = to none. */
  z.strictObject({ ...common, what: z.literal('rolled-back'), to: z.int().min(1).nullable() }),
]);
export type ModelEvent = z.infer<typeof ModelEvent>;
/** Events count from 1. */
export type NumberedEvent = ModelEvent & { n: number };

/** Numbers of the promotions the pointer rests on, the current one last; a roll-back takes some away. */
export function promotionsOf(events: NumberedEvent[]): number[] {
  const stack: number[] = [];
  for (const event of events) {
    if (event.what === 'promoted') stack.push(event.n);
    if (event.what === 'rolled-back') while (stack.length > 0 && stack.at(-1) !== event.to) stack.pop();
  }
  return stack;
}

/** The promotion that holds now; undefined if there is none. */
export function currentModel(events: NumberedEvent[]): (NumberedEvent & { what: 'promoted' }) | undefined {
  const n = promotionsOf(events).at(-1);
  return events.find(
    (event): event is NumberedEvent & { what: 'promoted' } => event.n === n && event.what === 'promoted',
  );
}

/**
 * How many times the gate has looked since the last promotion, this look included: what its level is tightened by. A
 * roll-back does not start it anew, or looking again could be had for a roll-back.
 */
export function lookOf(events: NumberedEvent[]): number {
  const last = events.findLastIndex((event) => event.what === 'promoted');
  return 1 + events.slice(last + 1).filter((event) => event.what === 'kept').length;
}
