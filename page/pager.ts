/** Links to the pages beside the one that is shown. */
import { markup } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';

/** @param href of page n, from 1 */
export function pager(page: number, pages: number, href: (n: number) => string): Markup | false {
  if (pages === 1) return false;
  return markup`<nav class="pages" aria-label="Pages">
    ${page > 1 && markup`<a rel="first" href="${href(1)}">first</a> <a rel="prev" href="${href(page - 1)}">previous</a>`}
    <span>page ${page} of ${pages}</span>
    ${page < pages && markup`<a rel="next" href="${href(page + 1)}">next</a> <a rel="last" href="${href(pages)}">last</a>`}
  </nav>`;
}
