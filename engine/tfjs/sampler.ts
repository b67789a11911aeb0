/**
 * Batched generation from one loaded model.
 *
 *   const sampler = new Sampler(await readCheckpoint(path));
 *   const completions = await sampler.sample({ rows, sampling: { temperature: 0, topP: 1 } });
 *
 * Rows are grouped by the padded length of their prompt and sorted inside a group, so that rows that end together run
 * together; results come back in the order of the request. The batches of a wave advance to the same position in turn, and
 * there the rows still running close ranks into fewer batches. What a row gets depends on that row alone (see decoder.ts).
 */
import { setImmediate } from 'node:timers/promises';
import type { Completion, EngineControl, SampleRequest, SampleRow } from '../engine.ts';
import { Cache } from './cache.ts';
import { bytesPerRow, Decoder } from './decoder.ts';
import { pick } from './pick.ts';
import { free, int, ints, read, run, T, type Handle } from './raw.ts';
import { uniform } from './rng.ts';
import type { Checkpoint } from './safetensors.ts';
import { PieceTokenizer } from './tokenizer.ts';

const ARGMAX = [T, int('Tidx'), int('output_type')];
const PROGRESS_MS = 500;
/** Caches of one wave together. */
const WAVE_BYTES = 256e6;

interface Job {
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
  meter: Meter;
  signal: AbortSignal | undefined;
}

const running = (job: Job): boolean => job.finish === undefined;

export class Sampler {
  readonly #decoder: Decoder;
  readonly #tokenizer: PieceTokenizer;
  readonly #axis: Handle;

  constructor(model: Checkpoint) {
    this.#tokenizer = new PieceTokenizer(model.tokenizer);
    this.#decoder = new Decoder(model);
    this.#axis = ints([], [1]);
  }

  /**
   * @returns a completion for each row, in order.
   * @throws EngineError `TextNotInVocabulary`; the signal's reason where it aborts.
   */
  async sample(
    { rows, sampling }: Omit<SampleRequest, 'model'>,
    { signal, onProgress }: EngineControl = {},
  ): Promise<Completion[]> {
    const jobs = rows.map((row, index): Job => {
      const prompt = this.#tokenizer.encode(row.prompt);
      const fits = prompt.length + row.maxNewTokens <= this.#decoder.config.context;
      const finish = !fits ? 'overflow' : row.maxNewTokens <= 0 ? 'length' : undefined;
      return { index, row, prompt, sampled: [], finish };
    });
    const meter = new Meter(jobs, onProgress);
    for (const wave of this.#waves(jobs.filter(running))) await this.#runWave(wave, { sampling, meter, signal });
    meter.report(true);
    return jobs.map(({ sampled, finish }) => ({
      tokenIds: sampled,
      text: this.#tokenizer.decode(sampled),
      finish: finish ?? 'length',
    }));
  }

  close(): void {
    free(this.#axis);
    this.#decoder.close();
  }

  /** Rows that share a padded prompt length, alike ones together, cut to what the caches may take. */
  #waves(jobs: Job[]): Job[][] {
    const groups = new Map<number, Job[]>();
    for (const job of jobs) {
      const padded = this.#decoder.paddedLength(job.prompt.length);
      groups.set(padded, [...(groups.get(padded) ?? []), job]);
    }
    const { slots, config } = this.#decoder;
    const size = slots * Math.max(1, Math.floor(WAVE_BYTES / (slots * bytesPerRow(config))));
    const waves: Job[][] = [];
    for (const group of groups.values()) {
      group.sort((a, b) => a.prompt.length - b.prompt.length || a.row.maxNewTokens - b.row.maxNewTokens);
      for (let at = 0; at < group.length; at += size) waves.push(group.slice(at, at + size));
    }
    return waves;
  }

  async #runWave(wave: Job[], context: Run): Promise<void> {
    let batches: Batch[] = [];
    try {
      for (let at = 0; at < wave.length; at += this.#decoder.slots) {
        await pauseFor(context.signal);
        batches.push(this.#prefill(wave.slice(at, at + this.#decoder.slots), context));
      }
      while (batches.length > 0) {
        batches = this.#closeRanks(batches);
        for (const batch of batches) await this.#advance(batch, context);
      }
    } finally {
      for (const { cache } of batches) cache.close();
    }
  }

  #prefill(jobs: Job[], context: Run): Batch {
    const decoder = this.#decoder;
    const prompts = Array.from({ length: decoder.slots }, (_, slot) => jobs[slot]?.prompt ?? []);
    const padded = decoder.paddedLength(jobs[0]!.prompt.length);
    const { cache, logits } = decoder.prefill(prompts, padded, this.#tokenizer.pad);
    const batch = { jobs, last: new Int32Array(decoder.slots), cache };
    this.#take(batch, logits, context);
    return batch;
  }

  /** Until the cache is full or no row runs. */
  async #advance(batch: Batch, context: Run): Promise<void> {
    do {
      await pauseFor(context.signal);
      const ids = ints([batch.last.length], batch.last);
      const logits = this.#decoder.step(batch.cache, ids);
      free(ids);
      this.#take(batch, logits, context);
    } while (!batch.cache.full && batch.jobs.some(running));
  }

  /** Leaves ended batches behind and, where that saves a batch, gathers the rows still running. */
  #closeRanks(batches: Batch[]): Batch[] {
    const { slots } = this.#decoder;
    const open = batches.filter(({ jobs }) => jobs.some(running));
    for (const batch of batches) if (!open.includes(batch)) batch.cache.close();
    const picks = open.flatMap(({ jobs, last }, cache) =>
      jobs.flatMap((job, slot) => (running(job) ? [{ job, last: last[slot]!, cache, slot }] : [])),
    );
    if (Math.ceil(picks.length / slots) >= open.length) return open;
    const caches = open.map(({ cache }) => cache);
    const gathered: Batch[] = [];
    for (let at = 0; at < picks.length; at += slots) {
      const part = picks.slice(at, at + slots);
      const rows = Array.from({ length: slots }, (_, slot) => part[slot] ?? part[0]!);
      gathered.push({
        jobs: part.map(({ job }) => job),
        last: Int32Array.from(rows, ({ last }) => last),
        cache: Cache.gather(caches, rows),
      });
    }
    for (const cache of caches) cache.close();
    return gathered;
  }

  /** Picks the next token of every running row from the logits, which it frees. */
  #take({ jobs, last }: Batch, logits: Handle, { sampling, meter }: Run): void {
    const { end } = this.#tokenizer;
    const vocab = this.#decoder.config.vocabSize;
    const greedy = sampling.temperature === 0;
    const best = greedy ? run('ArgMax', ARGMAX, [logits, this.#axis]) : undefined;
    const values = read(best ?? logits);
    free(logits);
    if (best !== undefined) free(best);
    for (const [slot, job] of jobs.entries()) {
      if (!running(job)) continue;
      const of = () => (values as Float32Array).subarray(slot * vocab, (slot + 1) * vocab);
      const id = greedy ? values[slot]! : pick(of(), sampling, uniform(job.row.seed, job.sampled.length));
      job.sampled.push(id);
      last[slot] = id;
      meter.tokens++;
      if (id === end) job.finish = 'stop';
      else if (job.sampled.length >= job.row.maxNewTokens) job.finish = 'length';
      if (!running(job)) meter.done++;
    }
    meter.report();
  }
}

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
