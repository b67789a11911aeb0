/**
 * The live page in a real Chromium while a run goes on, on a real Temporal server: what changes is seen without loading anything
 * again, and what is asked for is done to the run.
 *
 *   npm run test:slow -- test/page                                    skipped where there is no Chromium
 *   STARTRAIL_SCREENSHOTS=docs/images npm run test:slow -- test/page  also writes the pictures of the documentation
 */
import type { Browser, Page as Tab } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { homePaths } from '../../cli/home.ts';
import { openInstallation } from '../../cli/page.ts';
import type { Session } from '../../cli/session.ts';
import { openTerminal } from '../../cli/terminal.ts';
import type { Engine } from '../../engine/engine.ts';
import { startPage } from '../../page/server.ts';
import type { Page } from '../../page/server.ts';
import { fileServer } from '../support/file-server.ts';
import { documentOf, scriptedAdder, smallRun, startRun } from '../support/temporal.ts';
import type { Bench } from '../support/temporal.ts';
import { findBrowser, NO_BROWSER, openBrowser } from '../ui/browser.ts';
import { TOKEN } from './fixture.ts';

const executable = findBrowser();
if (executable === undefined) process.stderr.write(`skipping the live page: ${NO_BROWSER}\n`);
const server = fileServer();

/** Answers after a pause that a test may lengthen, so that there is something to watch. */
function paced() {
  const inner = scriptedAdder();
  const pace = { ms: 150 };
  const engine: Engine = {
    ...inner,
    sample: async (request, control) => {
      await new Promise((done) => setTimeout(done, pace.ms));
      return inner.sample(request, control);
    },
  };
  return { engine, pace };
}

const sessionOf = (on: Bench): Session => ({
  mode: 'attached',
  paths: homePaths(on.folder),
  address: '',
  ui: null,
  connection: on.env.connection,
  client: on.env.client,
  workerReady: () => true,
  onFailed: () => () => undefined,
  close: async () => undefined,
});

const input = (iterations: number) => {
  const { set, ...rest } = smallRun({ iterations });
  return { ...rest, set: { ...set, 'heldOut.dev': 20, 'heldOut.test': 40 } };
};

describe.skipIf(executable === undefined)('the live page of a run that goes on', () => {
  const { engine, pace } = paced();
  let [on, page, browser, tab] = [] as unknown as [Bench, Page, Browser, Tab];
  const outside: string[] = [];
  const wrong: string[] = [];

  beforeAll(async () => {
    on = await server.bench({ engine, settingsQueues: true });
    mkdirSync(homePaths(on.folder).logs, { recursive: true });
    const context = {
      home: on.folder,
      server: { mode: 'embedded' as const, namespace: 'default' },
      terminal: openTerminal(false),
    };
    const installation = openInstallation(context, sessionOf(on), on.store);
    page = await startPage({ ...installation, token: TOKEN, port: 0, everyMs: 200 });
    browser = await openBrowser(executable as string);
    tab = await browser.newPage({ viewport: { width: 1240, height: 1000 } });
    tab.on('request', (request) => {
      if (!request.url().startsWith(page.url)) outside.push(request.url());
    });
    tab.on('console', (message) => {
      if (message.type() === 'error') wrong.push(message.text());
    });
    tab.on('pageerror', (error) => wrong.push(String(error)));
  });
  afterAll(async () => {
    await browser?.close();
    await page?.close();
  });

  const text = (selector: string) => tab.locator(selector).innerText();
  const shows = (selector: string, what: string | RegExp) =>
    expect.poll(() => text(selector), { timeout: 20_000 }).toMatch(what);

  test('shows it in the list, and every stage, iteration and chart as it comes, without loading again', async () => {
    await on.during(async () => {
      await tab.goto(`${page.url}/#token=${TOKEN}`);
      await shows('#runs', 'No runs yet');
      const handle = await startRun(on, 'watched', input(3));
      await shows('#runs', /watched\s+running/);
      await tab.click('text=watched');
      await shows('h1', 'watched');
      let loads = 0;
      tab.on('load', () => loads++);
      await shows('#iteration', /Iteration [1-3]\s+Under way/);
      await expect.poll(() => tab.locator('.dataflow .stage.running').count(), { timeout: 20_000 }).toBeGreaterThan(0);
      await shows('#ledger', /Ledger of iteration 1/);
      await shows('#table', /\n2\s/);
      await handle.result();
      await shows('#head', 'done');
      await shows('#iteration', /Iteration 3\s+Sealed/);
      expect(await tab.locator('.dataflow .stage.done').count()).toBe(8);
      expect(loads).toBe(0);
      const { iterations } = await documentOf(on, 'watched');
      const { acceptedFree } = iterations.at(-1)!.ledger;
      expect((await text('#ledger .keys')).split(/\s+/).slice(0, 2)).toEqual(['accepted-free', String(acceptedFree)]);
      await shoot('page-run');
    });
  });

  test('pauses, resumes and forks it, each once it is confirmed', async () => {
    await on.during(async () => {
      pace.ms = 400;
      const handle = await startRun(on, 'steered', input(2));
      await tab.goto(`${page.url}/`);
      await tab.click('text=steered');
      await shows('#head', 'running');
      await tab.click('#do-pause');
      await tab.click('dialog[open] [data-cancel]');
      expect((await documentOf(on, 'steered')).status).toBe('running');
      await tab.click('#do-pause');
      await tab.click('dialog[open] [type=submit]');
      await shows('#told', 'steered pauses');
      await shows('#head', 'paused');
      await expect.poll(async () => (await documentOf(on, 'steered')).status, { timeout: 20_000 }).toBe('paused');
      pace.ms = 0;
      await tab.click('#do-resume');
      await tab.click('dialog[open] [type=submit]');
      await handle.result();
      await shows('#head', 'done');

      await tab.click('#do-fork');
      await tab.fill('dialog[open] [name=from]', '9');
      await tab.click('dialog[open] [type=submit]');
      await shows('dialog[open] .refused', 'expected 1 to 3, found 9');
      await tab.fill('dialog[open] [name=from]', '2');
      await tab.fill('dialog[open] [name=set]', 'stages.next.with.learningRate=0.002');
      await tab.click('dialog[open] [type=submit]');
      await shows('h1', 'steered-f2-1');
      await shows('#head', /done[\s\S]*fork of steered from iteration 2/);
      const fork = await documentOf(on, 'steered-f2-1');
      expect(fork.resolved?.recipe.stages.next?.with?.learningRate).toBe(0.002);
    });
  });

  test('asks no other server for anything, and breaks no rule of its policy', () => {
    expect(outside).toEqual([]);
    // The refused fork is told by the browser too.
    expect(wrong.filter((one) => !one.includes('409'))).toEqual([]);
  });

  const shots = process.env.STARTRAIL_SCREENSHOTS;
  async function shoot(name: string): Promise<void> {
    if (!shots) return;
    mkdirSync(shots, { recursive: true });
    await tab.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
  }
});
