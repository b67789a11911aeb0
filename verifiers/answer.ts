/**
 * Where a completion states its answer: the text behind the last "the answer is", `####` or inside the last `\boxed{}`.
 *
 *   readAnswer('5 + 6 = 11. The answer is 11.\n\nQ: What is …', readNumber)   // '11'
 *
 * A model that has answered often goes on with a question of its own: the text is cut where that begins. Of several
 * statements the last one counts; a reader that can make nothing of it (`undefined`: "the answer is clear") lets the one
 * before speak, and one that finds it ambiguous (`null`: "(a) or (b)") ends the search without an answer. "The answer must
 * be …" is no statement: rationales in the paper's form begin with it. Without any statement a text of one line that is
 * nothing but the answer counts. Pure.
 *
 * Limits: English; a conclusion without any of these marks ("so there are 12 apples") is no answer.
 */

/** Reads a stated answer: its form, null = ambiguous, undefined = it says nothing. */
export type Reader = (stated: string) => string | null | undefined;

/** Where the model goes on with a new example or a turn of somebody else's. */
const GOES_ON =
  /\n[ \t#*]*(?:(?:Q|Question|Problem|Exercise|Example|Input|Instruction|Human|User|Text|Clause|Statement|Claim)(?:[ \t]*#?\d+)?[ \t*]*:)|<\|(?:im_end|im_start|endoftext|end_of_text|eot_id)\|>|<\/s>/i;
const BOXED = /\\(?:boxed|fbox)\s*(?=[{\d-])/g;
const HASHES = /(?:^|\n)[ \t]*####[ \t]*([^\n]+)/g;
const SENTENCE =
  /\b(?:answer|(?:correct|right|best) (?:choice|option|one|label|statement)|label|classification)(?: (?:choice|option|here|to (?:this|the) (?:question|problem)|for (?:this|the) (?:question|problem)))?[ \t]*(?:is|are|was|would be|should be|:|=)(?:[ \t]*:)?(?!\w)\s*/gi;
const SUBJECT =
  /([^\n.!?;]*(?:\.\d[^\n.!?;]*)*?)[ \t]+is[ \t]+(?:the[ \t]+)?(?:correct|right|final|best)?[ \t]*answer\b(?![ \t]*(?:is|:))/gi;
const LONGEST_ALONE = 120;

/** The completion up to where a new question begins. `stops` are the task's own marks. */
export function cutOff(text: string, stops: readonly string[] = []): string {
  const ends = [GOES_ON.exec(text)?.index ?? -1, ...stops.map((stop) => text.indexOf(stop))].filter((at) => at >= 0);
  return text.slice(0, Math.min(text.length, ...ends));
}

/** What stands in the braces that open at `at`, braces inside them included; to the end where they are never closed. */
export function braced(text: string, at: number): string {
  let depth = 0;
  for (let index = at; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === '{') depth++;
    else if (text[index] === '}' && --depth === 0) return text.slice(at + 1, index);
  }
  return text.slice(at + 1);
}

/** Everything that is stated as the answer, in the order of the text. */
export function statements(text: string): string[] {
  const found: { at: number; stated: string }[] = [];
  for (const { index, 0: mark } of text.matchAll(BOXED)) {
    const at = index + mark.length;
    found.push({ at, stated: text[at] === '{' ? braced(text, at) : (/^-?\w/.exec(text.slice(at))?.[0] ?? '') });
  }
  // The mark alone is matched, so that a second statement on the same line is found too.
  for (const { index, 0: mark } of text.matchAll(SENTENCE))
    found.push({ at: index + mark.length, stated: /^.*/.exec(text.slice(index + mark.length))![0] });
  for (const pattern of [HASHES, SUBJECT])
    for (const { index, 0: whole, 1: stated = '' } of text.matchAll(pattern))
      found.push({ at: index + whole.lastIndexOf(stated), stated });
  return found.sort((x, y) => x.at - y.at).map(({ stated }) => stated.trim());
}

/** The form in which `read` gives the answer that the completion states; null = none. */
export function readAnswer(text: string, read: Reader, stops: readonly string[] = []): string | null {
  const own = cutOff(text, stops).replaceAll('**', '');
  const stated = statements(own);
  for (const one of stated.reverse()) {
    const answer = read(one);
    if (answer !== undefined) return answer;
  }
  const alone = own.trim();
  if (stated.length > 0 || alone === '' || alone.includes('\n') || alone.length > LONGEST_ALONE) return null;
  // A sentence of a rationale is no answer by itself.
  const sentence = /[a-z]{2,}\s+\S+\s+\S/i.test(alone) && !/^\W*[a-z][).:]/i.test(alone);
  return sentence || /[=+×*]/.test(alone) ? null : (read(alone) ?? null);
}
