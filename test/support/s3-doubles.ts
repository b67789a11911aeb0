/** Servers that a store must not trust: a proxy that loses or delays what passes, and one that puts whatever the condition. */
import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `pass`; `lose` the answer after the server has done it; `garble` a byte of the answer; or a promise: send it on only then. */
export type Fate = 'pass' | 'lose' | 'garble' | Promise<void>;

const listen = async (server: http.Server): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export interface Double {
  endpoint: string;
  close(): void;
}

export async function startProxy(target: string, fateOf: (method: string, url: string) => Fate): Promise<Double> {
  const forward = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request;
    const fate = fateOf(method, url);
    const body = await bodyOf(request);
    // Whoever asked may have gone by then; a frozen server would answer its old requests just so.
    if (fate instanceof Promise) await fate;
    const answer = await new Promise<IncomingMessage>((done, fail) => {
      http
        .request(target + url, { method, headers, agent: false }, done)
        .on('error', fail)
        .end(body);
    });
    const answered = await bodyOf(answer);
    if (fate === 'lose') return void request.socket.destroy();
    if (fate === 'garble' && answered.length > 0) answered[0] = (answered[0] as number) ^ 1;
    response.writeHead(answer.statusCode ?? 500, answer.headers).end(answered);
  };
  const server = http.createServer((request, response) => {
    forward(request, response).catch(() => request.socket.destroy());
  });
  const endpoint = await listen(server);
  return { endpoint, close: () => void server.close().closeAllConnections() };
}

/** Keeps objects in memory and takes no notice of If-None-Match, or of If-Match. */
export async function startHeedless(ignores: 'if-none-match' | 'if-match'): Promise<Double> {
  const objects = new Map<string, { bytes: Buffer; etag: string }>();
  let version = 0;
  const answer = async (
    { method, url = '', headers }: IncomingMessage,
    body: Buffer,
  ): Promise<[number, string?, Buffer?]> => {
    const [key = ''] = url.split('?');
    const stands = objects.get(key);
    if (method === 'HEAD' && key.split('/').length <= 3) return [200];
    if (method === 'PUT') {
      const heeds = (name: string) => name !== ignores && headers[name] !== undefined;
      if (heeds('if-none-match') && stands) return [412];
      if (heeds('if-match') && stands?.etag !== headers['if-match']) return [412];
      const made = { bytes: body, etag: `"${++version}"` };
      objects.set(key, made);
      return [200, made.etag];
    }
    if (method === 'DELETE') return [objects.delete(key) ? 204 : 204];
    return stands ? [200, stands.etag, stands.bytes] : [404];
  };
  const server = http.createServer((request, response) => {
    void bodyOf(request)
      .then((body) => answer(request, body))
      .then(([status, etag, bytes]) => response.writeHead(status, etag === undefined ? {} : { etag }).end(bytes));
  });
  const endpoint = await listen(server);
  return { endpoint, close: () => void server.close().closeAllConnections() };
}
