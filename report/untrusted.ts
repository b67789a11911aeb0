/**
 * The ways out for text that somebody else wrote: a model, a task's data, a cause from the network.
 *
 *   markup`<td>${text}</td>`     // escapes by default; only what `markup` itself made goes in as it is
 *   fenced(text, 'text')       // a Markdown fence that the text cannot close
 *
 * Control characters come out as pictures (␛, ␀) and direction marks by their number, so that text can neither drive a
 * terminal nor show itself in another order than it is read.
 */

/** Control characters except line feed; DEL and C1; marks that turn text around, hide in it or end lines. */
const CONTROL =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

function picture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** Text that is safe to look at; line feeds stay. */
export const visible = (text: string): string => text.replace(/\r\n/g, '\n').replace(CONTROL, picture);

/** The same on one line, cut to `most` characters. */
export function oneLine(text: string, most = 200): string {
  const line = visible(text)
    .replace(/\s*\n\s*/g, ' ')
    .trim();
  const characters = [...line.slice(0, 2 * most + 2)];
  return characters.length > most ? `${characters.slice(0, Math.max(1, most - 1)).join('')}…` : line;
}

/** Markup that needs no more escaping. Only `markup` and `trusted` make it. */
export class Markup {
  constructor(readonly text: string) {}
}
type Part = string | number | Markup | null | undefined | false | readonly Part[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For element content and quoted attributes. */
export const escapeHtml = (text: string): string => visible(text).replace(/[&<>"']/g, (c) => ENTITIES[c] as string);

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return part.map(render).join('');
}

/** Markup from a template; every value is escaped unless it is markup itself. Lists are joined, null and false left out. */
export function markup(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  let text = strings[0] ?? '';
  parts.forEach((part, i) => (text += render(part) + (strings[i + 1] ?? '')));
  return new Markup(text);
}

/** Markup made by this program without any text of others in it: the style sheet, rendered charts. */
export const trusted = (text: string): Markup => new Markup(text);

/** The longest run of backticks. */
const ticks = (text: string): number => Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));

/** A Markdown code block; the fence is longer than any run of backticks inside. */
export function fenced(text: string, language: string): string {
  const body = visible(text);
  const fence = '`'.repeat(Math.max(3, ticks(body) + 1));
  return `${fence}${language}\n${body}\n${fence}`;
}

/**
 * Markdown code inside a line or a table cell: one line, bars escaped, never empty. A backslash before a bar is set off by a
 * space: it would escape the escape, the cell would end there, and what follows would be Markdown.
 */
export function coded(text: string, most = 200): string {
  const body = oneLine(text, most)
    .replace(/\\(?=\|)/g, '\\ ')
    .replace(/\|/g, '\\|');
  const fence = '`'.repeat(ticks(body) + 1);
  return body === '' ? '–' : `${fence}${fence.length > 1 || body.startsWith('`') ? ` ${body} ` : body}${fence}`;
}
