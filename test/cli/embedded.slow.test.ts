import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { homePaths, readJson } from '../../cli/home.ts';
import { findByCommand, isAlive } from '../../cli/process-identity.ts';
import { serverNeedle } from '../../cli/server-process.ts';
import { cleanUp, cli, left, ownerOf, ready, start, tempHome, until } from './fixture/process.ts';

afterAll(cleanUp, 60_000);
const LONG = 120_000;

describe('the embedded installation', () => {
  test(
    'server and worker that are killed come back, on the same port and database',
    async () => {
      const home = tempHome();
      const up = cli(home, 'up');
      const before = await ready(home);
      process.kill(before.server?.pid ?? 0, 'SIGKILL');
      const after = await until('a new server', 20_000, () => {
        const owner = ownerOf(home);
        return owner?.server && owner.server.pid !== before.server?.pid ? owner : undefined;
      });
      expect(after.address).toBe(before.address);
      expect(after.worker).toEqual(before.worker);
      process.kill(before.worker?.pid ?? 0, 'SIGKILL');
      await until('a new worker', 20_000, () => {
        const worker = ownerOf(home)?.worker;
        return worker && worker.pid !== before.worker?.pid;
      });
      expect(findByCommand(serverNeedle(homePaths(home)))).toHaveLength(1);

      const second = cli(home, 'up', '--json');
      expect(await second.exited).toBe(5);
      expect(JSON.parse(second.out())).toMatchObject({ error: { code: 'HomeOwned', details: { pid: up.child.pid } } });

      up.child.kill('SIGINT');
      expect(await up.exited).toBe(0);
      expect(left(home)).toEqual([]);
      expect(existsSync(homePaths(home).owner)).toBe(false);
    },
    LONG,
  );

  test(
    'SIGKILL of the owner leaves no process behind',
    async () => {
      const home = tempHome();
      const up = cli(home, 'up');
      await ready(home);
      expect(left(home)).toHaveLength(2);
      up.child.kill('SIGKILL');
      await up.exited;
      await until('an end of server and worker', 8_000, () => left(home).length === 0);
    },
    LONG,
  );

  test(
    'what even the guardian left behind is ended by the next owner, never doubled',
    async () => {
      const home = tempHome();
      const up = cli(home, 'up');
      const before = await ready(home);
      for (const guardian of findByCommand('guardian.sh')) {
        // Only this test's own: the one whose parent is this owner.
        const parent = Number(await parentOf(guardian.pid));
        if (parent === up.child.pid) process.kill(guardian.pid, 'SIGKILL');
      }
      up.child.kill('SIGKILL');
      await up.exited;
      if (!before.server) throw new Error('no server');
      await new Promise((done) => setTimeout(done, 1_000));
      expect(isAlive(before.server)).toBe(true);

      const next = cli(home, 'up');
      const after = await until('the next owner', 40_000, () => {
        const owner = ownerOf(home);
        return owner?.pid === next.child.pid && owner?.state === 'ready' ? owner : undefined;
      });
      expect(isAlive(before.server)).toBe(false);
      expect(findByCommand(serverNeedle(homePaths(home)))).toEqual([after.server]);
      next.child.kill('SIGTERM');
      expect(await next.exited).toBe(0);
      expect(left(home)).toEqual([]);
    },
    LONG,
  );

  test(
    "a port that somebody else took is not this home's server",
    async () => {
      const home = tempHome();
      const squatter = net.createServer();
      await new Promise<void>((done) => squatter.listen(0, '127.0.0.1', done));
      const { port } = squatter.address() as net.AddressInfo;
      mkdirSync(home, { recursive: true });
      writeFileSync(homePaths(home).ports, JSON.stringify({ server: port, ui: port + 1 }));
      const up = cli(home, 'up');
      const owner = await ready(home);
      expect(owner.address).not.toBe(`127.0.0.1:${port}`);
      expect(readJson(homePaths(home).ports)).not.toMatchObject({ server: port });
      up.child.kill('SIGINT');
      await up.exited;
      squatter.close();
    },
    LONG,
  );

  test(
    'a worker that never gets ready ends the command with its own words',
    async () => {
      const home = tempHome();
      const up = start('broken-worker.ts', ['up', '--json'], { STARTRAIL_HOME: home });
      expect(await up.exited).toBe(1);
      expect(JSON.parse(up.out().slice(up.out().lastIndexOf('\n{') + 1))).toMatchObject({
        error: { code: 'EngineUnavailable' },
      });
      expect(left(home)).toEqual([]);
    },
    LONG,
  );
});

describe('a home that cannot be used', () => {
  test('a file in its place, a later format, a dead remote server: one sentence and the code', async () => {
    const place = tempHome();
    writeFileSync(place, 'a file');
    const file = cli(place, 'run', 'addition', '--json');
    const later = tempHome();
    mkdirSync(later, { recursive: true });
    writeFileSync(path.join(later, 'format.json'), '{"format":2}');
    const newer = cli(later, 'run', 'addition', '--json');
    const remote = start('cli.ts', ['run', 'addition', '--json'], {
      STARTRAIL_HOME: tempHome(),
      STARTRAIL_ADDRESS: '127.0.0.1:9',
    });
    const error = (text: string) => (JSON.parse(text) as { error: { code: string; message: string } }).error;
    expect(await file.exited).toBe(3);
    expect(error(file.out())).toMatchObject({ code: 'HomeUnusable' });
    expect(await newer.exited).toBe(2);
    expect(error(newer.out())).toMatchObject({ code: 'HomeTooNew' });
    expect(await remote.exited).toBe(3);
    expect(error(remote.out())).toMatchObject({ code: 'ServerUnreachable' });
    expect(error(remote.out()).message).toContain('127.0.0.1:9');
  }, 60_000);
});

describe('doctor', () => {
  test('names what is missing with its cure, and makes nothing', async () => {
    const home = tempHome();
    const place = tempHome();
    writeFileSync(place, 'a file');
    const [good, bad] = [cli(home, 'doctor', '--json'), cli(place, 'doctor', '--json')];
    const read = (text: string) =>
      JSON.parse(text) as { ok: boolean; checks: { name: string; state: string; cure: string | null }[] };
    expect(await good.exited, good.err()).toBe(0);
    expect(read(good.out()).checks.map((check) => check.name)).toEqual(
      expect.arrayContaining(['node', 'dependencies', 'tensorflow', 'temporal', 'home', 'disk', 'owner']),
    );
    expect(existsSync(home)).toBe(false);
    expect(await bad.exited).toBe(1);
    const check = read(bad.out()).checks.find(({ name }) => name === 'home');
    expect(check).toMatchObject({ state: 'missing', cure: expect.stringContaining('STARTRAIL_HOME') as string });
  }, 120_000);
});

async function parentOf(pid: number): Promise<string> {
  const { execFileSync } = await import('node:child_process');
  return execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).trim();
}
