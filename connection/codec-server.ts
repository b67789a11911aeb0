/**
 * A codec server: Temporal's UI and CLI ask it to open (and close) payloads, so that no key ever reaches the server or browser.
 *
 *   POST /decode  {"payloads":[{"metadata":{"encoding":"<base64>",…},"data":"<base64>"}]}  →  the same shape, opened
 *
 * Whoever asks shows the token: as `Authorization: Bearer <token>`, or as the first part of the path, because the UI of a
 * server without log-in can send no header of its own. It listens on the loopback address alone, answers browsers of one
 * declared origin alone, and no host name but the loopback's own (a foreign page could point its name at 127.0.0.1).
 * Source of the protocol: docs.temporal.io, "Codec Server". Limit: 16 MB a request.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Payload } from '@temporalio/common';
import { createCodec } from './codec.ts';
import { ConnectionError } from './failure.ts';
import type { CodecKeys } from './keys.ts';

const HOST = '127.0.0.1';
const LARGEST_BYTES = 16 * 1024 * 1024;
const HEADERS = 'content-type, x-namespace, authorization';

export interface CodecServer {
  /** http://127.0.0.1:<port> */
  url: string;
  close(): Promise<void>;
}

class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface WirePayload {
  metadata?: Record<string, string>;
  data?: string;
}

const digest = (value: string) => createHash('sha256').update(value).digest();
/** In a time that says nothing of the token. */
const same = (found: string, expected: string) => timingSafeEqual(digest(found), digest(expected));

async function bodyOf(request: http.IncomingMessage): Promise<{ payloads: WirePayload[] }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST_BYTES) throw new Refused(413, 'TooLarge', `a request has at most ${LARGEST_BYTES} bytes`);
    chunks.push(chunk);
  }
  const invalid = new Refused(
    400,
    'BadRequest',
    'expected JSON: {"payloads": [{"metadata": {…}, "data": "<base64>"}]}',
  );
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw invalid;
  }
  const isText = (value: unknown) => value === undefined || value === null || typeof value === 'string';
  const isPayload = (one: unknown) =>
    typeof one === 'object' &&
    one !== null &&
    isText((one as WirePayload).data) &&
    Object.values((one as WirePayload).metadata ?? {}).every(isText);
  const { payloads } = (body ?? {}) as { payloads?: unknown };
  if (!Array.isArray(payloads) || !payloads.every(isPayload)) throw invalid;
  return { payloads: payloads as WirePayload[] };
}

const fromWire = ({ metadata = {}, data }: WirePayload): Payload => ({
  metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
  data: Buffer.from(data ?? '', 'base64'),
});
const toWire = ({ metadata, data }: Payload): WirePayload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

/** @param origin whose pages may ask, e.g. `http://127.0.0.1:8233` */
export async function startCodecServer(options: {
  keys: CodecKeys;
  token: string;
  origin: string;
  port: number;
}): Promise<CodecServer> {
  const { keys, token, origin } = options;
  const codec = createCodec(keys);
  let hosts: string[] = [];

  /** The verb that is asked for, once all that can be refused has been. */
  function admitted(request: http.IncomingMessage): 'encode' | 'decode' {
    if (!hosts.includes(request.headers.host ?? ''))
      throw new Refused(403, 'WrongHost', `this server answers to ${hosts.join(' and ')} alone`);
    const asking = request.headers.origin;
    if (asking !== undefined && asking !== origin)
      throw new Refused(
        403,
        'WrongOrigin',
        'pages of this origin may not ask; start the server with --origin for them',
      );
    const parts = (request.url ?? '').split('?')[0]?.split('/').filter(Boolean) ?? [];
    const verb = parts.pop();
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const shown = parts.length === 1 ? parts[0] : bearer;
    if (parts.length > 1 || shown === undefined || !same(shown, token))
      throw new Refused(
        401,
        'WrongToken',
        'the token is missing or wrong; use the address that the server printed at its start',
      );
    if (verb !== 'encode' && verb !== 'decode') throw new Refused(404, 'NotFound', 'there are /encode and /decode');
    if (request.method !== 'POST') throw new Refused(405, 'NotAllowed', 'expected POST');
    return verb;
  }

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    // A preflight carries no token; what it is told is no secret.
    if (request.method === 'OPTIONS' && request.headers.origin === origin) {
      response.writeHead(204, {
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': HEADERS,
        'access-control-allow-private-network': 'true',
        'access-control-max-age': '600',
      });
      response.end();
      return;
    }
    const verb = admitted(request);
    const { payloads } = await bodyOf(request);
    const done = await codec[verb](payloads.map(fromWire));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ payloads: done.map(toWire) }));
  }

  const server = http.createServer((request, response) => {
    response.setHeader('vary', 'origin');
    response.setHeader('cache-control', 'no-store');
    if (request.headers.origin === origin) {
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader('access-control-allow-credentials', 'true');
    }
    answer(request, response).catch((error: unknown) => {
      const told =
        error instanceof ConnectionError
          ? new Refused(400, error.code, error.sentence)
          : error instanceof Refused
            ? error
            : new Refused(500, 'Unexpected', 'this payload could not be read');
      response.writeHead(told.status, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify({ code: told.code, message: `${told.code}: ${told.message}` }));
    });
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(options.port, HOST, done);
  });
  const { port } = server.address() as AddressInfo;
  hosts = [`${HOST}:${port}`, `localhost:${port}`];
  return {
    url: `http://${HOST}:${port}`,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => {
          done();
        });
        server.closeAllConnections();
      }),
  };
}
