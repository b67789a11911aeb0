/** An encrypted workflow in Temporal's own UI, in a real browser: opened through the codec server, and not without its token. */
import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCodecServer } from '../../connection/codec-server.ts';
import type { CodecServer } from '../../connection/codec-server.ts';
import { dataConverterOf } from '../../connection/codec.ts';
import { parseKeys } from '../../connection/keys.ts';
import { freePort } from '../support/free-port.ts';
import { temporalBinary } from '../support/temporal.ts';
import { findBrowser, NO_BROWSER, openBrowser } from './browser.ts';

const executable = findBrowser();
if (executable === undefined) process.stderr.write(`skipping the codec in Temporal's UI: ${NO_BROWSER}\n`);
const MARK = 'opened-by-the-codec-server';
const TOKEN = 'a-token-of-the-test';

describe.skipIf(executable === undefined)("the codec server and Temporal's UI", () => {
  const keys = parseKeys(`may ${randomBytes(32).toString('base64')}`, 'test');
  let browser: Browser;
  const ends: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    browser = await openBrowser(executable as string);
  });
  afterAll(async () => {
    await browser?.close();
    for (const end of ends) await end();
  });

  /** What the page of a workflow says whose input is encrypted, with this token in the UI's endpoint. */
  async function pageWith(token: string): Promise<{ text: () => Promise<string>; asked: string[] }> {
    const uiPort = await freePort();
    const codec: CodecServer = await startCodecServer({
      keys,
      token: TOKEN,
      origin: `http://127.0.0.1:${uiPort}`,
      port: 0,
    });
    ends.push(() => codec.close());
    const env = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: temporalBinary() },
        ui: true,
        uiPort,
        extraArgs: ['--ui-codec-endpoint', `${codec.url}/${token}`],
      },
    });
    ends.push(() => env.teardown());
    const client = new Client({ connection: env.connection, dataConverter: dataConverterOf(keys) });
    await client.workflow.start('starRun', {
      workflowId: 'sealed',
      taskQueue: 'nobody',
      args: [{ recipe: MARK, task: 'x' }],
    });
    const page = await browser.newPage({ viewport: { width: 1400, height: 1200 } });
    const asked: string[] = [];
    page.on('response', (response) => {
      if (new URL(response.url()).pathname.endsWith('/decode'))
        asked.push(`${response.request().method()} ${response.status()}`);
    });
    await page.goto(`http://127.0.0.1:${uiPort}/namespaces/default/workflows/sealed`);
    return { text: () => page.innerText('body'), asked };
  }

  test('its page shows the input', { timeout: 120_000 }, async () => {
    const { text, asked } = await pageWith(TOKEN);
    await expect.poll(text, { timeout: 60_000 }).toContain(MARK);
    expect(asked).toContain('POST 200');
  });

  test('with a wrong token it shows none', { timeout: 120_000 }, async () => {
    const { text, asked } = await pageWith('wrong');
    await expect.poll(() => asked.length, { timeout: 60_000 }).toBeGreaterThan(0);
    expect(asked).not.toContain('POST 200');
    expect(await text()).not.toContain(MARK);
  });
});
