/**
 * How a call stands in a text: the model writes up to the end of the call, the tool's words are put behind it.
 *
 *   calculator   <<347*582=201954>>           the model wrote `<<347*582=`
 *   program      ```js\n…\n```\n42\n```\n     the model wrote from the first fence to the second
 *
 * The calculator's form is GSM8K's (Cobbe et al., arXiv:2110.14168); the program's is START's (arXiv:2503.04625) but for the
 * language. Pure.
 */
import type { ToolName } from '../schemas/tools.ts';

interface CallForm {
  open: string;
  close: string;
  /** Stands behind the tool's result, and ends it where a text that is there already is read. */
  end: string;
}

const FORMS: Record<ToolName, CallForm> = {
  calculator: { open: '<<', close: '=', end: '>>' },
  program: { open: '```js\n', close: '\n```\n', end: '\n```\n' },
};
/** Characters of a call; a longer one is none. */
const LONGEST_CALL = { calculator: 200, program: 4_000 } as const satisfies Record<ToolName, number>;

export interface Call {
  tool: ToolName;
  /** What stands between its marks. */
  asked: string;
}

/**
 * The call that a text ends with, if it has just been closed.
 * @param text from behind the last call on.
 */
export function callAtEnd(text: string, tools: readonly ToolName[]): Call | undefined {
  for (const tool of tools) {
    const { open, close } = FORMS[tool];
    if (!text.endsWith(close)) continue;
    const body = text.slice(0, text.length - close.length);
    const at = body.lastIndexOf(open);
    if (at < 0) continue;
    const asked = body.slice(at + open.length);
    // A call is closed by the first mark behind its beginning.
    if (asked.includes(close) || asked.length > LONGEST_CALL[tool]) continue;
    return { tool, asked };
  }
  return undefined;
}

/** What stands behind a tool's result. */
export const endOf = (tool: ToolName): string => FORMS[tool].end;

/** A call and its result as they stand in a text. */
export const callText = (tool: ToolName, asked: string, result: string): string =>
  FORMS[tool].open + asked + FORMS[tool].close + result + endOf(tool);

/** A text cut where its tools' words begin and end, in order; pieces without a tool are what a model would have written. */
export function piecesOf(text: string, tools: readonly ToolName[]): { text: string; tool?: ToolName }[] {
  const pieces: { text: string; tool?: ToolName }[] = [];
  let rest = text;
  for (;;) {
    const found = firstCall(rest, tools);
    if (found === undefined) break;
    pieces.push({ text: rest.slice(0, found.from) }, { text: rest.slice(found.from, found.to), tool: found.tool });
    rest = rest.slice(found.to);
  }
  if (rest !== '') pieces.push({ text: rest });
  return pieces;
}

function firstCall(text: string, tools: readonly ToolName[]): { tool: ToolName; from: number; to: number } | undefined {
  let first: { tool: ToolName; from: number; to: number } | undefined;
  for (const tool of tools) {
    const { open, close, end } = FORMS[tool];
    const closed = indexBehind(text, close, indexBehind(text, open, 0));
    const to = indexBehind(text, end, closed);
    if (to >= 0 && (first === undefined || closed < first.from)) first = { tool, from: closed, to };
  }
  return first;
}

/** Index behind the first `mark` from `from` on; −1 where there is none, or no `from`. */
function indexBehind(text: string, mark: string, from: number): number {
  const at = from < 0 ? -1 : text.indexOf(mark, from);
  return at < 0 ? -1 : at + mark.length;
}
