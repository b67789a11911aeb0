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
import path from 'node:path';
import type { OpenAiSettings } from '../../schemas/engine-settings.ts';
import type { Completion, Engine, EngineControl, SampleRequest, SampleRow } from '../engine.ts';
import { EngineError, type EngineErrorCode } from '../engine.ts';
import { bodyOf, completionOf, pathOf } from './answer.ts';
import { canaryRecords, hexOf } from './canary-records.ts';
import { canaryBody, canaryIn } from './canary.ts';
import { createClient, ServerTrouble } from './client.ts';
import { createDeployment } from './deploy.ts';
import { createPace } from './pace.ts';
import { createServing } from './serving.ts';

export interface OpenAiOptions {
  /** As declared, for messages. */
  name: string;
  settings: OpenAiSettings;
  /** The value of the variable that the settings name. */
  key?: string | undefined;
  /** The engine's own: exported models, and what the canary said of each. */
  folder: string;
  /** Before a request's second try. */
  pauseMs?: number;
}

/** Rows that fail one after another, with none answered between, and not the rows but the server is at fault. */
const FAILED_IN_A_ROW = 16;

export function createOpenAiEngine({ name, settings, key, folder, pauseMs }: OpenAiOptions): Engine {
  const { apiKeyVariable, baseUrl, timeoutMs, chat, deploy } = settings;
  const client = createClient({ baseUrl, key, timeoutMs });
  const pace = createPace({ ...settings, ...(pauseMs !== undefined && { pauseMs }) });
  const closing = new AbortController();
  let model: Promise<string> | undefined;

  const error = (code: EngineErrorCode, fault: string, cure: string) =>
    new EngineError(code, `engine ${name} at ${new URL(baseUrl).origin}: ${fault}; ${cure}`);
  const unavailable = (fault: string, cure: string) => error('EngineUnavailable', fault, cure);
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

  const deployment = createDeployment({
    ...{ name, deploy, client, base: modelName },
    folder: path.join(folder, 'models'),
  });
  const records = canaryRecords(path.join(folder, 'canaries'));
  const serving = createServing({
    put: (model, signal) => deployment.put(model, signal),
    ...(settings.canary && {
      proof: {
        records,
        async ask(served, signal) {
          const answer = await pace.run(
            () => client.post(pathOf(settings), canaryBody(served, settings), signal),
            signal,
          );
          const canary = canaryIn(answer, chat);
          if (canary) return canary;
          throw unavailable(
            'it gives no log-probabilities, so nothing tells which checkpoint it serves',
            'start it so that it does, or set "canary": false where it serves one model for good',
          );
        },
        other: (digest, like) =>
          error(
            'EngineServesOtherModel',
            `it is to serve ${digest} and answers as ${like ?? 'no checkpoint that it was given'}`,
            `${deployment.cure}; it is tried again. If the server itself was changed, delete ${path.join(records.folder, hexOf(digest))}.json`,
          ),
        unsteady: (jitter) =>
          unavailable(
            `it answers the same question with log-probabilities that are ${jitter.toFixed(2)} apart, so nothing tells which checkpoint it serves`,
            'set "canary": false where it serves one model for good',
          ),
      },
    }),
  });

  const sampleFrom = async (
    served: string,
    request: SampleRequest,
    control: EngineControl,
    stop: AbortSignal,
  ): Promise<Completion[]> => {
    const { rows } = request;
    const failed = new AbortController();
    const signal = AbortSignal.any([failed.signal, stop]);
    setMaxListeners(0, signal); // one for each row that waits
    const started = performance.now();
    let done = 0;
    let tokens = 0;
    let inARow = 0;
    const form = { ...settings, chat: chat || request.chat === true };
    const ask = (row: SampleRow): Promise<Completion> =>
      pace.run(
        async () =>
          completionOf(
            await client.post(pathOf(form), bodyOf(form, served, request, row), signal),
            form.chat,
            request.stop,
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
      throw failed.signal.reason ?? error;
    }
  };

  return {
    async describe() {
      keyIsThere();
      const served = deploy.kind === 'fixed' ? await modelName() : `deployed by ${deploy.kind}`;
      const body = Object.keys(settings.body).length > 0 ? [JSON.stringify(settings.body)] : [];
      const fingerprint = `openai: ${[served, pathOf(settings), ...body].join('; ')}`;
      return { name: 'openai', fingerprint, deterministic: false };
    },

    async sample(request, control = {}) {
      control.signal?.throwIfAborted();
      keyIsThere();
      const stop = AbortSignal.any([closing.signal, ...(control.signal ? [control.signal] : [])]);
      try {
        return await serving.with(request.model, stop, (served) => sampleFrom(served, request, control, stop));
      } catch (error) {
        throw control.signal?.aborted ? control.signal.reason : faultOf(error);
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
      return deployment.close();
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
