/** Who may ask the live page's server: refused with a status, logged, and the server goes on. */
import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../store/store.ts';
import { ask, openPage, raw, storeWith, TOKEN } from './fixture.ts';
import type { Got, Opened } from './fixture.ts';

let store: Store;
let [open, steered] = [] as unknown as [Opened, Opened];
beforeAll(async () => {
  ({ store } = await storeWith({ iterations: 2, strata: 2, drawn: 20 }));
});
// Anew for each: a server logs only so many refusals a second.
beforeEach(async () => {
  open = await openPage(store);
  steered = await openPage(store, { token: TOKEN });
});
afterEach(async () => {
  await open.page.close();
  await steered.page.close();
});

const json = { 'content-type': 'application/json' };
const bearer = { authorization: `Bearer ${TOKEN}` };
const pause = (headers: Record<string, string>, body = '{}'): Promise<Got> =>
  ask(steered.page, '/runs/night-1/pause', { method: 'POST', headers, body });

/** Refused with this, told in the log, and the next request is answered. */
async function refused(on: Opened, asking: () => Promise<Got>, status: number, code: string): Promise<void> {
  const [before, wishes] = [on.log.length, on.wishes.length];
  const got = await asking();
  expect([got.status, got.body]).toEqual([status, expect.stringContaining(code)]);
  expect(on.log.slice(before)).toMatchObject([{ level: 'warn', status, code }]);
  expect(on.wishes.length).toBe(wishes);
  expect((await ask(on.page, '/')).status).toBe(200);
}

describe('the live page refuses', () => {
  it.each([
    ['a host of another name, which a foreign page could point here', { host: 'evil.example' }, 'WrongHost'],
    ['a host without a port', { host: '127.0.0.1' }, 'WrongHost'],
    ['a page of another origin', { origin: 'http://evil.example' }, 'WrongOrigin'],
    ['a sandboxed page', { origin: 'null' }, 'WrongOrigin'],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }, 'WrongOrigin'],
    [
      'a script or picture of another site',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      'WrongSite',
    ],
    ['a request from another port', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, 'WrongSite'],
    [
      'to be framed by another site',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      'WrongSite',
    ],
  ])('%s', async (_what, headers: Record<string, string>, code) => {
    await refused(open, () => ask(open.page, '/runs/night-1', { headers }), 403, code);
  });

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('the method %s', async (method) => {
    await refused(open, () => ask(open.page, '/', { method }), 405, 'NotAllowed');
  });

  it.each([
    '/assets/../server.ts',
    '/assets/..%2f..%2fpackage.json',
    '/assets/%2e%2e/%2e%2e/etc/passwd',
    '/runs/..',
    '/runs/..%5c..%5cetc',
    '/runs/night-1%00.json',
    '//evil.example/',
    '/%',
    '/runs/%ff',
  ])('the path %s', async (target) => {
    await refused(open, () => ask(open.page, target), 400, 'BadTarget');
  });

  it.each([
    '/assets/page.mjs.map',
    '/runs/night-2',
    '/runs/a%20b',
    '/favicon.ico',
    '/runs/night-1/pause',
    '/events?topic=x',
  ])('what there is not: %s', async (target) => {
    await refused(open, () => ask(open.page, target), 404, 'NotFound');
  });

  it('an address that is too long, and headers without end', async () => {
    await refused(open, () => ask(open.page, `/?${'a'.repeat(3_000)}`), 414, 'TargetTooLong');
    const before = open.log.length;
    expect(await raw(open.page, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(40_000)}\r\n\r\n`)).toContain(' 431 ');
    expect(open.log.slice(before)).toMatchObject([{ status: 431 }]);
  });

  it('to change anything without a token of its own start', async () => {
    const asking = () =>
      ask(open.page, '/runs/night-1/pause', { method: 'POST', headers: { ...json, ...bearer }, body: '{}' });
    await refused(open, asking, 403, 'ReadOnly');
  });

  it('to change anything without the token, or with another', async () => {
    await refused(steered, () => pause(json), 401, 'WrongToken');
    await refused(steered, () => pause({ ...json, authorization: 'Bearer wrong' }), 401, 'WrongToken');
    await refused(steered, () => pause({ ...json, cookie: `token=${TOKEN}` }), 401, 'WrongToken');
    await refused(
      steered,
      () => ask(steered.page, `/runs/night-1/pause?token=${TOKEN}`, { method: 'POST', headers: json }),
      401,
      'WrongToken',
    );
  });

  it('a change from a form or a page of another origin, even with the token', async () => {
    await refused(steered, () => pause({ ...bearer, 'content-type': 'text/plain' }), 415, 'NotJson');
    await refused(
      steered,
      () => pause({ ...bearer, 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'NotJson',
    );
    await refused(steered, () => pause({ ...bearer, ...json, origin: 'http://evil.example' }), 403, 'WrongOrigin');
  });

  it('a body that is too large, says so wrongly, or is no wish', async () => {
    const large = JSON.stringify({ set: ['x'.repeat(40_000)] });
    await refused(
      steered,
      () => pause({ ...bearer, ...json, 'content-length': String(large.length) }, large),
      413,
      'TooLarge',
    );
    await refused(steered, () => pause({ ...bearer, ...json, 'transfer-encoding': 'chunked' }, large), 413, 'TooLarge');
    await refused(steered, () => pause({ ...bearer, ...json }, '{"a"'), 400, 'NotJson');
    await refused(steered, () => pause({ ...bearer, ...json }, '{"__proto__":{"x":1},"run":"other"}'), 400, 'BadWish');
  });

  it('bytes that are no HTTP, tunnels and other protocols', async () => {
    const before = open.log.length;
    expect(await raw(open.page, Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]))).toContain(' 400 ');
    expect(await raw(open.page, 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n')).toContain(' 405 ');
    expect(open.log.slice(before).map(({ status }) => status)).toEqual([400, 405]);
    expect((await ask(open.page, '/')).status).toBe(200);
  });

  it('such sockets for good: one that stays open does not keep the server from ending', async () => {
    const { port } = new URL(open.page.url);
    const held = ['CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 'no HTTP\r\n\r\n'].map((bytes) => {
      const socket = net.connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true }, () =>
        socket.write(bytes),
      );
      return socket.on('error', () => undefined);
    });
    await Promise.all(held.map((socket) => once(socket, 'data')));
    const waited = new Promise((done) => setTimeout(done, 3_000, 'still open'));
    const ended = await Promise.race([open.page.close(), waited]);
    for (const socket of held) socket.destroy();
    expect(ended).toBe(undefined);
  });
});

describe('the live page', () => {
  it('tells the log once why something failed, and whoever asked only that it did', async () => {
    const broken = { ...store, listNames: () => Promise.reject(new Error('the disk at /secret is gone')) };
    const on = await openPage(broken);
    const got = await ask(on.page, '/');
    expect([got.status, got.body]).toEqual([500, expect.not.stringContaining('/secret')]);
    expect(on.log).toMatchObject([{ level: 'error', status: 500, code: 'Unexpected' }]);
    expect(on.log[0]?.message).toContain('/secret is gone');
    await on.page.close();
  });

  it('answers its own pages and whoever follows a link to it', async () => {
    const own = { origin: open.page.url, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };
    expect((await ask(open.page, '/', { headers: own })).status).toBe(200);
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await ask(open.page, '/', { headers: link })).status).toBe(200);
    expect((await pause({ ...json, ...bearer, origin: steered.page.url })).status).toBe(200);
    expect(steered.wishes.at(-1)).toEqual({ run: 'night-1', action: 'pause', set: [] });
  });

  it('allows no script, frame or request but its own, and keeps nothing', async () => {
    const { headers } = await ask(open.page, '/runs/night-1');
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(headers['content-security-policy']).not.toMatch(/script-src[^;]*unsafe/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });

  it('stays alive, whatever is sent', async () => {
    const target = fc.oneof(fc.string(), fc.webUrl(), fc.webPath(), fc.string({ unit: 'binary' }));
    const header = fc.record({ name: fc.string(), value: fc.string() });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'HEAD', 'BREW'),
        target,
        header,
        fc.string(),
        async (method, at, { name, value }, body) => {
          const host = new URL(open.page.url).host;
          const bytes = `${method} /${at} HTTP/1.1\r\nHost: ${host}\r\n${name}: ${value}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
          const answer = await raw(open.page, Buffer.from(bytes, 'latin1'), 1_000);
          if (answer !== '') expect(answer).toMatch(/^HTTP\/1\.1 (200|304|4\d\d) /);
        },
      ),
      { numRuns: 150 },
    );
    expect((await ask(open.page, '/runs/night-1')).status).toBe(200);
  });

  it('tells of thousands of refused requests in a few lines', async () => {
    const before = open.log.length;
    for (let i = 0; i < 300; i++) await ask(open.page, `/nothing/${i}`);
    expect(open.log.length - before).toBeLessThan(200);
    await new Promise((done) => setTimeout(done, 1_050));
    await ask(open.page, '/nothing');
    expect(open.log.at(-1)?.unlogged).toBeGreaterThan(0);
    for (const { target = '', message } of open.log) expect(`${target}${message}`).not.toMatch(/[\u0000-\u001f]/);
  });
});
