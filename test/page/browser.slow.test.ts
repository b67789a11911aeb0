/**
 * The live page in a real Chromium over made-up runs: every view by axe-core, small and dark too; keys; ten thousand rationales.
 *
 *   npm run test:slow -- test/page                                    skipped where there is no Chromium
 *   STARTRAIL_SCREENSHOTS=docs/images npm run test:slow -- test/page  also writes the pictures of the documentation
 */
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type axe from 'axe-core';
import type { Browser, Page as Tab } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, NO_BROWSER, openBrowser } from '../ui/browser.ts';
import { keepRun, openPage, storeWith, TOKEN } from './fixture.ts';
import type { Opened } from './fixture.ts';

const executable = findBrowser();
if (executable === undefined) process.stderr.write(`skipping the live page's views: ${NO_BROWSER}\n`);
const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const shots = process.env.STARTRAIL_SCREENSHOTS;
if (shots) mkdirSync(shots, { recursive: true });

const VIEWS = {
  runs: '/',
  run: '/runs/night-1',
  'run-iteration': '/runs/night-1?iteration=1',
  rationales: '/runs/night-1/rationales?outcome=rejected',
  row: '/runs/night-1/iterations/2/rows/1',
  weights: '/runs/night-1/weights',
  'weights-rows': '/runs/night-1/iterations/2/weights?row=3',
  compare: '/compare?a=night-1&b=night-2',
  nothing: '/runs/nothing',
};

describe.skipIf(executable === undefined)('the views of the live page', () => {
  let [on, browser] = [] as unknown as [Opened, Browser];
  beforeAll(async () => {
    const { store, document } = await storeWith({ iterations: 4, strata: 4, drawn: 400 });
    await keepRun(store, { ...document, runId: 'night-2', workflowId: 'night-2', seed: 2, status: 'paused' });
    on = await openPage(store, { token: TOKEN, everyMs: 500 });
    browser = await openBrowser(executable as string);
  });
  afterAll(async () => {
    await browser?.close();
    await on?.page.close();
  });

  async function withTab<T>(options: Parameters<Browser['newPage']>[0], work: (tab: Tab) => Promise<T>): Promise<T> {
    // axe is put into the page from here, past the policy that forbids it there; the policy itself is tested in live.slow.test.ts.
    const tab = await browser.newPage({ ...options, bypassCSP: true });
    try {
      return await work(tab);
    } finally {
      await tab.close();
    }
  }

  /** Rule, how bad, and where: of all that is serious or worse. */
  async function findings(tab: Tab): Promise<string[]> {
    await tab.addScriptTag({ path: axeFile });
    const { violations } = await tab.evaluate<axe.AxeResults>('axe.run()');
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  }

  test.each([
    ['wide and light', { viewport: { width: 1240, height: 1000 }, colorScheme: 'light' as const }],
    ['narrow and dark', { viewport: { width: 375, height: 740 }, colorScheme: 'dark' as const }],
  ])('have no serious findings of axe, %s, and never scroll sideways', async (name, options) => {
    await withTab(options, async (tab) => {
      for (const [view, target] of Object.entries(VIEWS)) {
        await tab.goto(on.page.url + target);
        await tab.waitForLoadState('load');
        expect([view, await findings(tab)]).toEqual([view, []]);
        const width = await tab.evaluate<number>('document.documentElement.scrollWidth');
        expect([view, width]).toEqual([view, options.viewport.width]);
        const pictured = ['runs', 'rationales', 'row', 'weights-rows', 'compare'].includes(view);
        if (shots && name.startsWith('wide') && pictured)
          await tab.screenshot({ path: path.join(shots, `page-${view}.png`) });
        if (shots && name.startsWith('narrow') && view === 'run')
          await tab.screenshot({ path: path.join(shots, 'page-small-dark.png') });
      }
      await tab.goto(`${on.page.url}/runs/night-1`);
      await tab.click('#do-fork');
      expect(await findings(tab)).toEqual([]);
    });
  });

  test('would have findings, were something wrong', async () => {
    await withTab({}, async (tab) => {
      await tab.goto(`${on.page.url}/`);
      await tab.evaluate(`document.querySelector('h1').innerHTML = '<button></button><img src="/assets/icon.svg">'`);
      expect((await findings(tab)).map((one) => one.split(':')[0])).toEqual(['button-name', 'image-alt']);
    });
  });

  test('can be used by keys alone', async () => {
    await withTab({ viewport: { width: 1240, height: 1000 } }, async (tab) => {
      await tab.goto(`${on.page.url}/`);
      await tab.keyboard.press('j');
      await tab.keyboard.press('Enter');
      await tab.waitForURL('**/runs/night-*');
      await tab.goto(`${on.page.url}/runs/night-1/rationales?iteration=4`);
      await tab.keyboard.press('n');
      await tab.waitForURL('**page=2');
      await tab.keyboard.press('/');
      await tab.keyboard.type('nowhere to be found');
      await tab.getByText(/^0 of/).waitFor();
      // What is typed there is no command.
      expect(await tab.inputValue('input[type=search]')).toBe('nowhere to be found');
      await tab.waitForURL('**q=nowhere+to+be+found**');
      await tab.goto(`${on.page.url}/`);
      await tab.keyboard.press('?');
      await tab.locator('#help[open]').waitFor();
      await tab.keyboard.press('Escape');
      expect(await tab.locator('#help[open]').count()).toBe(0);
    });
  });
});

/** A frame that takes longer is seen as a jerk; the browser calls tasks of more than 50 ms long. */
const LONG_TASKS = `new Promise((done) => {
  const found = [];
  new PerformanceObserver((list) => found.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask', buffered: true });
  setTimeout(() => done(found), 200);
})`;

interface Lag {
  rationales: number;
  /** Milliseconds; medians but for the first. */
  first: number;
  turn: number;
  search: number;
  longTasks: number[];
  cards: number;
}

const median = (of: number[]) => [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] as number;
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function lagOf(browser: Browser, drawn: number): Promise<Lag> {
  const { store } = await storeWith({ iterations: 1, strata: 5, drawn });
  const on = await openPage(store);
  const tab = await browser.newPage({ viewport: { width: 1240, height: 1000 } });
  try {
    const first = await timed(() => tab.goto(`${on.page.url}/runs/night-1/rationales`));
    const [, all = '0'] = /of ([\d,]+) rationales/.exec(await tab.innerText('#rows')) ?? [];
    const turns: number[] = [];
    for (let page = 2; page <= 8; page++)
      turns.push(
        await timed(async () => {
          await tab.keyboard.press('n');
          await tab.getByText(`page ${page} of`).first().waitFor();
        }),
      );
    const searches: number[] = [];
    for (const word of ['123', 'C:1', '9+9', 'expected'])
      searches.push(
        await timed(async () => {
          const before = await tab.innerText('#rows > .note');
          await tab.fill('input[type=search]', word);
          await expect.poll(() => tab.innerText('#rows > .note'), { interval: 10, timeout: 20_000 }).not.toBe(before);
        }),
      );
    const longTasks = await tab.evaluate<number[]>(LONG_TASKS);
    const cards = await tab.locator('.card').count();
    const rationales = Number(all.replace(',', ''));
    return { rationales, first, turn: median(turns), search: median(searches), longTasks, cards };
  } finally {
    await tab.close();
    await on.page.close();
  }
}

describe.skipIf(executable === undefined)('ten thousand rationales', () => {
  test('turn and are searched about as fast as a few hundred', { timeout: 600_000 }, async () => {
    const browser = await openBrowser(executable as string);
    try {
      const few = await lagOf(browser, 300);
      const many = await lagOf(browser, 6_500);
      for (const { rationales, first, turn, search, longTasks } of [few, many])
        process.stdout.write(
          `${rationales} rationales: first page ${first.toFixed(0)} ms, turning ${turn.toFixed(0)} ms, search ${search.toFixed(0)} ms (150 of them waiting for more letters), ${longTasks.length} long tasks, the longest ${Math.max(0, ...longTasks).toFixed(0)} ms\n`,
        );
      expect(many.rationales).toBeGreaterThan(10_000);
      expect(many.cards).toBeLessThanOrEqual(24);
      // Held against few on the same machine in the same minute: what else it does slows both.
      expect(many.turn).toBeLessThan(3 * few.turn + 100);
      expect(many.search).toBeLessThan(3 * few.search + 100);
    } finally {
      await browser.close();
    }
  });
});
