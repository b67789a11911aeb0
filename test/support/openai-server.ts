/**
 * A server on the loopback address that speaks OpenAI's interface, answers as a test says and fails when it says so.
 *
 *   const server = await openAiServer({ fault: (n) => (n === 2 ? { status: 429, headers: { 'retry-after': '1' } } : undefined) });
 *   createOpenAiEngine({ name: 'fake', settings: { kind: 'openai', baseUrl: server.url, … } });
 *
 * By itself it is a small pseudo-random model over the alphabet of test/engine/models.ts: a token is a character, its context
 * holds 128, and what it says depends on model, prompt and seed alone.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Asked {
  model: string;
  prompt?: string;
  messages?: { content: string }[];
  max_tokens: number;
  temperature: number;
  seed?: number;
  stop?: string[];
  logprobs?: number | boolean;
}
export interface Fault {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as it is in the place of an answer. */
  body?: string;
  delayMs?: number;
  /** The connection ends after half of the body. */
  cut?: boolean;
}
export interface OpenAiServerOptions {
  /** What goes wrong with the n-th request for a completion (1 = the first). */
  fault?: (n: number, asked: Asked) => Fault | undefined;
  /** What it says; the default is pseudo-random. */
  answer?: (prompt: string, asked: Asked) => string;
  models?: string[];
  /** Stands for what it serves: decides what it says to a canary, unless the asked model is an adapter that was loaded. */
  weights?: string;
  /** Added to the log-probabilities of the n-th canary. */
  jitter?: (n: number) => number;
  /** As vLLM with --enable-lora: knows the names of its models and of the adapters it is given, and no others. */
  lora?: boolean;
}

const ALPHABET = '0123456789+=:,;\n?A';
const CONTEXT = 128;

export interface OpenAiServer {
  url: string;
  /** Requests for completions, as they came; canaries apart. */
  asked: Asked[];
  canaries: Asked[];
  /** Adapters that are loaded: their names and paths. */
  adapters: Map<string, string>;
  /** Of each of them. */
  headers: Record<string, unknown>[];
  mostAtOnce(): number;
  /** Changes what goes wrong from now on. */
  options: OpenAiServerOptions;
  close(): Promise<void>;
}

export async function openAiServer(options: OpenAiServerOptions = {}, port = 0): Promise<OpenAiServer> {
  const asked: Asked[] = [];
  const canaries: Asked[] = [];
  const adapters = new Map<string, string>();
  const headers: Record<string, unknown>[] = [];
  const sockets = new Set<Socket>();
  let atOnce = 0;
  let most = 0;
  const self = { options };

  const http = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const send = (status: number, body: string, more: Record<string, string> = {}) => {
        response.writeHead(status, { 'content-type': 'application/json', ...more });
        response.end(body);
      };
      if (request.url === '/v1/models') {
        const data = [...(self.options.models ?? ['base']), ...adapters.keys()].map((id) => ({ id, object: 'model' }));
        return send(200, JSON.stringify({ object: 'list', data }));
      }
      const lora = /^\/v1\/(un)?load_lora_adapter$/.exec(request.url!);
      if (lora && self.options.lora) {
        const { lora_name, lora_path } = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>;
        if (lora[1]) adapters.delete(lora_name!);
        else adapters.set(lora_name!, lora_path!);
        return send(200, 'Success');
      }
      // What a test's program for deploying does.
      if (request.url === '/weights') {
        self.options.weights = Buffer.concat(chunks).toString();
        return send(200, '{}');
      }
      const chat = request.url === '/v1/chat/completions';
      if (!chat && request.url !== '/v1/completions') return send(404, '{"detail":"Not Found"}');
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
      if (self.options.lora && ![...(self.options.models ?? ['base']), ...adapters.keys()].includes(body.model))
        return send(404, `{"error":{"message":"The model ${body.model} does not exist."}}`);
      if (body.logprobs) return send(200, canaryAnswer(canaries.push(body), body, chat, self.options, adapters));
      headers.push(request.headers);
      const n = asked.push(body);
      const fault = self.options.fault?.(n, body) ?? {};
      most = Math.max(most, ++atOnce);
      try {
        if (fault.delayMs !== undefined) await sleep(fault.delayMs);
        if (fault.status !== undefined || fault.body !== undefined)
          return send(fault.status ?? 200, fault.body ?? '{"error":{"message":"as told"}}', fault.headers);
        const answer = JSON.stringify(answerTo(body, chat, self.options));
        if (fault.cut) {
          response.writeHead(200, { 'content-length': String(answer.length) });
          response.write(answer.slice(0, answer.length / 2), () => response.destroy());
          return;
        }
        send(answer.includes('"error"') ? 400 : 200, answer);
      } finally {
        atOnce--;
      }
    })();
  });
  http.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  return Object.assign(self, {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`,
    asked,
    canaries,
    adapters,
    headers,
    mostAtOnce: () => most,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => http.close(() => resolve()));
    },
  });
}

function answerTo(asked: Asked, chat: boolean, { answer }: OpenAiServerOptions): object {
  const prompt = chat ? asked.messages!.map(({ content }) => content).join('\n') : asked.prompt!;
  if (answer === undefined && prompt.length + asked.max_tokens > CONTEXT) {
    const message = `This model's maximum context length is ${CONTEXT} tokens. However, you requested ${prompt.length + asked.max_tokens}`;
    return { error: { message, code: 'context_length_exceeded' } };
  }
  const whole = answer ? answer(prompt, asked) : pseudoRandom(prompt, asked);
  // The end is a token too.
  const text = whole.slice(0, whole.length < asked.max_tokens ? whole.length : asked.max_tokens);
  const finish_reason = whole.length < asked.max_tokens ? 'stop' : 'length';
  const choice = chat ? { message: { role: 'assistant', content: text } } : { text };
  const completion_tokens = text.length + (finish_reason === 'stop' ? 1 : 0);
  return { model: asked.model, choices: [{ index: 0, ...choice, finish_reason }], usage: { completion_tokens } };
}

function canaryAnswer(
  n: number,
  { model }: Asked,
  chat: boolean,
  { weights = 'first', jitter = () => 0 }: OpenAiServerOptions,
  adapters: ReadonlyMap<string, string>,
): string {
  const adapter = adapters.get(model);
  const served = adapter ? readFileSync(path.join(adapter, 'adapter_model.safetensors')) : weights;
  const bytes = [...createHash('sha256').update(served).digest()].slice(0, 16);
  const logprobs = bytes.map((byte) => -byte / 100 - 0.01 + jitter(n));
  const choice = chat
    ? { message: { content: 'A' }, logprobs: { content: logprobs.map((logprob) => ({ token: 'A', logprob })) } }
    : { text: 'A', logprobs: { tokens: bytes.map(() => 'A'), token_logprobs: logprobs } };
  return JSON.stringify({ model, choices: [{ index: 0, ...choice, finish_reason: 'length' }] });
}

function pseudoRandom(prompt: string, { model, temperature, seed = 0 }: Asked): string {
  const bytes = createHash('sha512')
    .update(JSON.stringify([model, prompt, temperature === 0 ? 0 : seed]))
    .digest();
  return Array.from(bytes.subarray(0, 1 + (bytes[63]! % 60)), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
