/**
 * Who may ask: checked before anything of a request is looked at.
 *
 *   Host            one of our own names; a foreign page could point its name at 127.0.0.1 (DNS rebinding)
 *   Origin          ours or absent; a page of another origin neither reads nor sends
 *   Sec-Fetch-Site  from elsewhere only as a link that somebody follows; another port of 127.0.0.1 is "same-site", not ours
 *   token           of every POST, as `Authorization: Bearer`; no cookie, so that no other page's request carries it
 *
 * A request's path never becomes the path of a file: assets are served from a table, runs from the store by their checked id.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Refused } from './refusal.ts';

export const LARGEST = { target: 2_048, headers: 16 * 1024, body: 16 * 1024 } as const;

export interface Door {
  /** "127.0.0.1:8377", "localhost:8377" */
  hosts: string[];
  /** undefined: nobody may change anything. */
  token: string | undefined;
}

/** A request that may be answered. */
export interface Asked {
  method: 'GET' | 'POST';
  /** A HEAD: the answer of GET without its body. */
  head: boolean;
  /** Decoded, each between two slashes. */
  path: string[];
  query: URLSearchParams;
}

const digest = (value: string) => createHash('sha256').update(value).digest();
/** In a time that says nothing of the token. */
const same = (found: string, expected: string) => timingSafeEqual(digest(found), digest(expected));

/** Throws Refused 400 | 401 | 403 | 405 | 414 | 415. */
export function admit(request: IncomingMessage, door: Door): Asked {
  const { headers, url = '' } = request;
  if (!door.hosts.includes(headers.host ?? ''))
    throw new Refused(403, 'WrongHost', `this server answers to ${door.hosts.join(' and ')} alone`);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== 'GET' && method !== 'POST')
    throw new Refused(405, 'NotAllowed', 'expected GET, HEAD or POST', { allow: 'GET, HEAD, POST' });
  if (headers.origin !== undefined && !door.hosts.some((host) => headers.origin === `http://${host}`))
    throw new Refused(403, 'WrongOrigin', 'pages of another origin may not ask');
  const site = headers['sec-fetch-site'];
  const followed =
    method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !followed)
    throw new Refused(403, 'WrongSite', 'pages of another site may not ask');
  if (url.length > LARGEST.target)
    throw new Refused(414, 'TargetTooLong', `an address has at most ${LARGEST.target} characters`);
  if (method === 'POST') admitChange(request, door);
  return { method, head: request.method === 'HEAD', ...targetOf(url) };
}

function admitChange({ headers }: IncomingMessage, { token }: Door): void {
  if (token === undefined)
    throw new Refused(
      403,
      'ReadOnly',
      'this page is read-only; `./bin/startrail up --token` starts one that may steer',
    );
  const shown = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (shown === undefined || !same(shown, token))
    throw new Refused(401, 'WrongToken', 'the token is missing or wrong; open the address that `up` printed', {
      'www-authenticate': 'Bearer',
    });
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? ''))
    throw new Refused(415, 'NotJson', 'expected the content type application/json');
}

/** "/runs/a%20b?x=1" → ["runs", "a b"], x = 1. Throws Refused 400 for what no link of ours holds. */
function targetOf(url: string): Pick<Asked, 'path' | 'query'> {
  const bad = new Refused(400, 'BadTarget', 'expected an address of this server');
  const [, path = '', query = ''] = /^(\/[^?#]*)(?:\?([^#]*))?$/.exec(url) ?? [];
  if (path === '') throw bad;
  let parts: string[];
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    throw bad;
  }
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => part === '' || /^\.{1,2}$|[/\\\u0000-\u001f\u007f]/.test(part))) throw bad;
  return { path: parts, query: new URLSearchParams(query) };
}

/** The JSON that a POST brings. Throws Refused 400 | 413. */
export async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const tooLarge = new Refused(413, 'TooLarge', `a request has at most ${LARGEST.body} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > LARGEST.body) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST.body) throw tooLarge;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new Refused(400, 'NotJson', 'expected JSON');
  }
}
