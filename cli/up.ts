/** `up`: server, UI, live page and worker in the foreground, until Ctrl-C. */
import { randomBytes } from 'node:crypto';
import { serverName } from '../connection/profile.ts';
import { runIds } from './document.ts';
import { asCliError, CliError, EXIT } from './exit.ts';
import { listenForLeave } from './leave.ts';
import { openStore, session as newSession, usage } from './parts.ts';
import type { Context } from './parts.ts';
import { keepPagePort, pagePort } from './ports.ts';
import type { Session } from './session.ts';
import type { Page } from '../page/server.ts';
import type { Store } from '../store/store.ts';

export interface UpOptions {
  /** Of the live page; absent = the one it had last, 0 = a free one. */
  port?: number;
  /** true = made here; absent = the page is read-only. */
  token?: string | true;
}

const TOKEN_BYTES = 24;
const SHORTEST_TOKEN = 16;

function tokenOf({ token }: UpOptions): string | undefined {
  if (token === true) return randomBytes(TOKEN_BYTES).toString('base64url');
  if (token !== undefined && !new RegExp(`^[A-Za-z0-9._~-]{${SHORTEST_TOKEN},}$`).test(token))
    throw usage(
      `--token: expected at least ${SHORTEST_TOKEN} letters, digits, dots, dashes; without a value one is made`,
    );
  return token;
}

async function openPage(
  context: Context,
  session: Session,
  store: Store,
  token: string | undefined,
  asked: number | undefined,
): Promise<Page> {
  // Loaded when it is needed: its charts take a second.
  const [{ startPage }, { openInstallation }] = await Promise.all([import('../page/server.ts'), import('./page.ts')]);
  const installation = { ...openInstallation(context, session, store), token };
  const kept = pagePort(session.paths) ?? 0;
  const taken = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  const page = await startPage({ ...installation, port: asked ?? kept }).catch((error: unknown) => {
    if (!taken(error)) throw error;
    if (asked === undefined) return startPage({ ...installation, port: 0 });
    throw new CliError(
      EXIT.unreachable,
      'PortInUse',
      `another program has port ${asked}: give another with --port, or 0 for a free one`,
    );
  });
  if (asked === undefined) keepPagePort(session.paths, Number(new URL(page.url).port));
  return page;
}

export async function up(context: Context, options: UpOptions = {}): Promise<number> {
  const { terminal } = context;
  const token = tokenOf(options);
  if (context.server.mode === 'remote')
    throw usage(
      `\`up\` is for an embedded server; the settings name ${serverName(context.server)}: unset STARTRAIL_ADDRESS and TEMPORAL_*`,
    );
  const leaving = listenForLeave();
  const session = await newSession(context, 'up', { mustOwn: true });
  leaving.orderly();
  const smallest = { recipe: 'star', task: 'addition' };
  let page: Page | undefined;
  try {
    const store = await openStore(context.home);
    page = await openPage(context, session, store, token, options.port);
    const address = token === undefined ? `${page.url}/` : `${page.url}/#token=${token}`;
    terminal.say(`page      ${address}${token === undefined ? ' (read-only; --token makes one that may steer)' : ''}`);
    terminal.say(`Temporal  ${session.address} (namespace default)`);
    terminal.say(`UI        ${session.ui ?? ''}`);
    terminal.say(`home      ${context.home} (${(await runIds(store)).length} runs)`);
    terminal.say('');
    terminal.say('To start a run in the UI: "Start Workflow", workflow type starRun, task queue startrail, input');
    terminal.say(`  ${JSON.stringify(smallest)}`);
    terminal.say('or here: ./bin/startrail run addition');
    if (terminal.json)
      terminal.document({
        address: session.address,
        ui: session.ui,
        page: address,
        home: context.home,
        input: smallest,
      });
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
    await page?.close();
    await session.close();
    leaving.done();
  }
}
