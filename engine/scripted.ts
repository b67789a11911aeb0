/**
 * A stand-in engine for tests: answers by a rule, trains by hashing.
 *
 *   createScriptedEngine({ answer: (prompt, row, model) => worked(prompt) })
 *
 * Everything is a pure function of the request, and a trained checkpoint's bytes are a hash of what it was made from, so
 * digests flow through a run as they do with a real engine. Limits: no snapshots inside a fine-tune; a shared prefix takes
 * its share of the context and is not looked at otherwise.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { AdapterOptions, DecoderConfig, TokenizerSpec } from '../schemas/checkpoint.ts';
import type {
  Completion,
  Engine,
  EngineControl,
  LocalCheckpoint,
  SampleRow,
  Sampling,
  TrainRequest,
  TrainRow,
} from './engine.ts';
import { EngineError, OBJECTIVES } from './engine.ts';
import { readSafetensors, weightsDigest, writeSafetensors } from './tfjs/safetensors.ts';
import { openTokenizer } from './tfjs/tokenizer.ts';

export interface ScriptedOptions {
  /** The completion's text; the default answers `a+b` right about half the time. Ignore row.seed where sampling is greedy. */
  answer?: (prompt: string, row: SampleRow, model: LocalCheckpoint, sampling: Sampling) => string;
  /** The log-probability of a row's completion; the default takes it from the hash of (model, prompt, completion). */
  score?: (row: TrainRow, model: LocalCheckpoint) => number;
  /** Pause before each row and each training step. */
  delayMs?: number;
  /** What happens at the n-th request to sample or train (1 = the first). */
  faults?: Record<number, 'die' | 'hang'>;
  /** How to die; the default rejects with EngineDied, a child kills itself. */
  die?: () => never;
  /** How to hang; the default never settles, a child blocks its loop. */
  hang?: () => Promise<never>;
}

const CONTEXT_WITHOUT_CONFIG = 512;
/** Rows between two looks at the signal. */
const ROWS_AT_ONCE = 64;

const hashOf = (...parts: (string | Uint8Array)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest();
};

/** Right or wrong by the hash of (model, prompt, seed); greedy leaves the seed out. */
export function scriptedAnswer(
  prompt: string,
  row: SampleRow,
  model: LocalCheckpoint,
  { temperature }: Sampling,
): string {
  const hash = hashOf(model.digest, prompt, temperature === 0 ? '' : row.seed).readUInt32LE(0);
  const sum = /(\d+)\+(\d+)/.exec(prompt);
  if (sum === null) return String(hash);
  return String(BigInt(sum[1]!) + BigInt(sum[2]!) + (hash % 2 === 0 ? 0n : BigInt(1 + (hash % 97))));
}

/** −10 … 0. */
const scriptedScore = ({ prompt, completion }: TrainRow, model: LocalCheckpoint): number =>
  -(hashOf(model.digest, prompt, completion).readUInt32LE(4) / 2 ** 32) * 10;

/** Deterministic; `EngineError` codes as the real engine's for a missing checkpoint and unknown characters. */
export function createScriptedEngine(options: ScriptedOptions = {}): Engine {
  const { answer = scriptedAnswer, score = scriptedScore, delayMs = 0, faults = {} } = options;
  let requests = 0;

  const pause = (signal?: AbortSignal) => sleep(delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
  const begin = async (signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    const fault = faults[++requests];
    if (fault === 'die')
      (
        options.die ??
        (() => {
          throw new EngineError('EngineDied', `scripted at request ${requests}`);
        })
      )();
    if (fault === 'hang') {
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
      await (options.hang ?? (() => aborted))();
    }
  };

  return {
    learns: OBJECTIVES,

    describe: () => Promise.resolve({ name: 'scripted', fingerprint: 'scripted v2', deterministic: true }),

    async sample({ model, rows, sampling, prefix = '' }, control) {
      await begin(control?.signal);
      const { metadata } = await readSafetensors(model.path);
      const context =
        metadata.config === undefined
          ? CONTEXT_WITHOUT_CONFIG
          : DecoderConfig.parse(JSON.parse(metadata.config)).context;
      const tokens = codec(metadata.tokenizer);
      const completions: Completion[] = [];
      for (const row of rows) {
        if (delayMs > 0 || completions.length % ROWS_AT_ONCE === 0) await pause(control?.signal);
        const room = tokens.encode(prefix).length + tokens.encode(row.prompt).length + row.maxNewTokens <= context;
        completions.push(room ? complete(answer(row.prompt, row, model, sampling), row, tokens) : overflow());
        report(control, completions.length, rows.length);
      }
      return completions;
    },

    async score({ model, rows }, control) {
      await begin(control?.signal);
      await readSafetensors(model.path);
      const scores: number[] = [];
      for (const row of rows) {
        if (delayMs > 0 || scores.length % ROWS_AT_ONCE === 0) await pause(control?.signal);
        scores.push(score(row, model));
        report(control, scores.length, rows.length);
      }
      return scores;
    },

    async costs({ model, rows }, control) {
      await begin(control?.signal);
      await readSafetensors(model.path);
      return rows.map(({ prompt, parts }) => {
        const plain = parts.map((part) => -score({ prompt, completion: part }, model));
        return { plain, thinking: plain.map((cost) => cost / 2), shuffled: plain };
      });
    },

    async train(request, control) {
      await begin(control?.signal);
      const { start, schedule, seed } = request;
      const { origin, metadata } = await originOf(start);
      const data = await readFile(request.dataPath);
      for (let step = 1; step <= schedule.steps; step++) {
        if (delayMs > 0 || step % ROWS_AT_ONCE === 0) await pause(control?.signal);
        report(control, step, schedule.steps);
      }
      const adapter = request.adapter === undefined ? [] : [JSON.stringify(AdapterOptions.parse(request.adapter))];
      const { preference, rewardModel, quiet } = request;
      const aim = [preference, policyDigest(request), rewardModel && 'reward-model', quiet].filter(
        (one) => one !== undefined,
      );
      const hash = hashOf(
        origin,
        data,
        JSON.stringify(Object.entries(schedule).sort()),
        seed,
        ...adapter,
        ...aim.map((one) => JSON.stringify(one)),
      );
      const weights = { name: 'scripted', shape: [hash.length], data: Float32Array.from(hash) };
      await writeSafetensors(request.outputPath, metadata, [weights]);
      return {
        weightsDigest: weightsDigest([weights]),
        steps: schedule.steps,
        resumedFrom: 0,
        finalLoss: schedule.steps === 0 ? null : hash.readUInt16LE(0) / 65_536,
        learningRates: Array<number>(schedule.steps).fill(schedule.learningRate),
        tokens: data.length,
      };
    },

    close: () => Promise.resolve(),
  };
}

/** Of the models, what stands in them and not where they lie. */
const policyDigest = ({ policy }: TrainRequest) =>
  policy && [policy.ratio?.sampler.digest, policy.ratio?.clip, policy.kl?.reference.digest, policy.kl?.by];

/** Parsed, so that fields stand in one order: a shard that is made again gets its input as the memo keeps it, sorted. */
async function originOf(start: TrainRequest['start']): Promise<{ origin: string; metadata: Record<string, string> }> {
  if (start.kind === 'checkpoint')
    return { origin: start.checkpoint.digest, metadata: (await readSafetensors(start.checkpoint.path)).metadata };
  const parts = [DecoderConfig.parse(start.config), TokenizerSpec.parse(start.tokenizer)];
  const [config = '', tokenizer = ''] = parts.map((part) => JSON.stringify(part));
  return { origin: `[${config},${tokenizer}]`, metadata: { config, tokenizer } };
}

const overflow = (): Completion => ({ tokenIds: [], text: '', finish: 'overflow' });
const report = (control: EngineControl | undefined, done: number, total: number) =>
  control?.onProgress?.({ done, total, tokensPerSecond: 0 });

interface Codec {
  end: number;
  encode(text: string): number[];
  decode(ids: number[]): string;
}

/** The checkpoint's tokenizer; without one, code points and 0 as the end. */
function codec(spec: string | undefined): Codec {
  if (spec !== undefined) return openTokenizer(TokenizerSpec.parse(JSON.parse(spec)));
  return {
    end: 0,
    encode: (text) => Array.from(text, (character) => character.codePointAt(0)!),
    decode: (ids) => String.fromCodePoint(...ids.filter((id) => id !== 0)),
  };
}

function complete(text: string, row: SampleRow, tokens: Codec): Completion {
  const whole = [...tokens.encode(text), tokens.end];
  const tokenIds = whole.slice(0, Math.max(0, row.maxNewTokens));
  return { tokenIds, text: tokens.decode(tokenIds), finish: tokenIds.length === whole.length ? 'stop' : 'length' };
}
