/**
 * One request to an OpenAI-compatible server, and what its failure means.
 *
 *   const server = createClient({ baseUrl: 'http://127.0.0.1:8000/v1', key: undefined, timeoutMs: 120_000 });
 *   await server.post('completions', { model, prompt, max_tokens: 64 }, signal);
 *
 * Errors: `ServerTrouble`, whose `means` says who is at fault. Its text never holds the key, not even where the server's own
 * answer quotes it. Interface: https://platform.openai.com/docs/api-reference/completions, as vLLM and llama.cpp serve it.
 */

/**
 * `away`: nobody or too many at the door; the request is tried again, then the engine is unavailable. `refused`: this
 * installation is set up wrong; trying again is of no use. `doubtful`: it may be the request or the server; tried again, then
 * the row failed. `row`: the server does not take this request. `overflow`: the request does not fit the model's context.
 */
export type TroubleMeans = 'away' | 'refused' | 'doubtful' | 'row' | 'overflow';

export class ServerTrouble extends Error {
  override readonly name = 'ServerTrouble';
  constructor(
    readonly means: TroubleMeans,
    message: string,
    /** How long the server asked to be left alone. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

export interface ClientOptions {
  baseUrl: string;
  key?: string | undefined;
  timeoutMs: number;
}
export interface Client {
  /** Rejects with ServerTrouble, or with the signal's reason. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
  post(path: string, body: object, signal?: AbortSignal): Promise<unknown>;
  /** As `post`, to those who answer with words alone. */
  tell(path: string, body: object, signal?: AbortSignal): Promise<void>;
}

/** A longer wait than this was hardly meant. */
const LONGEST_WAIT_MS = 600_000;
const QUOTED = 200;
const TOO_LONG = /context|too long|maximum.{0,20}length|exceed.{0,40}(token|length|window)/i;

export function createClient({ baseUrl, key, timeoutMs }: ClientOptions): Client {
  const withoutKey = (text: string) => (key ? text.replaceAll(key, '…') : text);

  const ask = async (path: string, init: RequestInit, signal?: AbortSignal): Promise<string> => {
    signal?.throwIfAborted();
    const timeout = AbortSignal.timeout(timeoutMs);
    const whyNot = (error: unknown, phase: 'before' | 'inside'): unknown => {
      if (signal?.aborted) return signal.reason;
      if (timeout.aborted) return new ServerTrouble('doubtful', `no answer within ${timeoutMs} ms`);
      const { cause } = error as { cause?: { code?: string; message?: string } };
      const why = withoutKey(cause?.code ?? cause?.message ?? String(error));
      return phase === 'before'
        ? new ServerTrouble('away', `no connection (${why})`)
        : new ServerTrouble('doubtful', `the connection broke inside the answer (${why})`);
    };
    let response: Response;
    try {
      response = await fetch(`${baseUrl.replace(/\/$/, '')}/${path}`, {
        ...init,
        headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        // A key goes to the server that was named, nowhere else.
        redirect: 'error',
      });
    } catch (error) {
      throw whyNot(error, 'before');
    }
    let text: string;
    try {
      text = await response.text();
    } catch (error) {
      throw whyNot(error, 'inside');
    }
    if (!response.ok) throw refusal(response, withoutKey(text));
    return text;
  };
  const json = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      throw new ServerTrouble('doubtful', `its answer is no JSON: ${quoted(withoutKey(text))}`);
    }
  };
  const post = (body: object) => ({ method: 'POST', body: JSON.stringify(body) });
  return {
    get: async (path, signal) => json(await ask(path, { method: 'GET' }, signal)),
    post: async (path, body, signal) => json(await ask(path, post(body), signal)),
    tell: async (path, body, signal) => void (await ask(path, post(body), signal)),
  };
}

const quoted = (text: string): string => JSON.stringify(text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text);

function refusal({ status, headers }: Response, text: string): ServerTrouble {
  const said = `status ${status}${text && `: ${quoted(messageIn(text))}`}`;
  if (status === 401 || status === 403) return new ServerTrouble('refused', `it refuses the key, ${said}`);
  if (status === 404) return new ServerTrouble('refused', `it has no such model or path, ${said}`);
  if (status === 429 || (status >= 502 && status <= 504))
    return new ServerTrouble('away', said, retryAfter(headers.get('retry-after')));
  if (status >= 500) return new ServerTrouble('doubtful', said);
  return new ServerTrouble((status === 400 || status === 413) && TOO_LONG.test(text) ? 'overflow' : 'row', said);
}

/** `{"error":{"message":…}}`, `{"message":…}` or the text as it is. */
function messageIn(text: string): string {
  try {
    const value = JSON.parse(text) as { error?: { message?: unknown }; message?: unknown };
    const message = value.error?.message ?? value.message;
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}

/** Seconds or a date, as RFC 9110 has it; nothing where it is neither. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const ms = /^\s*[a-z]/i.test(header) ? Date.parse(header) - now : Number(header) * 1000;
  return ms >= 0 ? Math.min(ms, LONGEST_WAIT_MS) : undefined;
}
