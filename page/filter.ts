/** Which rationales are asked for, as it stands in an address; and those of them that one page shows. Pure. */
import { z } from 'zod';
import { Outcome } from '../schemas/verdict.ts';
import { Refused } from './refusal.ts';
import type { Row } from './rows.ts';

/** Rationales on one page. */
export const PAGE = 24;

const word = <T extends z.ZodType>(type: T) => z.union([z.literal('').transform(() => undefined), type]).optional();
const Filter = z.object({
  iteration: word(z.coerce.number().int().min(0).max(1e9)),
  outcome: word(Outcome),
  verdict: word(z.enum(['correct', 'incorrect', 'unjudged'])),
  form: word(z.enum(['free', 'hinted'])),
  steps: word(z.enum(['sound', 'unsound'])),
  stratum: word(z.string().max(200)),
  q: word(z.string().max(500)),
  page: word(z.coerce.number().int().min(1).max(1e9)),
});
export type Filter = z.infer<typeof Filter>;

/** Throws Refused 400 naming the field. */
export function filterIn(query: URLSearchParams): Filter {
  const parsed = Filter.safeParse(Object.fromEntries(query));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new Refused(400, 'BadQuery', `${field}: no value that this filter has`);
}

export function addressOf(base: string, filter: Filter): string {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '');
  const query = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
  return given.length === 0 ? base : `${base}?${query.toString()}`;
}

export function matching(rows: Row[], { outcome, verdict, form, steps, stratum, q }: Filter): Row[] {
  const words = (q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(
    ({ judged, outcome: own, text }) =>
      (outcome === undefined || own === outcome) &&
      (verdict === undefined || judged.verdict.verdict === verdict) &&
      (form === undefined || judged.rationale.hinted === (form === 'hinted')) &&
      (steps === undefined || judged.sound === (steps === 'sound')) &&
      (stratum === undefined || judged.rationale.problem.stratum === stratum) &&
      words.every((one) => text.includes(one)),
  );
}

/** The part that page `n` (from 1) shows; a page behind the last one is the last one. */
export function pageOf<T>(all: T[], n: number | undefined): { shown: T[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(all.length / PAGE));
  const page = Math.min(n ?? 1, pages);
  return { shown: all.slice((page - 1) * PAGE, page * PAGE), page, pages };
}
