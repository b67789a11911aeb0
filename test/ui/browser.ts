/** A real browser for tests of Temporal's UI: the machine's own Chromium, headless, with an empty profile. */
import { execFileSync } from 'node:child_process';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Path of a Chromium on this machine: STARTRAIL_BROWSER, else the first on PATH; undefined where there is none. */
export function findBrowser(): string | undefined {
  const named = process.env.STARTRAIL_BROWSER;
  if (named) return named;
  for (const name of NAMES) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      continue; // not on PATH
    }
  }
  return undefined;
}

export const NO_BROWSER =
  'no Chromium on PATH; install one (Debian: apt-get install chromium) or set STARTRAIL_BROWSER';

export const openBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    headless: true,
    // No sandbox: as root, in a container, Chromium refuses to start with one. It sees this machine's UI only.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
