/**
 * The memo: idempotency, resume, replay and fork are one look-up by what a shard's output depends on.
 *
 *   memo/<key>                      { format: 1, key, input, output, attempt }    complete; stays for good
 *   memo/<key>/partial/<scope>      the same, with unjudged rows; counts only in its own attempt of its own iteration
 *   producers/<hex digest>          { key, input }    how to make that artifact again
 *
 * Order of writing: artifacts, producers, entry. Killed anywhere between, the shard is done again and finds its own
 * artifacts; nothing refers to what is not there yet.
 */
import { createHash } from 'node:crypto';
import { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import type { Comparison, Difference } from '../schemas/comparison.ts';
import type { StageInput, StageKind, StageOutput } from '../schemas/stage.ts';
import { leavesOf } from './manifest.ts';
import { memoKeyOf } from './memo-key.ts';
import { type Store, StoreError } from './store.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Names written at once. */
const AT_ONCE = 16;

/** A shard that was run again gave other bytes than before. Not retryable: the engine is not deterministic. */
export class OutputDiffersError extends Error {
  override readonly name = 'OutputDiffersError';
  readonly code = 'OutputDiffers';
}

type Work<K extends StageKind> = (previous?: StageOutput<K>) => Promise<Omit<StageOutput<K>, 'reused'>>;
type Fresh<K extends StageKind> = Omit<StageOutput<K>, 'reused'>;

interface Entry<K extends StageKind = StageKind> {
  format: 1;
  key: string;
  input: StageInput<K>;
  output: Fresh<K>;
  attempt: number;
}

function refsOf(output: unknown): ArtifactRef[] {
  if (typeof output !== 'object' || output === null) return [];
  const ref = ArtifactRef.safeParse(output);
  return ref.success ? [ref.data] : Object.values(output).flatMap(refsOf);
}

/** Every artifact an output names, whatever its ports look like: sorted digests, each once. */
export const digestsOf = (output: unknown): string[] => [...new Set(refsOf(output).map((ref) => ref.digest))].sort();

/** The same with the parts of manifests. Throws as `store.read` for a manifest. */
async function allDigestsOf(store: Store, output: unknown): Promise<string[]> {
  const refs = refsOf(output);
  const leaves = await leavesOf(store, refs);
  return [...new Set([...refs, ...leaves].map((ref) => ref.digest))].sort();
}

async function entryAt<K extends StageKind>(store: Store, name: string): Promise<Entry<K> | undefined> {
  const found = (await store.getName(name)) as Entry<K> | undefined;
  return found?.format === 1 ? found : undefined;
}

async function allThere(store: Store, output: unknown): Promise<boolean> {
  try {
    for (const digest of await allDigestsOf(store, output)) if (!(await store.has(digest))) return false;
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.digest !== undefined) return false;
    throw error;
  }
}

/** The run and iteration are part of it: attempt 1 of a fork or of a later iteration is an attempt of its own. */
const partialName = (key: string, runId: string, iteration: number, attempt: number): string =>
  `memo/${key}/partial/${sha256(canonicalJson([runId, iteration, attempt])).slice(0, 32)}`;

/** Does the work and holds it against what the run had: its own partial output if it had one, else the memo's. */
async function afresh<K extends StageKind>(
  store: Store,
  input: StageInput<K>,
  key: string,
  work: Work<K>,
): Promise<StageOutput<K>> {
  const of = input.run.fresh as NonNullable<StageInput['run']['fresh']>;
  const made = withoutReused(await work());
  const recorded =
    (await entryAt<K>(store, partialName(key, of.runId, input.iteration, of.attempt))) ??
    (await entryAt<K>(store, `memo/${key}`));
  const first = (recorded && differenceOf(input, recorded.output.outputs, made.outputs)) ?? null;
  const verdict = recorded === undefined ? 'unknown' : first ? 'different' : 'equal';
  const compared: Comparison = { equal: 0, different: 0, unknown: 0, first };
  compared[verdict] = 1;
  return { ...made, reused: false, compared };
}

function differenceOf(input: StageInput, recorded: object, replayed: object): Difference | undefined {
  for (const port of Object.keys(replayed).sort()) {
    const [before, after] = [recorded, replayed].map((outputs) => (outputs as Record<string, unknown>)[port]);
    if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) continue;
    const [then, now] = [digestsOf(before).join(' '), digestsOf(after).join(' ')];
    const alike = then === now;
    return {
      what: `${input.stage}.${port}`,
      shard: input.shard.index,
      recorded: alike ? canonicalJson(before ?? null) : then,
      replayed: alike ? canonicalJson(after ?? null) : now,
    };
  }
  return undefined;
}

/**
 * Returns the memo's output for this shard (`reused: true`), or does `work` and enters what it gave.
 *
 * - Partial entries answer re-deliveries within their attempt alone; in any other attempt, replay or fork `work` gets the
 *   latest of them as `previous`, to judge just its unjudged rows.
 * - An entry whose artifacts are gone, or `input.redo`: the work is done again and must give the same digests.
 *   Throws OutputDiffersError (both named) if it does not; the entry stays.
 * - Several workers on one key: the first entry wins and all return it.
 * - In a fresh replay the work is done whatever the memo has, nothing is entered, and the output says how it compares.
 */
export async function memoised<K extends StageKind>(
  store: Store,
  input: StageInput<K>,
  work: Work<K>,
  /** The input as it is to be kept for a repair; it may name manifests where `input` names what stands in them. */
  kept: StageInput<K> = input,
): Promise<StageOutput<K>> {
  const { redo } = input;
  const { redo: _, ...asked } = kept;
  const key = memoKeyOf(input);
  const complete = `memo/${key}`;
  const partial = partialName(key, input.run.runId, input.iteration, input.attempt);

  if (input.run.fresh !== undefined && redo === undefined) return afresh(store, input, key, work);

  const own = await entryAt<K>(store, partial);
  const whole = await entryAt<K>(store, complete);

  if (redo !== undefined) {
    const entry = [whole, own].find((one) => one && digestsOf(one.output).includes(redo.digest)) ?? whole ?? own;
    if (entry !== undefined) return again(store, entry, work);
  } else {
    // Its own partial output first, even if another run has completed the shard since: a re-delivery gives equal bytes.
    for (const entry of [own, whole]) {
      if (entry !== undefined && (await allThere(store, entry.output))) return { ...entry.output, reused: true };
    }
    if (whole !== undefined) return again(store, whole, work);
  }

  const fresh = await workFrom(await previousOutput<K>(store, key, input), work);
  const made = await allDigestsOf(store, fresh.outputs);
  if (redo !== undefined && !made.includes(redo.digest)) {
    throw new OutputDiffersError(differs(key, [redo.digest], digestsOf(fresh.outputs)));
  }

  for (let from = 0; from < made.length; from += AT_ONCE)
    await Promise.all(
      made
        .slice(from, from + AT_ONCE)
        .map((digest) => store.createName(`producers/${digest.slice('sha256:'.length)}`, { key, input: asked })),
    );
  const done: Entry<K> = {
    format: 1,
    key,
    input: asked,
    output: withoutReused(fresh),
    attempt: input.attempt,
  };
  // As the memo will give it back, to the order of its fields: a re-delivery is identical.
  const entry = JSON.parse(canonicalJson(done)) as Entry<K>;
  const name = fresh.partial ? partial : complete;
  const written = await store.createName(name, entry);
  const standing = written.value as Entry<K>;
  if (!written.created && standing.format === 1 && !(fresh.partial && own !== undefined)) {
    return { ...standing.output, reused: true };
  }
  // An own partial entry was found without its artifacts: what an outage left unjudged then may be judged now.
  if (!written.created) await store.replaceName(name, entry);
  return { ...entry.output, reused: false };
}

/** The input of a shard that makes this artifact; undefined if no stage made it, or the index was lost. */
export async function producerOf(store: Store, digest: string): Promise<StageInput | undefined> {
  const found = await store.getName(`producers/${digest.slice('sha256:'.length)}`);
  return (found as { input: StageInput } | undefined)?.input;
}

/** Does the work of an entry once more; returns the entry's output, whose artifacts are there again. */
async function again<K extends StageKind>(store: Store, entry: Entry<K>, work: Work<K>): Promise<StageOutput<K>> {
  const fresh = await workFrom(
    entry.output.partial ? await previousOutput(store, entry.key, entry.input) : undefined,
    work,
  );
  const before = digestsOf(entry.output.outputs);
  const after = digestsOf(fresh.outputs);
  if (canonicalJson(before) !== canonicalJson(after)) {
    // Not the engine's fault: the verifier is out of order just now. Without a code of its own this is retried.
    if (fresh.partial && !entry.output.partial) {
      throw new Error(
        `shard ${entry.key} is made again, but some of its rows could not be judged this time; retry later`,
      );
    }
    throw new OutputDiffersError(differs(entry.key, before, after));
  }
  return { ...entry.output, reused: false };
}

function differs(key: string, before: string[], after: string[]): string {
  return (
    `OutputDiffers: shard ${key} was run again; expected ${before.join(', ')}; got ${after.join(', ')}. ` +
    'Go on with the worker and engine settings the run was started with, or start the iteration anew by `startrail retry`.'
  );
}

/** The partial output to go on from: this run's latest before this attempt, else any other's. */
async function previousOutput<K extends StageKind>(
  store: Store,
  key: string,
  input: StageInput<K>,
): Promise<StageOutput<K> | undefined> {
  const entries: Entry<K>[] = [];
  for (const name of await store.listNames(`memo/${key}/partial/`)) {
    const entry = await entryAt<K>(store, name);
    if (entry === undefined) continue;
    const { run, iteration, attempt } = entry.input;
    const sameIteration = run.runId === input.run.runId && iteration === input.iteration;
    if (sameIteration && attempt >= input.attempt) continue;
    if (await allThere(store, entry.output)) entries.push(entry);
  }
  const rank = (entry: Entry<K>) =>
    (entry.input.run.runId === input.run.runId ? 1e12 : 0) + entry.input.iteration * 1e6 + entry.attempt;
  const [latest] = entries.sort((a, b) => rank(b) - rank(a));
  return latest && { ...latest.output, reused: true };
}

/** Works on from `previous`; from nothing if what that refers to turns out to be damaged. */
async function workFrom<K extends StageKind>(previous: StageOutput<K> | undefined, work: Work<K>): Promise<Fresh<K>> {
  if (previous === undefined) return work();
  try {
    return await work(previous);
  } catch (error) {
    const lost = error instanceof StoreError ? error.digest : undefined;
    if (lost === undefined || !digestsOf(previous).includes(lost)) throw error;
    return work();
  }
}

/** Activities may hand over a whole StageOutput; `reused` says something of a delivery, not of the shard. */
function withoutReused<K extends StageKind>(fresh: Fresh<K>): Fresh<K> {
  const { reused: _, ...output } = fresh as StageOutput<K>;
  return output;
}
