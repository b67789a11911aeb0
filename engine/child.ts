/**
 * The process an engine runs in; started by `engine/host.ts` as `node scripts/start.mjs engine/child.ts <entry>`.
 *
 * It ends with its parent, also while a kernel blocks its loop: a thread of its own watches stdin, whose other end the parent
 * holds open and never writes to. Progress is sent from the work itself, never by a timer, so that silence means a hang.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { EngineError, type Engine, type EngineControl } from './engine.ts';
import type { ScriptedOptions } from './scripted.ts';
import { toPortable, type FromChild, type ToChild } from './messages.ts';

const WATCH = `
  const { Socket } = require('node:net');
  const gone = () => process.kill(process.pid, 'SIGKILL');
  new Socket({ fd: 0, readable: true, writable: false }).on('end', gone).on('error', gone).on('close', gone).resume();
`;

const send = (message: FromChild): void => {
  if (process.connected) process.send!(message);
};

async function open(entry: string | undefined): Promise<Engine> {
  if (entry === 'tfjs') {
    try {
      return (await import('./tfjs/engine.ts')).createTfjsEngine();
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
      throw new EngineError('EngineUnavailable', `TensorFlow does not load (${why}); run \`npm run setup\`.`);
    }
  }
  if (entry !== 'scripted')
    throw new EngineError('EngineUnavailable', `no engine is called ${entry}; expected tfjs or scripted`);
  const { createScriptedEngine } = await import('./scripted.ts');
  const { STARTRAIL_SCRIPTED_ANSWER: answers } = process.env;
  return createScriptedEngine({
    // A module of a test's own: what the stand-in says, for tasks whose answers it does not know.
    ...(answers !== undefined && (await answersOf(answers))),
    delayMs: Number(process.env.STARTRAIL_SCRIPTED_DELAY_MS ?? 0),
    faults: JSON.parse(process.env.STARTRAIL_SCRIPTED_FAULTS ?? '{}') as Record<number, 'die' | 'hang'>,
    die: () => {
      process.kill(process.pid, 'SIGKILL');
      for (;;);
    },
    hang: () => {
      for (;;);
    },
  });
}

/** Through tsx, which this process may have been started without. */
async function answersOf(module: string): Promise<Pick<ScriptedOptions, 'answer'>> {
  const { tsImport } = await import('tsx/esm/api');
  return (await tsImport(module, import.meta.url)) as Pick<ScriptedOptions, 'answer'>;
}

function answer(engine: Engine, message: Exclude<ToChild, { kind: 'cancel' }>, control: EngineControl) {
  switch (message.kind) {
    case 'sample':
      return engine.sample(message.request, control);
    case 'train':
      return engine.train(message.request, control);
    case 'score':
      // Both engines that run in a child can.
      return engine.score!(message.request, control);
    case 'costs':
      return engine.costs!(message.request, control);
  }
}

function serve(engine: Engine): void {
  const running = new Map<number, AbortController>();
  process.on('message', (message: ToChild) => {
    if (message.kind === 'cancel') {
      running.get(message.id)?.abort(new DOMException('cancelled', 'AbortError'));
      return;
    }
    const { id } = message;
    const controller = new AbortController();
    running.set(id, controller);
    const control = {
      signal: controller.signal,
      onProgress: (progress: Extract<FromChild, { kind: 'progress' }>['progress']) =>
        send({ kind: 'progress', id, progress }),
    };
    void answer(engine, message, control)
      .then(
        (result) => send({ kind: 'result', id, result }),
        (error: unknown) => send({ kind: 'error', id, error: toPortable(error) }),
      )
      .finally(() => running.delete(id));
  });
}

process.on('disconnect', () => process.exit(0));
const watch = new Worker(WATCH, { eval: true, execArgv: [] });
watch.unref();
const watching = once(watch, 'online');
// A terminal's Ctrl-C goes to the whole group; the parent decides when its engine ends.
process.on('SIGINT', () => undefined);
try {
  const engine = await open(process.argv[2]);
  // Before a request may block this loop for good.
  await watching;
  serve(engine);
  send({ kind: 'ready', description: await engine.describe() });
} catch (error) {
  process.send?.({ kind: 'unavailable', error: toPortable(error) } satisfies FromChild, () => process.exit(1));
}
