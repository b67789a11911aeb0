/**
 * The live page: runs of a home in the browser, on the loopback address.
 *
 *   const page = await startPage({ ...installation, token, port: 0 })
 *   page.url                               // http://127.0.0.1:40123
 *
 * Everything is HTML made here (nothing a model wrote gets past `markup`), with a few scripts of our own beside it and a policy
 * that allows no others. Nothing is asked of any other server. Who may ask: admission.ts; what there is: routes.ts.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { admit, bodyOf, LARGEST } from './admission.ts';
import type { Door } from './admission.ts';
import type { Installation } from './installation.ts';
import { shell } from './layout.ts';
import { Refused } from './refusal.ts';
import { refusalLog } from './refusals.ts';
import { createRoutes } from './routes.ts';
import type { Answer } from './routes.ts';
import { markup } from '../report/untrusted.ts';

const HOST = '127.0.0.1';
const MOST_CONNECTIONS = 200;

export interface Page {
  /** http://127.0.0.1:<port> */
  url: string;
  close(): Promise<void>;
}

export interface PageOptions extends Installation {
  /** 0 = a free one. */
  port: number;
  /** undefined = read-only. */
  token?: string | undefined;
  /** Between two looks at what somebody watches. */
  everyMs?: number;
}

/** `style-src-attr`: charts and bars carry a size or a colour as an attribute; a style sheet of others stays refused. */
const POLICY = [
  ...[
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "style-src-attr 'unsafe-inline'",
    "img-src 'self'",
  ],
  ...["connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"],
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

const unexpected = (cause: unknown): Refused =>
  Object.assign(new Refused(500, 'Unexpected', 'this could not be shown; the log says why'), { cause });

const errorPage = ({ status, message }: Refused, writable: boolean): string =>
  shell(
    {
      title: String(status),
      here: null,
      main: markup`<h1>${status}</h1>
        <section><p>${message}</p><p><a href="/">All runs</a></p></section>`,
    },
    writable,
  );

/**
 * Answers a socket that is no request's. Destroyed and not only ended: nobody else counts it any more, so that one whose other
 * side stays would keep the server from closing; and whatever it fails with must not be an error that nobody hears.
 */
function hangUp(socket: Duplex, status: number): void {
  socket.on('error', () => socket.destroy());
  if (!socket.writable) return void socket.destroy();
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`, () => socket.destroy());
}

/** Throws what `listen` throws: EADDRINUSE. */
export async function startPage(options: PageOptions): Promise<Page> {
  const { token } = options;
  const door: Door = { hosts: [], token };
  const routes = createRoutes(options);
  const tellRefusal = refusalLog(options.log);

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const asked = admit(request, door);
    const body = asked.method === 'POST' ? await bodyOf(request) : undefined;
    const given = await routes.answer(asked, body, response);
    if (given !== 'taken') send(request, response, given);
  }

  function send(request: http.IncomingMessage, response: http.ServerResponse, given: Answer): void {
    const known = given.etag !== undefined && request.headers['if-none-match'] === given.etag;
    response.writeHead(known ? 304 : (given.status ?? 200), {
      'content-type': given.type,
      'cache-control': given.etag === undefined ? 'no-store' : 'no-cache',
      ...(given.etag !== undefined && { etag: given.etag }),
      ...given.headers,
    });
    response.end(known || request.method === 'HEAD' ? undefined : given.body);
  }

  const server = http.createServer(
    {
      maxHeaderSize: LARGEST.headers,
      requestTimeout: 15_000,
      headersTimeout: 8_000,
      connectionsCheckingInterval: 2_000,
    },
    (request, response) => {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      response.on('error', () => undefined);
      answer(request, response).catch((error: unknown) => {
        const refused = error instanceof Refused ? error : unexpected(error);
        tellRefusal(refused, request.method ?? '?', request.url ?? '');
        if (response.headersSent) return void response.destroy();
        const { status, code, message } = refused;
        const asPage = request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
        send(request, response, {
          status,
          type: asPage ? 'text/html; charset=utf-8' : 'application/json',
          body: asPage
            ? errorPage(refused, token !== undefined)
            : JSON.stringify({ code, message: `${code}: ${message}` }),
          // What is left of a body that was refused is not read.
          headers: { ...refused.headers, ...(request.method !== 'GET' && { connection: 'close' }) },
        });
      });
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    tellRefusal(new Refused(status, error.code ?? 'BadRequest', 'no request that can be read'), '?', '');
    hangUp(socket, status);
  });
  // Neither tunnels nor other protocols.
  server.on('connect', (request, socket) => {
    tellRefusal(new Refused(405, 'NotAllowed', 'no tunnels'), 'CONNECT', request.url ?? '');
    hangUp(socket, 405);
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(options.port, HOST, done);
  });
  const { port } = server.address() as AddressInfo;
  door.hosts = [`${HOST}:${port}`, `localhost:${port}`];
  return {
    url: `http://${HOST}:${port}`,
    close: () =>
      new Promise<void>((done) => {
        routes.close();
        server.close(() => {
          done();
        });
        server.closeAllConnections();
      }),
  };
}
