/** Scripts, style and icon: read once, served by name from a table. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pageStyle } from './style.ts';

export interface Asset {
  type: string;
  body: Buffer;
  etag: string;
}

const SCRIPTS = ['page.mjs', 'live.mjs', 'actions.mjs', 'keys.mjs', 'search.mjs'];
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d5fc2"/><path d="M16 5l3 8h8l-6.5 5 2.5 8-7-5-7 5 2.5-8-6.5-5h8z" fill="#fff"/></svg>`;

function asset(type: string, text: string): Asset {
  const body = Buffer.from(text);
  return { type, body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 24)}"` };
}

/** By the name behind /assets/. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const scripts = SCRIPTS.map((name): [string, Asset] => [
    name,
    asset('text/javascript; charset=utf-8', readFileSync(new URL(`client/${name}`, import.meta.url), 'utf8')),
  ]);
  return new Map([
    ...scripts,
    ['page.css', asset('text/css; charset=utf-8', pageStyle())],
    ['icon.svg', asset('image/svg+xml', ICON)],
  ]);
}
