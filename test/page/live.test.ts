/** Changes as they come to whoever listens: looks are made only while somebody does, and what fails is told once. */
import http from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Part } from '../../page/layout.ts';
import { createLive } from '../../page/live.ts';
import type { Live } from '../../page/live.ts';
import { markup } from '../../report/untrusted.ts';

let [live, server, failures] = [] as unknown as [Live, http.Server, string[]];
let looks = 0;
/** What a look finds; throws what it is told to. */
let look: () => Part[];
/** Runs before a request listens. */
let before: (response: ServerResponse) => Promise<void>;
beforeEach(async () => {
  [looks, failures] = [0, []];
  look = () => [{ id: 'n', body: markup`${looks}` }];
  before = async () => undefined;
  live = createLive(10, (message) => failures.push(message));
  const parts = async () => {
    looks++;
    return look();
  };
  server = http.createServer((_request, response) => {
    void before(response).then(() => live.listen('topic', parts, response));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterEach(() => {
  live.close();
  server.close();
  server.closeAllConnections();
});

function listen(): { text: () => string; leave: () => void } {
  let text = '';
  const { port } = server.address() as AddressInfo;
  const request = http.get({ port, host: '127.0.0.1', agent: false }, (response) =>
    response
      .setEncoding('utf8')
      .on('data', (chunk: string) => (text += chunk))
      .on('error', () => undefined),
  );
  request.on('error', () => undefined);
  return { text: () => text, leave: () => request.destroy() };
}
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

it('comes as a part for each change, and no look is made once nobody listens', async () => {
  const { text, leave } = listen();
  await expect.poll(() => text()).toMatch(/event: part\ndata: \{"id":"n","html":"3"\}\n\n/);
  leave();
  await pause(60);
  const made = looks;
  await pause(120);
  expect(looks).toBe(made);
});

it('is not looked for when the listener has gone before it could listen', async () => {
  let gone = false;
  before = (response) =>
    new Promise((done) =>
      response.on('close', () => {
        gone = true;
        setImmediate(done);
      }),
    );
  const { leave } = listen();
  await pause(50);
  leave();
  await expect.poll(() => gone).toBe(true);
  await pause(80);
  expect(looks).toBe(0);
});

it('is told once that it fails, and again when it fails anew', async () => {
  look = () => {
    throw new Error(looks < 5 || looks > 8 ? 'the store is away' : 'the store is full');
  };
  listen();
  await expect.poll(() => looks).toBeGreaterThan(12);
  expect(failures).toEqual(['the store is away', 'the store is full', 'the store is away']);
});
