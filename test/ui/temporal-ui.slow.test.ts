/**
 * A run started, steered and looked at in Temporal's own UI, in a real browser, with real server, worker and engine.
 *
 *   npm run test:slow -- test/ui                                   skipped where there is no Chromium
 *   STARTRAIL_SCREENSHOTS=docs/images npm run test:slow -- test/ui  also writes the pictures of the documentation
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { homePaths, readOwner } from '../../cli/home.ts';
import { RunDocument } from '../../schemas/run.ts';
import { createLocalStore } from '../../store/local.ts';
import { SEARCH_ATTRIBUTES } from '../../schemas/search-attributes.ts';
import { cleanUp, startProgram, tempHome, until } from '../cli/fixture/process.ts';
import { findBrowser, NO_BROWSER, openBrowser } from './browser.ts';

const executable = findBrowser();
if (executable === undefined) process.stderr.write(`skipping Temporal's UI: ${NO_BROWSER}\n`);

/** A run of a minute: one-digit sums, a very small model. */
const SMALL = {
  recipe: 'star',
  task: 'addition',
  parameters: { digits: 1 },
  iterations: 1,
  set: {
    'model.dModel': 32,
    'model.layers': 1,
    'model.heads': 2,
    'model.dFF': 64,
    'base.steps.first': 300,
    'stages.batch.with.count': 40,
    'stages.next.with.steps.first': 300,
  },
};
const shots = process.env.STARTRAIL_SCREENSHOTS;
if (shots) mkdirSync(shots, { recursive: true });

describe.skipIf(executable === undefined)("Temporal's UI", () => {
  let browser: Browser;
  let page: Page;
  let ui: string;
  const home = tempHome();

  beforeAll(async () => {
    process.env.STARTRAIL_SEARCH_ATTRIBUTES = '1';
    startProgram(home, 'up');
    const owner = await until('an owner that is ready', 90_000, () => {
      const found = readOwner(homePaths(home));
      return found?.state === 'ready' ? found : undefined;
    });
    ui = `${owner.ui}/namespaces/default/workflows`;
    browser = await openBrowser(executable as string);
    page = await browser.newPage({ viewport: { width: 1500, height: 1200 } });
    // The UI keeps its columns in the browser.
    const labels = ['Status', 'Workflow ID', ...Object.keys(SEARCH_ATTRIBUTES), 'Start'];
    const columns = JSON.stringify({ default: labels.map((label) => ({ label })) });
    await page.addInitScript(
      `window.localStorage.setItem('namespace-workflow-table-columns', ${JSON.stringify(columns)});`,
    );
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await cleanUp();
  }, 60_000);

  /** `height`: the upper part alone, where what is below names the folder that this checkout happens to lie in. */
  const shoot = async (name: string, height = 1200) => {
    if (shots && name !== 'start-bad-input')
      await page.screenshot({ path: path.join(shots, `${name}.png`), clip: { x: 0, y: 0, width: 1500, height } });
  };

  /** Fills in the form "Start Workflow" as a person would. */
  async function startInUi(id: string, input: unknown): Promise<void> {
    await page.goto(`${ui}/start-workflow`);
    await page.fill('#workflowId', id);
    await page.fill('#taskQueue', 'startrail');
    await page.fill('#workflowType', 'starRun');
    await page.locator('.cm-content').first().click();
    await page.keyboard.insertText(JSON.stringify(input));
    await page.getByRole('heading', { name: 'Start Workflow' }).click(); // the editor takes its text when it loses the focus
    await shoot(`start-${id}`);
    await page.getByTestId('start-workflow-button').click();
    await page.getByRole('link', { name: 'Workflow started successfully' }).waitFor({ timeout: 20_000 });
  }

  /** The page of a workflow, once it shows this text. */
  async function shows(id: string, text: string | RegExp, timeout: number): Promise<void> {
    await page.goto(`${ui}/${encodeURIComponent(id)}`);
    await page.getByText(text).first().waitFor({ timeout });
  }

  test('starts a run from plain JSON, which trains, and shows each iteration on a line of its own', async () => {
    await startInUi('from-the-ui', SMALL);
    await shows('from-the-ui', /^(Running|Completed)$/, 20_000);
    await shows('from-the-ui', 'Completed', 180_000);
    const store = await createLocalStore(path.join(home, 'store'));
    const run = RunDocument.parse(await store.getName('runs/from-the-ui'));
    expect(run.status).toBe('done');
    expect(run.iterations.map(({ n, drawn }) => [n, drawn])).toEqual([
      [0, 0],
      [1, 40],
    ]);
    await page.goto(ui);
    await page.getByText('from-the-ui/iteration-001').first().waitFor({ timeout: 20_000 });
    const row = page.locator('tr', { hasText: /from-the-ui(?!\/)/ });
    for (const text of ['star', 'addition', 'done', '1'])
      await row.first().getByText(text, { exact: true }).first().waitFor({ timeout: 20_000 });
    await shoot('runs');
    await shows('from-the-ui/iteration-001', 'Completed', 20_000);
    await shoot('iteration');
  });

  test('shows bad input as a failure that names the field, and leaves nothing running', async () => {
    const began = Date.now();
    await startInUi('bad-input', { recipe: 'star', task: 'addition', seed: 'many' });
    await shows('bad-input', 'Failed', 10_000);
    await page.getByText('InvalidInput').first().waitFor({ timeout: 10_000 });
    expect(await page.locator('main').innerText()).toContain('seed: Invalid input: expected number, received string');
    expect(Date.now() - began).toBeLessThan(20_000);
    await shoot('failed-start', 462);
    await page.goto(`${ui}?query=${encodeURIComponent('ExecutionStatus="Running"')}`);
    await page.getByText('No Workflows', { exact: false }).first().waitFor({ timeout: 10_000 });
  });

  test('shows the table so far where Temporal keeps the current details', async () => {
    await page.goto(`${ui}/from-the-ui`);
    await page.getByText('User Metadata').first().click();
    // Temporal's UI shows Markdown in a frame of its own.
    await page.frameLocator('iframe').getByText('hinted').first().waitFor({ timeout: 20_000 });
    await shoot('details');
  });
});
