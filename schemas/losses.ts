/**
 * What held-out text costs, by kind of its parts: the rows of a perplexity shard, and what they come to.
 *
 *   lossesOf(rows).hard     // { n: 750, plain: 1.31, thinking: 0.42, shuffled: 1.66 }      nats a part
 */
import { z } from 'zod';
import { ArtifactRef } from './artifact.ts';

const Cost = z.number();
/** Costs −log p, natural. */
export const PartLoss = z.strictObject({
  kind: z.string(),
  text: z.string(),
  /** By the model as it is. */
  plain: Cost,
  /** Behind its thoughts, and behind those of another text: of a model that thinks. */
  thinking: Cost.optional(),
  shuffled: Cost.optional(),
});
export const LossRow = z.strictObject({ problem: z.string(), stratum: z.string(), parts: z.array(PartLoss) });
export type LossRow = z.infer<typeof LossRow>;

const KindLoss = PartLoss.omit({ kind: true, text: true }).extend({ n: z.int().min(1) });
export const Losses = z.strictObject({
  /** Means over the parts of each kind, and of each kind in each stratum (`jump-3 hard`). */
  byKind: z.record(z.string(), KindLoss),
  byStratum: z.record(z.string(), KindLoss),
  rows: z.array(ArtifactRef),
});
export type Losses = z.infer<typeof Losses>;

/** Means, added up in the rows' order: the same rows give the same bits. Pure. */
export function lossesOf(rows: readonly LossRow[]): Omit<Losses, 'rows'> {
  const meansBy = (keyOf: (row: LossRow, kind: string) => string) => {
    const groups = new Map<string, z.infer<typeof PartLoss>[]>();
    for (const row of rows)
      for (const part of row.parts) {
        const key = keyOf(row, part.kind);
        const group = groups.get(key);
        if (group) group.push(part);
        else groups.set(key, [part]);
      }
    const means = [...groups].map(([key, parts]) => {
      const mean = (pick: (part: z.infer<typeof PartLoss>) => number) =>
        parts.reduce((sum, part) => sum + pick(part), 0) / parts.length;
      const thinks = parts.every(({ thinking, shuffled }) => thinking !== undefined && shuffled !== undefined);
      const behind = { thinking: mean((part) => part.thinking ?? 0), shuffled: mean((part) => part.shuffled ?? 0) };
      return [key, { n: parts.length, plain: mean((part) => part.plain), ...(thinks && behind) }] as const;
    });
    return Object.fromEntries(means);
  };
  return { byKind: meansBy((_, kind) => kind), byStratum: meansBy(({ stratum }, kind) => `${stratum} ${kind}`) };
}
