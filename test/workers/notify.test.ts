/** Notices reach a real webhook on the loopback address and a real command; what does not reach its target fails nothing. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NotifyTarget } from '../../schemas/notice.ts';
import type { Notice } from '../../schemas/notice.ts';
import { createNotifier, notifyTargets } from '../../workers/notify.ts';

const notice: Notice = {
  format: 1,
  what: 'waiting',
  run: 'night-1',
  task: 'addition',
  reason: 'iteration 2 failed: "$(touch /tmp/x)"; `id`',
  at: '2026-01-01T00:00:00.000Z',
};
const folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-notify-'));
const heard: { body: unknown; headers: Record<string, unknown> }[] = [];
const answers = { status: 200, hang: false };
let server: Server;
let url: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      heard.push({ body: body === '' ? null : JSON.parse(body), headers: request.headers });
      if (answers.hang) return;
      response.writeHead(answers.status, answers.status === 302 ? { location: '/elsewhere' } : {}).end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=secret`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});
const log: [string, object][] = [];
const notify = (targets: unknown[]) =>
  createNotifier(notifyTargets(targets), (message, fields) => log.push([message, fields]))(notice);
const writer = (file: string) => [
  process.execPath,
  '-e',
  `process.stdin.pipe(require('node:fs').createWriteStream(${JSON.stringify(file)}))`,
];

describe('notices', () => {
  it('go to a webhook as the body of a POST, with the headers declared', async () => {
    await notify([{ webhook: url, headers: { authorization: 'Bearer t' } }]);
    expect(heard).toEqual([
      {
        body: notice,
        headers: expect.objectContaining({ authorization: 'Bearer t', 'content-type': 'application/json' }) as object,
      },
    ]);
  });

  it('go to a command on its standard input, byte for byte: no shell reads them', async () => {
    const file = path.join(folder, 'told');
    await notify([{ command: writer(file) }]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(notice);
  });

  it('go only to targets that asked for their kind', async () => {
    heard.length = 0;
    await notify([{ webhook: url, on: ['failed', 'promoted'] }]);
    expect(heard).toEqual([]);
  });

  it.each([
    ['refuses', () => (answers.status = 500)],
    ['leads elsewhere', () => (answers.status = 302)],
    ['never answers', () => (answers.hang = true)],
  ])('to a webhook that %s are tried again, logged without the key, and given up', async (_, spoil) => {
    heard.length = log.length = 0;
    spoil();
    await notify([{ webhook: url, timeoutMs: 300 }]);
    Object.assign(answers, { status: 200, hang: false });
    expect(heard).toHaveLength(2);
    expect(log).toHaveLength(2);
    expect(JSON.stringify(log)).not.toContain('secret');
  });

  it.each([
    ['is not there', ['/no/such/program'], 'ENOENT'],
    ['fails', [process.execPath, '-e', 'process.exit(3)'], 'exit code 3'],
    ['hangs', [process.execPath, '-e', 'setInterval(() => 0, 1000)'], 'SIGKILL'],
  ])('to a command that %s are tried again, logged and given up', async (_, command, why) => {
    log.length = 0;
    await notify([{ command, timeoutMs: 500 }]);
    expect(log).toHaveLength(2);
    expect(JSON.stringify(log)).toContain(why);
  });

  it('that can’t reach one target reach the others', async () => {
    heard.length = 0;
    await notify([{ command: ['/no/such/program'] }, { webhook: url }]);
    expect(heard).toHaveLength(1);
  });
});

describe('the setting', () => {
  it('is a list of targets, or one as JSON; anything else is refused with what is expected', () => {
    expect(notifyTargets(JSON.stringify([{ command: ['a'] }]))).toEqual([NotifyTarget.parse({ command: ['a'] })]);
    expect(notifyTargets([])).toEqual([]);
    for (const wrong of ['{', '{}', '[{"webhook":"file:///etc/passwd"}]', '[{"command":[]}]', '[{"command":"rm -rf"}]'])
      expect(() => notifyTargets(wrong), wrong).toThrow(/STARTRAIL_NOTIFY/);
  });
});
