/**
 * Tools inside generation: where a text closes a call, the tool runs and its words are put behind it, token by token.
 *
 *   const calls = new ToolCalls(form, { use: ['calculator'], atMost: 6 }, stops);
 *   await calls.after(job);         // after each token of the model's own; job.forced holds what has to come next
 *
 * Words of a tool are fed one a step in the place of what would be picked, beside rows that pick: shapes and batches stay those
 * of a text without tools, and so does what a row's numbers depend on. Characters that the tokenizer has not are left out, and a
 * text that would end the completion (a stop) gives way to a space. Source: START, arXiv:2503.04625.
 */
import type { CallSpan } from '../../schemas/tools.ts';
import { endOf, callAtEnd } from '../../tools/calls.ts';
import type { Call } from '../../tools/calls.ts';
import { openToolbox, type Toolbox } from '../../tools/toolbox.ts';
import { ToolUnavailable } from '../../tools/program.ts';
import { EngineError, type SampleRequest, type SampleRow } from '../engine.ts';
import type { PromptForm } from './prompt-form.ts';
import { uniform } from './rng.ts';

/** Between two signs of life while a tool runs: it has a clock of its own. */
const ALIVE_MS = 1_000;
/** Keeps what a control draws apart from what the row draws for its tokens. */
const DRAWN = 0x7001;

export interface Calling {
  row: Pick<SampleRow, 'seed'>;
  sampled: readonly number[];
  /** Tokens that come next, whatever the model says. */
  forced: number[];
  calls: CallSpan[];
}

/** One for the process: its programs share a sandbox. */
let shared: Toolbox | undefined;

export class ToolCalls {
  readonly #form: Pick<PromptForm, 'encode' | 'decode'>;
  readonly #asked: NonNullable<SampleRequest['tools']>;
  readonly #stops: readonly string[];
  readonly #toolbox: Toolbox;

  constructor(
    form: Pick<PromptForm, 'encode' | 'decode'>,
    asked: NonNullable<SampleRequest['tools']>,
    stops: readonly string[],
    toolbox = (shared ??= openToolbox()),
  ) {
    this.#form = form;
    this.#asked = asked;
    this.#stops = stops;
    this.#toolbox = toolbox;
  }

  /** Runs the tool that the job's last token has called, if it has called one. @throws EngineError ToolUnavailable. */
  async after(job: Calling, { signal, onAlive }: { signal?: AbortSignal | undefined; onAlive?: () => void } = {}) {
    if (job.calls.length >= this.#asked.atMost) return;
    const own = job.sampled.slice(job.calls.at(-1)?.to ?? 0);
    const call = callAtEnd(this.#form.decode(own), this.#asked.use);
    if (call === undefined) return;
    const alive = setInterval(() => onAlive?.(), ALIVE_MS);
    try {
      const result = this.#drawn(await this.#run(call, signal), job);
      const ids = this.#encode(this.#unbroken(result), this.#unbroken(endOf(call.tool)));
      job.calls.push({ tool: call.tool, from: job.sampled.length, to: job.sampled.length + ids.length });
      job.forced.push(...ids);
    } finally {
      clearInterval(alive);
    }
  }

  async #run(call: Call, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await this.#toolbox.run(call, { signal });
    } catch (error) {
      if (error instanceof ToolUnavailable) throw new EngineError('ToolUnavailable', error.message);
      throw error;
    }
  }

  /** As it is; or, for the control, with every digit drawn by the row's seed (a number's first is no 0). */
  #drawn(result: string, { row, calls }: Calling): string {
    if (this.#asked.output !== 'random') return result;
    return result.replace(/\d+/g, (digits, at: number) =>
      Array.from(digits, (_, n) => {
        const least = n === 0 && digits.length > 1 ? 1 : 0;
        return least + Math.floor(uniform(row.seed, DRAWN, calls.length, at + n) * (10 - least));
      }).join(''),
    );
  }

  #unbroken(text: string): string {
    for (const stop of this.#stops) text = text.replaceAll(stop, ' ');
    return text;
  }

  /** In one piece, as a text that is read is; where the result holds what the tokenizer has not, the rest of it character by character. */
  #encode(result: string, end: string): number[] {
    const characters = (text: string) => Array.from(text).flatMap((character) => this.#known(character) ?? []);
    return this.#known(result + end) ?? [...characters(result), ...(this.#known(end) ?? characters(end))];
  }

  #known(text: string): number[] | undefined {
    try {
      return this.#form.encode(text);
    } catch (error) {
      if (error instanceof EngineError && error.code === 'TextNotInVocabulary') return undefined;
      throw error;
    }
  }
}

/** Calls of a completion that was cut: spans of what is left; where it was tokenised anew, all from there on counts as the tool's. */
export function spansLeft(calls: readonly CallSpan[], before: readonly number[], after: readonly number[]): CallSpan[] {
  let common = 0;
  while (common < after.length && before[common] === after[common]) common++;
  return calls.flatMap(({ tool, from, to }) => {
    if (from >= common) return [];
    return [{ tool, from, to: to <= common ? to : Math.max(common, after.length - 1) }];
  });
}
