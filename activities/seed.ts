/** Seeds: 32 hex digits from a run's seed and what is being seeded, never from a shard, an attempt or a worker. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../schemas/canonical.ts';

export const seedOf = (...parts: (string | number)[]): string =>
  createHash('sha256').update(canonicalJson(parts)).digest('hex').slice(0, 32);
