/**
 * What a shard's output depends on, as one name: the key it is looked up by.
 *
 *   memoKeyOf(input)   // '5ffe3c40…', the same for every run that would compute the same
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../schemas/canonical.ts';
import { type StageInput, type StageKind, stageRow } from '../schemas/stage.ts';
import { TOOLS_VERSION } from '../schemas/tools.ts';
import { keyInput } from './memo-inputs.ts';

/** What samples or trains; `evaluate` is greedy, and so the same in every iteration. */
const SEEDED: StageKind[] = [
  'generate',
  'balance',
  'rationalize',
  'rank',
  'fine-tune',
  'prefer',
  'reward-model',
  'think',
];
/** What the iteration's number changes: seeds of samples, the draw, the number of steps. */
const BY_ITERATION: ReadonlySet<StageKind> = new Set<StageKind>([...SEEDED, 'draw', 'unfiltered', 'turns']);
/** What an engine computes; the others are the same on every machine. */
const BY_ENGINE: ReadonlySet<StageKind> = new Set<StageKind>([...SEEDED, 'evaluate', 'perplexity']);

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/**
 * The memo key of a shard, 64 hex digits: all that may change its output, and nothing else. Not in it: run id, stage name,
 * attempt, place among the shards, the engine's name (its fingerprint is). Deterministic; equal rows give equal keys
 * however the artifacts before them were cut beyond the slice.
 */
export function memoKeyOf(input: StageInput): string {
  const { run, kind } = input;
  const { seed, task, parameters, implementation } = run;
  const inputs = input.inputs as Record<string, unknown>;
  return sha256(
    canonicalJson({
      format: 1,
      kind,
      version: stageRow(kind).version,
      options: input.options,
      inputs: Object.fromEntries(Object.entries(inputs).map(([port, value]) => [port, keyInput(value)])),
      // A pretrained model is the same for every run.
      ...(kind !== 'import' && { seed, task, parameters, implementation }),
      iteration: BY_ITERATION.has(kind) ? input.iteration : undefined,
      fingerprint: BY_ENGINE.has(kind) ? run.fingerprint : undefined,
      tools: 'tools' in input.options && input.options.tools ? TOOLS_VERSION : undefined,
      // Absent where no gate, no tools were asked for: the keys of other runs stay what they were.
      gate: kind === 'draw' ? run.gate : undefined,
      source: kind === 'draw' ? sourceKey(run.source) : undefined,
      dataset: kind === 'draw' ? run.dataset?.problems.digest : undefined,
      carried: kind === 'fine-tune' ? keyInput(input.carried) : undefined,
    }),
  );
}

/**
 * A name for unfinished work on this shard. A fresh replay has one of its own: what the run left half done is not taken up,
 * and the run never meets what the replay leaves.
 */
export const workNameOf = (input: StageInput): string =>
  input.run.fresh === undefined ? memoKeyOf(input) : `${memoKeyOf(input)}-${sha256(input.run.runId).slice(0, 16)}`;

const sourceKey = (source: StageInput['run']['source']) =>
  source && { problems: source.problems.digest, fresh: source.fresh.digest, newShare: source.newShare };
