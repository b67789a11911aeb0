/**
 * Batched generation from one loaded model.
 *
 *   const sampler = new Sampler(await readCheckpoint(path));
 *   const completions = await sampler.sample({ rows, sampling: { temperature: 0, topP: 1 } });
 *
 * Rows are grouped by the padded length of their prompt and sorted inside a group, so that rows that end together run
 * together; results come back in the order of the request. What a row gets depends on that row alone (see decoder.ts).
 */
import { setImmediate } from 'node:timers/promises';
import type { Completion, EngineControl, SampleRequest, SampleRow } from '../engine.ts';
import { Decoder, type Cache } from './decoder.ts';
import { pick } from './pick.ts';
import { free, int, ints, read, run, T, type Handle } from './raw.ts';
import { uniform } from './rng.ts';
import type { Checkpoint } from './safetensors.ts';
import { PieceTokenizer } from './tokenizer.ts';

const ARGMAX = [T, int('Tidx'), int('output_type')];
const PROGRESS_MS = 500;

interface Job {
  index: number;
  row: SampleRow;
  prompt: number[];
  sampled: number[];
  finish: Completion['finish'] | undefined;
}

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
    for (const batch of this.#batches(jobs.filter((job) => job.finish === undefined)))
      await this.#run(batch, sampling, meter, signal);
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

  #batches(jobs: Job[]): Job[][] {
    const groups = new Map<number, Job[]>();
    for (const job of jobs) {
      const padded = this.#decoder.paddedLength(job.prompt.length);
      groups.set(padded, [...(groups.get(padded) ?? []), job]);
    }
    const batches: Job[][] = [];
    for (const group of groups.values()) {
      group.sort((a, b) => a.prompt.length - b.prompt.length || a.row.maxNewTokens - b.row.maxNewTokens);
      for (let at = 0; at < group.length; at += this.#decoder.slots) batches.push(group.slice(at, at + this.#decoder.slots));
    }
    return batches;
  }

  async #run(batch: Job[], sampling: SampleRequest['sampling'], meter: Meter, signal?: AbortSignal): Promise<void> {
    const decoder = this.#decoder;
    const prompts = Array.from({ length: decoder.slots }, (_, slot) => batch[slot]?.prompt ?? []);
    let logits: Handle | undefined;
    let ids: Handle | undefined;
    let cache: Cache | undefined;
    try {
      ({ cache, logits } = decoder.prefill(prompts, decoder.paddedLength(batch[0]!.prompt.length), this.#tokenizer.pad));
      for (;;) {
        await setImmediate();
        signal?.throwIfAborted();
        const greedy = sampling.temperature === 0;
        ids = greedy ? run('ArgMax', ARGMAX, [logits, this.#axis]) : this.#sampled(logits, batch, sampling);
        const running = this.#append(batch, read(ids), meter);
        meter.report();
        if (running === 0) return;
        free(logits);
        logits = undefined;
        logits = decoder.step(cache, ids);
        free(ids);
        ids = undefined;
      }
    } finally {
      if (logits !== undefined) free(logits);
      if (ids !== undefined) free(ids);
      if (cache !== undefined) decoder.closeCache(cache);
    }
  }

  /** Next ids [slots] by temperature and nucleus; slots without a running row get the end token. */
  #sampled(logits: Handle, batch: Job[], sampling: SampleRequest['sampling']): Handle {
    const values = read(logits) as Float32Array;
    const vocab = this.#decoder.config.vocabSize;
    const ids = new Int32Array(this.#decoder.slots).fill(this.#tokenizer.end);
    for (const [slot, job] of batch.entries()) {
      if (job.finish !== undefined) continue;
      const u = uniform(job.row.seed, job.sampled.length);
      ids[slot] = pick(values.subarray(slot * vocab, (slot + 1) * vocab), sampling, u);
    }
    return ints([ids.length], ids);
  }

  /** @returns how many rows go on. */
  #append(batch: Job[], ids: ArrayLike<number>, meter: Meter): number {
    let running = 0;
    for (const [slot, job] of batch.entries()) {
      if (job.finish !== undefined) continue;
      job.sampled.push(ids[slot]!);
      meter.tokens++;
      if (ids[slot] === this.#tokenizer.end) job.finish = 'stop';
      else if (job.sampled.length >= job.row.maxNewTokens) job.finish = 'length';
      if (job.finish === undefined) running++;
      else meter.done++;
    }
    return running;
  }
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
