/** `up`: server, UI and worker in the foreground, until Ctrl-C. */
import { serverName } from '../connection/profile.ts';
import { runIds } from './document.ts';
import { asCliError, EXIT } from './exit.ts';
import { listenForLeave } from './leave.ts';
import { openStore, session as newSession, usage } from './parts.ts';
import type { Context } from './parts.ts';

export async function up(context: Context): Promise<number> {
  const { terminal } = context;
  if (context.server.mode === 'remote')
    throw usage(
      `\`up\` is for an embedded server; the settings name ${serverName(context.server)}: unset STARTRAIL_ADDRESS and TEMPORAL_*`,
    );
  const leaving = listenForLeave();
  const session = await newSession(context, 'up', { mustOwn: true });
  leaving.orderly();
  const smallest = { recipe: 'star', task: 'addition' };
  try {
    terminal.say(`Temporal  ${session.address} (namespace default)`);
    terminal.say(`UI        ${session.ui ?? ''}`);
    terminal.say(`home      ${context.home} (${(await runIds(await openStore(context.home))).length} runs)`);
    terminal.say('');
    terminal.say('To start a run in the UI: "Start Workflow", workflow type starRun, task queue startrail, input');
    terminal.say(`  ${JSON.stringify(smallest)}`);
    terminal.say('or here: ./bin/startrail run addition');
    if (terminal.json)
      terminal.document({ address: session.address, ui: session.ui, home: context.home, input: smallest });
    await new Promise<void>((done, fail) => {
      session.onFailed((error) => {
        fail(asCliError(error));
      });
      if (leaving.signal.aborted) done();
      leaving.signal.addEventListener('abort', () => {
        done();
      });
      const tell = setInterval(() => {
        if (!session.workerReady()) return;
        clearInterval(tell);
        terminal.say('the worker is ready; Ctrl-C ends everything');
      }, 100);
      tell.unref();
    });
    terminal.say('ending worker and server …');
    return EXIT.ok;
  } finally {
    await session.close();
    leaving.done();
  }
}
