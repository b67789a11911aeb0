/**
 * Batched generation from one loaded model.
 *
 *   const sampler = new Sampler(await readCheckpoint(path));
 *   const completions = await sampler.sample({ rows, sampling: { temperature: 0, topP: 1 } });
 *
 * Rows are grouped by the padded length of their prompt and sorted inside a group, so that rows that end together run
 * together; results come back in the order of the request. The batches of a wave advance to the same position in turn, and
 * there the rows still running close ranks into fewer or smaller batches. What a row gets depends on that row and the
 * request's prefix alone (see decoder.ts).
 */
import { setImmediate } from 'node:timers/promises';
import type { TokenizerSpec } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import type { Completion, EngineControl, SampleRequest, SampleRow, TrainRow } from '../engine.ts';
import { Cache, type SharedPrefix } from './cache.ts';
import { bytesPerPosition, Decoder } from './decoder.ts';
import { pick } from './pick.ts';
import { openForm, type PromptForm } from './prompt-form.ts';
import { free, read, type Handle } from './raw.ts';
import { uniform } from './rng.ts';
import type { Checkpoint } from './safetensors.ts';
import { scoresOf } from './scorer.ts';
import { StopTexts } from './stop.ts';
import { spansLeft, ToolCalls, type Calling } from './tool-calls.ts';

const PROGRESS_MS = 500;
/** Caches of one wave together, at their rows' full length. */
const WAVE_BYTES = 768e6;

interface Job extends Calling {
  index: number;
  row: SampleRow;
  prompt: number[];
  sampled: number[];
  finish: Completion['finish'] | undefined;
}

interface Batch {
  /** By slot; shorter than the slots where some are unused. */
  jobs: Job[];
  /** The last token of each slot, not yet in the cache. */
  last: Int32Array;
  cache: Cache;
}

interface Run {
  sampling: SampleRequest['sampling'];
  form: PromptForm;
  stops: StopTexts;
  tools: ToolCalls | undefined;
  meter: Meter;
  signal: AbortSignal | undefined;
  prefix: SharedPrefix | undefined;
}

const running = (job: Job): boolean => job.finish === undefined;

export class Sampler {
  readonly #decoder: Decoder;
  readonly #spec: TokenizerSpec;
  readonly #forms = new Map<boolean, PromptForm>();
  /** The prefix used last: shards of a stage share it. */
  #prefix: { ids: string; shared: SharedPrefix } | undefined;

  /** @param onWork as of Decoder. */
  constructor(model: Checkpoint, onWork?: () => void) {
    this.#spec = model.tokenizer;
    this.#form(false);
    this.#decoder = new Decoder(model, onWork);
  }

  /**
   * @returns a completion for each row, in order.
   * @throws EngineError `TextNotInVocabulary`, for a chat `ChatTemplateMissing` and `CheckpointInvalid`; the signal's reason where it aborts.
   */
  async sample(
    { rows, sampling, prefix = '', chat = false, stop = [], tools: asked }: Omit<SampleRequest, 'model'>,
    { signal, onProgress }: EngineControl = {},
  ): Promise<Completion[]> {
    const form = this.#form(chat);
    const { before, prompts } = form.ask(
      prefix,
      rows.map((row) => row.prompt),
    );
    const jobs = rows.map((row, index): Job => {
      const prompt = prompts[index]!;
      const fits = before.length + prompt.length + row.maxNewTokens <= this.#decoder.config.context;
      const finish = !fits ? 'overflow' : row.maxNewTokens <= 0 ? 'length' : undefined;
      return { index, row, prompt, sampled: [], forced: [], calls: [], finish };
    });
    const stops = new StopTexts(form, stop);
    const tools = asked && new ToolCalls(form, asked, stop);
    const meter = new Meter(jobs, onProgress);
    const open = jobs.filter(running);
    const shared = open.length === 0 || before.length === 0 ? undefined : this.#openPrefix(before);
    for (const wave of this.#waves(open))
      await this.#runWave(wave, { sampling, form, stops, tools, meter, signal, prefix: shared });
    meter.report(true);
    return jobs.map(({ sampled, calls, finish }) => {
      const completion = { ...stops.cut(sampled), finish: finish ?? ('length' as const) };
      return calls.length === 0 ? completion : { ...completion, calls: spansLeft(calls, sampled, completion.tokenIds) };
    });
  }

  /** As Engine.score. */
  score(rows: readonly TrainRow[], control?: EngineControl): Promise<number[]> {
    return scoresOf(this.#decoder, openForm(this.#spec), rows, control);
  }

  close(): void {
    if (this.#prefix !== undefined) this.#decoder.closePrefix(this.#prefix.shared);
    this.#prefix = undefined;
    this.#decoder.close();
  }

  #form(chat: boolean): PromptForm {
    const form = this.#forms.get(chat) ?? openForm(this.#spec, chat);
    this.#forms.set(chat, form);
    return form;
  }

  #openPrefix(ids: readonly number[]): SharedPrefix {
    const { window } = this.#decoder.config;
    if (window !== undefined)
      throw new EngineError(
        'CheckpointInvalid',
        `the model has a window of ${window} tokens, and texts before every prompt are not read through one; ask without examples (prompt: "plain")`,
      );
    const key = ids.join();
    if (this.#prefix?.ids === key) return this.#prefix.shared;
    if (this.#prefix !== undefined) this.#decoder.closePrefix(this.#prefix.shared);
    this.#prefix = undefined;
    const shared = this.#decoder.openPrefix(ids);
    this.#prefix = { ids: key, shared };
    return shared;
  }

  /** Rows that share a padded prompt length, alike ones together, cut to what the caches may take. */
  #waves(jobs: Job[]): Job[][] {
    const groups = new Map<number, Job[]>();
    for (const job of jobs) {
      const padded = this.#decoder.paddedLength(job.prompt.length);
      groups.set(padded, [...(groups.get(padded) ?? []), job]);
    }
    const { sizes, config } = this.#decoder;
    const largest = sizes.at(-1)!;
    const waves: Job[][] = [];
    for (const [padded, group] of groups) {
      group.sort((a, b) => a.prompt.length - b.prompt.length || a.row.maxNewTokens - b.row.maxNewTokens);
      const longest = Math.max(...group.map(({ row }) => row.maxNewTokens));
      const fitting = Math.floor(WAVE_BYTES / ((padded + longest) * bytesPerPosition(config)));
      const size =
        fitting >= largest ? fitting - (fitting % largest) : (sizes.findLast((slots) => slots <= fitting) ?? sizes[0]!);
      for (let at = 0; at < group.length; at += size) waves.push(group.slice(at, at + size));
    }
    return waves;
  }

  /** Counts of slots for so many rows: full batches, then the smallest that takes the rest. */
  #arrange(rows: number): number[] {
    const { sizes } = this.#decoder;
    const largest = sizes.at(-1)!;
    const arranged = Array<number>(Math.floor(rows / largest)).fill(largest);
    const rest = rows % largest;
    return rest === 0 ? arranged : [...arranged, sizes.find((slots) => slots >= rest)!];
  }

  async #runWave(wave: Job[], context: Run): Promise<void> {
    let batches: Batch[] = [];
    try {
      let at = 0;
      for (const slots of this.#arrange(wave.length)) {
        await pauseFor(context.signal);
        batches.push(await this.#prefill(wave.slice(at, at + slots), slots, context));
        at += slots;
      }
      while (batches.length > 0) {
        batches = this.#closeRanks(batches);
        for (const batch of batches) await this.#advance(batch, context);
      }
    } finally {
      for (const { cache } of batches) cache.close();
    }
  }

  async #prefill(jobs: Job[], slots: number, context: Run): Promise<Batch> {
    const prompts = Array.from({ length: slots }, (_, slot) => jobs[slot]?.prompt ?? []);
    const padded = this.#decoder.paddedLength(jobs[0]!.prompt.length);
    const { cache, result } = this.#decoder.prefill(prompts, padded, context.form.pad, wanted(context), context.prefix);
    const batch = { jobs, last: new Int32Array(slots), cache };
    await this.#take(batch, result, context);
    return batch;
  }

  /** Until the cache is full or no row runs. */
  async #advance(batch: Batch, context: Run): Promise<void> {
    do {
      await pauseFor(context.signal);
      await this.#take(batch, this.#decoder.step(batch.cache, batch.last, wanted(context)), context);
    } while (!batch.cache.full && batch.jobs.some(running));
  }

  /** Leaves ended batches behind and, where that saves slots, gathers the rows still running. */
  #closeRanks(batches: Batch[]): Batch[] {
    const open = batches.filter(({ jobs }) => jobs.some(running));
    for (const batch of batches) if (!open.includes(batch)) batch.cache.close();
    const picks = open.flatMap(({ jobs, last }, cache) =>
      jobs.flatMap((job, slot) => (running(job) ? [{ job, last: last[slot]!, cache, slot }] : [])),
    );
    const arranged = this.#arrange(picks.length);
    const slotsOf = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    if (slotsOf(arranged) >= slotsOf(open.map(({ cache }) => cache.slots))) return open;
    const caches = open.map(({ cache }) => cache);
    let at = 0;
    const gathered = arranged.map((slots): Batch => {
      const part = picks.slice(at, at + slots);
      at += slots;
      const rows = Array.from({ length: slots }, (_, slot) => part[slot] ?? part[0]!);
      return {
        jobs: part.map(({ job }) => job),
        last: Int32Array.from(rows, ({ last }) => last),
        cache: Cache.gather(this.#decoder.kernels, caches, rows),
      };
    });
    for (const cache of caches) cache.close();
    return gathered;
  }

  /** Picks the next token of every running row from what a pass gave, which it frees. */
  async #take({ jobs, last }: Batch, result: Handle, context: Run): Promise<void> {
    const { sampling, form, stops, tools, meter, signal } = context;
    const vocab = this.#decoder.config.vocabSize;
    const values = read(result);
    free(result);
    const greedy = sampling.temperature === 0;
    for (const [slot, job] of jobs.entries()) {
      if (!running(job)) continue;
      const of = () => (values as Float32Array).subarray(slot * vocab, (slot + 1) * vocab);
      const forced = job.forced.shift();
      const picked = () => (greedy ? values[slot]! : pick(of(), sampling, uniform(job.row.seed, job.sampled.length)));
      const id = forced ?? picked();
      job.sampled.push(id);
      last[slot] = id;
      meter.tokens++;
      if (form.isEnd(id) || stops.reached(job.sampled)) job.finish = 'stop';
      else if (job.sampled.length >= job.row.maxNewTokens) job.finish = 'length';
      if (!running(job)) meter.done++;
      else if (tools && forced === undefined) await tools.after(job, { signal, onAlive: () => meter.report(true) });
    }
    meter.report();
  }
}

const wanted = ({ sampling }: Run) => (sampling.temperature === 0 ? 'best' : 'logits');

/** Lets messages and timers in between two steps, and an abort out. */
async function pauseFor(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}

/** Counts finished rows and tokens, and reports about twice a second. */
class Meter {
  tokens = 0;
  done: number;
  readonly #total: number;
  readonly #onProgress: EngineControl['onProgress'];
  #lastTime = performance.now();
  #lastTokens = 0;

  constructor(jobs: readonly Job[], onProgress: EngineControl['onProgress']) {
    this.#total = jobs.length;
    this.done = jobs.filter((job) => job.finish !== undefined).length;
    this.#onProgress = onProgress;
  }

  report(last = false): void {
    const elapsed = performance.now() - this.#lastTime;
    if (this.#onProgress === undefined || (elapsed < PROGRESS_MS && !last)) return;
    const tokensPerSecond = elapsed > 0 ? ((this.tokens - this.#lastTokens) / elapsed) * 1000 : 0;
    this.#onProgress({ done: this.done, total: this.#total, tokensPerSecond });
    this.#lastTime = performance.now();
    this.#lastTokens = this.tokens;
  }
}
