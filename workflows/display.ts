/**
 * What Temporal's UI shows of a run and its iterations besides their histories: the table as current details, and search
 * attributes where the worker that resolved the run had found them in its namespace.
 */
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { SearchAttributePair } from '@temporalio/common';
import type { Progress, ResolvedRun } from '../schemas/run.ts';
import type { SearchAttribute } from '../schemas/search-attributes.ts';
import { bestIteration } from './decide.ts';
import { runTable } from './details.ts';

const keyword = (name: SearchAttribute, value: string): SearchAttributePair => ({
  key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
  value,
});
const iteration = (value: number): SearchAttributePair => ({
  key: defineSearchAttributeKey('StartrailIteration' satisfies SearchAttribute, SearchAttributeType.INT),
  value,
});

/** Of a run as it stands. Pure. */
export function runAttributes({ recipe, task, status, records }: Progress): SearchAttributePair[] {
  const pairs = [
    keyword('StartrailRecipe', recipe),
    keyword('StartrailTask', task),
    keyword('StartrailStatus', status),
  ];
  const last = records.at(-1);
  if (last) pairs.push(iteration(last.n));
  const best = bestIteration(records);
  const test = records.find(({ n }) => n === best?.n)?.test;
  if (test !== undefined)
    pairs.push({
      key: defineSearchAttributeKey('StartrailAccuracy' satisfies SearchAttribute, SearchAttributeType.DOUBLE),
      value: test,
    });
  return pairs;
}

/** Of an iteration, as an option of its start. */
export const iterationAttributes = ({ searchAttributes, recipe, context }: ResolvedRun, n: number) =>
  searchAttributes
    ? {
        typedSearchAttributes: [
          keyword('StartrailRecipe', recipe.id),
          keyword('StartrailTask', context.task),
          iteration(n),
        ],
      }
    : {};

/** Shows a run; attributes are written again only when one of them has changed. */
export function runDisplay(): (progress: Progress, resolved: ResolvedRun | undefined) => void {
  let written = '';
  return (progress, resolved) => {
    setCurrentDetails(runTable(progress));
    if (!resolved?.searchAttributes) return;
    const pairs = runAttributes(progress);
    const now = JSON.stringify(pairs);
    if (now === written) return;
    written = now;
    upsertSearchAttributes(pairs);
  };
}
