/**
 * The options a run really had, each with where it came from (stage kind, recipe, task, input, --set), from the artifact
 * `resolve` wrote; where that is gone, from the resolved recipe, without origins.
 */
import type { RunDocument } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { readDocument } from './artifacts.ts';

export interface ResolvedOption {
  path: string;
  /** As JSON. */
  value: string;
  /** null = not known. */
  origin: string | null;
}

export interface ResolvedOptions {
  options: ResolvedOption[];
  /** Why origins or all options are unknown. */
  missing: string | null;
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One entry of the artifact: { value, from }. */
function option(path: string, entry: unknown): ResolvedOption {
  if (!isFields(entry) || !('value' in entry)) return { path, value: JSON.stringify(entry), origin: null };
  const { value, from } = entry;
  return { path, value: JSON.stringify(value), origin: typeof from === 'string' ? from : null };
}

const byPath = (a: ResolvedOption, b: ResolvedOption) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

/** All options of a run, sorted by path. Never throws for data. */
export async function optionsOf(store: Store, document: RunDocument): Promise<ResolvedOptions> {
  const { resolved } = document;
  if (!resolved) return { options: [], missing: 'the run was not resolved: it never got as far as its options' };
  const { value, missing } = await readDocument(store, resolved.origins);
  if (isFields(value))
    return {
      options: Object.entries(value)
        .map(([path, entry]) => option(path, entry))
        .sort(byPath),
      missing: null,
    };
  const options: ResolvedOption[] = [
    { path: 'iterations', value: String(resolved.iterations), origin: null },
    { path: 'shardSize', value: String(resolved.shardSize), origin: null },
  ];
  for (const [stage, { with: set }] of Object.entries(resolved.recipe.stages))
    for (const [name, entry] of Object.entries(set ?? {}))
      options.push({ path: `stages.${stage}.with.${name}`, value: JSON.stringify(entry) ?? 'null', origin: null });
  return {
    options: options.sort(byPath),
    missing: `where each option came from is not known (${missing ?? 'no list of them'})`,
  };
}
