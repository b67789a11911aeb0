/** `up` with its live page, as a person starts it: the printed address answers, the token steers, a taken port is told. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { homePaths } from '../../cli/home.ts';
import { cleanUp, cli, ready, tempHome, until } from '../cli/fixture/process.ts';
import type { Running } from '../cli/fixture/process.ts';
import { inProcess } from '../cli/fixture/in-process.ts';

afterEach(cleanUp, 60_000);

const addressOf = ({ out }: Running): Promise<string> =>
  until('the address of the page', 60_000, () => /page +(http:\S+)/.exec(out())?.[1]);
const post = (address: string, run: string, token: string) =>
  fetch(`${address}runs/${run}/pause`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: '{}',
  });

describe('up', () => {
  test('serves the page under the same port again, and steers with the token it printed', async () => {
    const home = tempHome();
    const first = cli(home, 'up', '--token');
    const [address = '', token = ''] = (await addressOf(first)).split('#token=');
    await ready(home);
    expect((await fetch(address)).status).toBe(200);
    expect((await post(address, 'nobody', 'wrong-token')).status).toBe(401);
    expect((await post(address, 'nobody', token)).status).toBe(404);
    expect(readFileSync(`${homePaths(home).logs}/page.log`, 'utf8')).toContain('"code":"WrongToken"');
    expect(readFileSync(`${homePaths(home).logs}/page.log`, 'utf8')).not.toContain(token);
    first.child.kill('SIGINT');
    expect(await first.exited).toBe(0);
    const second = cli(home, 'up');
    expect(await addressOf(second)).toBe(address);
    expect((await post(address, 'nobody', token)).status).toBe(403);
  });

  test('says which port is taken', async () => {
    const other = http.createServer().listen(0, '127.0.0.1');
    await new Promise((done) => other.once('listening', done));
    const { port } = other.address() as AddressInfo;
    const { exited, err } = cli(tempHome(), 'up', '--port', String(port));
    expect(await exited).toBe(3);
    expect(err()).toContain(`PortInUse: another program has port ${port}`);
    other.close();
  });

  test('takes no token that is easy to guess', async () => {
    const { code, err } = await inProcess(tempHome(), ['up', '--token', 'short']);
    expect(code).toBe(2);
    expect(err).toContain('expected at least 16');
  });
});
