/**
 * Tells the targets of the settings what happened: a command or a webhook. Never rejects and never takes long: a person who
 * could not be told costs a line in the log, not the run.
 *
 *   const notify = createNotifier(notifyTargets(settings.notify), log);
 *   await notify({ format: 1, what: 'waiting', run: 'night-3', … });
 *
 * At least once: a worker that dies between telling and saying so tells again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { NotifyTarget } from '../schemas/notice.ts';
import type { Notice } from '../schemas/notice.ts';

const TRIES = 2;
const PAUSE_MS = 500;

/** Reads the setting: a list of targets, or one as JSON. Throws what is wrong with it, with the code InvalidInput. */
export function notifyTargets(setting: unknown): NotifyTarget[] {
  let problems: string;
  try {
    const { data, error } = NotifyTarget.array().safeParse(typeof setting === 'string' ? JSON.parse(setting) : setting);
    if (data) return data;
    problems = error.issues.map((issue) => `${issue.path.join('.') || '(list)'}: ${issue.message}`).join('; ');
  } catch {
    problems = 'not JSON';
  }
  const message = `STARTRAIL_NOTIFY: ${problems}; expected e.g. [{"webhook":"https://hooks.example.org/t1"}]`;
  throw Object.assign(new Error(message), { code: 'InvalidInput' });
}

type Log = (message: string, fields: object) => void;

export function createNotifier(targets: NotifyTarget[], log: Log): (notice: Notice) => Promise<void> {
  return async (notice) => {
    const chosen = targets.filter(({ on }) => on.includes(notice.what));
    await Promise.all(chosen.map((target) => tell(target, notice, log)));
  };
}

/** For the log: a webhook's path and query are often its key. */
const nameOf = (target: NotifyTarget): string =>
  'command' in target ? `command ${target.command[0]}` : `webhook at ${new URL(target.webhook).host}`;

async function tell(target: NotifyTarget, notice: Notice, log: Log): Promise<void> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      await ('command' in target ? runCommand(target, notice) : post(target, notice));
      return;
    } catch (error) {
      const { what, run } = notice;
      log('a notice did not reach its target', { target: nameOf(target), what, run, attempt, error: String(error) });
      if (attempt < TRIES) await sleep(PAUSE_MS);
    }
  }
}

async function runCommand(
  { command, timeoutMs }: Extract<NotifyTarget, { command: unknown }>,
  notice: Notice,
): Promise<void> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => undefined); // it need not read what it is told
  child.stdin.end(`${JSON.stringify(notice)}\n`);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (code !== 0)
    throw new Error(signal === null ? `exit code ${code}` : `ended by ${signal} (${timeoutMs} ms allowed)`);
}

async function post(
  { webhook, headers, timeoutMs }: Extract<NotifyTarget, { webhook: unknown }>,
  notice: Notice,
): Promise<void> {
  const answer = await fetch(webhook, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(notice),
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
}
