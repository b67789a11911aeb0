/**
 * Budget: what a run may spend, in tokens, time and money, and how far it is.
 *
 *   spendingOf({ sampled: 900_000, trained: 0, engineSeconds: 120, wallMs: 180_000 }, { tokens: 1_000_000, warnAt: 0.8 })
 *   // [{ of: 'tokens', spent: 900000, limit: 1000000, share: 0.9 }]
 *
 * What the memo had counts as if it had been computed: else a run that was killed and resumed would stop elsewhere than one
 * that was not. Tokens, and money by tokens, are the same in every run of one seed; time, and money by the hour, are not. Pure.
 */
import { z } from 'zod';

export const Budget = z.strictObject({
  /** Tokens sampled and trained on, padding apart. */
  tokens: z.number().positive().optional(),
  /** Minutes with an iteration under way; pauses and waiting do not count. */
  wallMinutes: z.number().positive().optional(),
  /** In the currency of the engine's price. */
  money: z.number().positive().optional(),
  /** Share (0..1) of any of them from which on the run says so. */
  warnAt: z.number().gt(0).max(1).default(0.8),
});
export type Budget = z.infer<typeof Budget>;

/** What an engine costs; declared in the worker's settings, pinned by `resolve`. */
export const Price = z.strictObject({
  perMillionSampled: z.number().nonnegative().default(0),
  perMillionTrained: z.number().nonnegative().default(0),
  /** Of an hour in which a stage works. */
  perHour: z.number().nonnegative().default(0),
  currency: z.string().min(1).max(8),
});
export type Price = z.infer<typeof Price>;

export const Spent = z.strictObject({
  sampled: z.number().nonnegative(),
  trained: z.number().nonnegative(),
  /** Seconds in which stages worked, those side by side added up. */
  engineSeconds: z.number().nonnegative(),
  wallMs: z.number().nonnegative(),
});
export type Spent = z.infer<typeof Spent>;

export const nothingSpent = (): Spent => ({ sampled: 0, trained: 0, engineSeconds: 0, wallMs: 0 });

export const addSpent = (x: Spent, y: Spent): Spent => ({
  sampled: x.sampled + y.sampled,
  trained: x.trained + y.trained,
  engineSeconds: x.engineSeconds + y.engineSeconds,
  wallMs: x.wallMs + y.wallMs,
});

export const moneyOf = (spent: Spent, price: Price): number =>
  (spent.sampled * price.perMillionSampled + spent.trained * price.perMillionTrained) / 1e6 +
  (spent.engineSeconds * price.perHour) / 3600;

export interface Spending {
  of: 'tokens' | 'wallMinutes' | 'money';
  spent: number;
  limit: number;
  share: number;
}

/** How far each limit of the budget is; the furthest first. */
export function spendingOf(spent: Spent, budget: Budget, price?: Price): Spending[] {
  const sums: Record<Spending['of'], number> = {
    tokens: spent.sampled + spent.trained,
    wallMinutes: spent.wallMs / 60_000,
    money: price ? moneyOf(spent, price) : 0,
  };
  return (['tokens', 'wallMinutes', 'money'] as const)
    .flatMap((of) => {
      const limit = budget[of];
      return limit === undefined ? [] : [{ of, spent: sums[of], limit, share: sums[of] / limit }];
    })
    .sort((x, y) => y.share - x.share);
}

const rounded = (value: number): string => String(Number(value.toPrecision(4)));

/** "tokens 900000 of 1000000", with the currency where it is money. */
export function spendingSentence({ of, spent, limit }: Spending, price?: Price): string {
  const unit = of === 'money' && price ? ` ${price.currency}` : '';
  return `${of} ${of === 'tokens' ? spent : rounded(spent)} of ${limit}${unit}`;
}
