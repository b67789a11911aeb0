/** A codec server as a person starts it, in a process of its own, and the proof that it opens what a run's Temporal keeps. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createCodec } from '../../connection/codec.ts';
import { parseKeys } from '../../connection/keys.ts';
import { startGuardian } from '../../cli/guardian.ts';
import { tryPort } from '../../cli/ports.ts';
import { checkout, pause } from '../chaos/installation.ts';

export const KEYS = `siege ${Buffer.alloc(32, 7).toString('base64')}`;
const TOKEN = 'a-token-of-the-siege';
/** A busy machine takes its time. */
const READY_MS = 180_000;
const ANSWER_MS = 3_000;
const SECRET = 'opened by the codec server';

export class CodecServer {
  private child: ChildProcess | undefined;
  private port = 0;
  constructor(private readonly home: string) {}

  async start(): Promise<void> {
    while (this.port === 0) this.port = (await tryPort(10_000 + Math.floor(Math.random() * 22_000))) ?? 0;
    const words = ['codec-server', '--port', String(this.port), '--origin', 'http://127.0.0.1:9'];
    this.child = spawn(process.execPath, ['--import', 'tsx', path.join(checkout, 'cli', 'main.ts'), ...words], {
      cwd: checkout,
      stdio: 'ignore',
      env: {
        ...process.env,
        STARTRAIL_HOME: this.home,
        STARTRAIL_CODEC_KEYS: KEYS,
        STARTRAIL_CODEC_TOKEN: TOKEN,
      },
    });
    if (this.child.pid !== undefined) startGuardian().watch(this.child.pid, 'codec-server');
    for (const until = Date.now() + READY_MS; !(await this.opens()); await pause(200))
      if (Date.now() > until) throw new Error('the codec server does not start');
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }
  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  /** Whether it answers, and opens what the run's key closed. */
  async opens(): Promise<boolean> {
    const [closed] = await createCodec(parseKeys(KEYS, 'siege')).encode([{ metadata: {}, data: Buffer.from(SECRET) }]);
    const wire = {
      metadata: Object.fromEntries(
        Object.entries(closed?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
      ),
      data: Buffer.from(closed?.data ?? []).toString('base64'),
    };
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}/${TOKEN}/decode`, {
        method: 'POST',
        body: JSON.stringify({ payloads: [wire] }),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const { payloads } = (await answer.json()) as { payloads: { data: string }[] };
      return Buffer.from(payloads[0]?.data ?? '', 'base64').toString() === SECRET;
    } catch {
      return false;
    }
  }
}
