/**
 * Sampling on any OpenAI-compatible server (vLLM, llama.cpp, a hosted one).
 *
 *   const engine = createOpenAiEngine({ name: 'vllm', settings: { kind: 'openai', baseUrl: 'http://gpu-1:8000/v1', … } });
 *   await engine.sample({ model, rows, sampling });
 *
 * An outage is never an answer: a server that is down, busy or set up wrong rejects the request (`EngineUnavailable`, which is
 * retried), a row that alone could not be had is `failed` with its cause, and both end as unjudged at worst. What is complete
 * is told to `onCompletion` first, so that a retry need not sample it again.
 *
 * Limits: it does not train (see `split.ts`); a server gives text, so completions have no token ids and the text is tokenised
 * when it is trained on. Not deterministic: a server's sums depend on what else it computes.
 */
import { setMaxListeners } from 'node:events';
import type { OpenAiSettings } from '../../schemas/engine-settings.ts';
import type { Completion, Engine, SampleRow } from '../engine.ts';
import { EngineError } from '../engine.ts';
import { bodyOf, completionOf, pathOf } from './answer.ts';
import { createClient, ServerTrouble } from './client.ts';
import { createPace } from './pace.ts';

export interface OpenAiOptions {
  /** As declared, for messages. */
  name: string;
  settings: OpenAiSettings;
  /** The value of the variable that the settings name. */
  key?: string | undefined;
  /** Before a request's second try. */
  pauseMs?: number;
}

/** Rows that fail one after another, with none answered between, and not the rows but the server is at fault. */
const FAILED_IN_A_ROW = 16;

export function createOpenAiEngine({ name, settings, key, pauseMs }: OpenAiOptions): Engine {
  const { apiKeyVariable, baseUrl, timeoutMs } = settings;
  const client = createClient({ baseUrl, key, timeoutMs });
  const pace = createPace({ ...settings, ...(pauseMs !== undefined && { pauseMs }) });
  const closing = new AbortController();
  let model: Promise<string> | undefined;

  const unavailable = (fault: string, cure: string) =>
    new EngineError('EngineUnavailable', `engine ${name} at ${new URL(baseUrl).origin}: ${fault}; ${cure}`);
  const keyIsThere = () => {
    if (apiKeyVariable !== undefined && !key)
      throw unavailable(
        `its key is expected in the environment variable ${apiKeyVariable}, which is not set`,
        'set it where the worker is started, and start the worker again',
      );
  };
  /** The error of a whole request. Anything but ServerTrouble stays what it is. */
  const faultOf = (error: unknown): unknown => {
    if (!(error instanceof ServerTrouble)) return error;
    const cure =
      error.means === 'refused'
        ? `correct ${apiKeyVariable === undefined ? 'baseUrl, model or apiKeyVariable' : `baseUrl, model or the key in ${apiKeyVariable}`} and start the worker again`
        : 'it is tried again; look whether the server is up and keeps up';
    return unavailable(error.message, cure);
  };
  const firstModel = async (signal: AbortSignal): Promise<string> => {
    const list = (await pace.run(() => client.get('models', signal), signal)) as { data?: { id?: unknown }[] } | null;
    const id = list?.data?.[0]?.id;
    if (typeof id !== 'string') throw unavailable('its /models names none', 'name one in the settings (model)');
    return id;
  };
  const modelName = async (): Promise<string> => {
    keyIsThere();
    if (settings.model !== undefined) return settings.model;
    model ??= firstModel(closing.signal);
    try {
      return await model;
    } catch (error) {
      model = undefined;
      throw faultOf(error);
    }
  };

  return {
    async describe() {
      const { stop } = settings;
      const parts = [await modelName(), pathOf(settings), ...(stop.length > 0 ? [`stop ${JSON.stringify(stop)}`] : [])];
      return { name: 'openai', fingerprint: `openai: ${parts.join('; ')}`, deterministic: false };
    },

    async sample({ rows, sampling, prefix = '' }, control = {}) {
      control.signal?.throwIfAborted();
      const served = await modelName();
      const failed = new AbortController();
      const signal = AbortSignal.any([failed.signal, closing.signal, ...(control.signal ? [control.signal] : [])]);
      setMaxListeners(0, signal); // one for each row that waits
      const started = performance.now();
      let done = 0;
      let tokens = 0;
      let inARow = 0;
      const ask = (row: SampleRow): Promise<Completion> =>
        pace.run(
          async () =>
            completionOf(
              await client.post(pathOf(settings), bodyOf(settings, served, prefix, row, sampling), signal),
              settings,
            ),
          signal,
        );
      const one = async (row: SampleRow, index: number): Promise<Completion> => {
        let completion: Completion;
        try {
          completion = await ask(row);
          inARow = 0;
        } catch (error) {
          const row = rowFault(error);
          if (!row || (row.finish === 'failed' && ++inARow >= FAILED_IN_A_ROW)) throw error;
          completion = row;
        }
        await control.onCompletion?.(index, completion);
        tokens += completion.tokens ?? 0;
        const seconds = (performance.now() - started) / 1000;
        control.onProgress?.({ done: ++done, total: rows.length, tokensPerSecond: tokens / seconds });
        return completion;
      };
      const work = rows.map((row, index) =>
        one(row, index).catch((error: unknown) => {
          failed.abort(error);
          throw error;
        }),
      );
      try {
        return await Promise.all(work);
      } catch (error) {
        // Nothing of this request may be under way when the next one begins.
        await Promise.allSettled(work);
        throw control.signal?.aborted ? control.signal.reason : faultOf(failed.signal.reason ?? error);
      }
    },

    train() {
      return Promise.reject(
        new EngineError(
          'EngineUnavailable',
          `engine ${name} samples and does not train; declare a split engine whose train names one that does`,
        ),
      );
    },

    close() {
      closing.abort(new EngineError('EngineDied', `engine ${name} was closed`));
      return Promise.resolve();
    },
  };
}

/** What a row's own trouble makes of it; undefined where the server is at fault. */
function rowFault(error: unknown): Completion | undefined {
  if (!(error instanceof ServerTrouble)) return undefined;
  const nothing = { tokenIds: [], text: '' };
  if (error.means === 'overflow') return { ...nothing, finish: 'overflow' };
  if (error.means === 'doubtful' || error.means === 'row')
    return { ...nothing, finish: 'failed', cause: `the server gave no completion: ${error.message}` };
  return undefined;
}
