/** What the scripted engine of a siege says: right scratchpads for a share of the prompts that depends on the model. Pure. */
import { createHash } from 'node:crypto';
import type { ScriptedOptions } from '../../engine/scripted.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';

const RIGHT_PERCENT = 45;

export const answer: NonNullable<ScriptedOptions['answer']> = (prompt, _row, model) => {
  const [, a = '0', b = '0'] = /^(\d+)\+(\d+)/.exec(prompt) ?? [];
  const gold = addition.goldCompletion(additionProblem(Number(a), Number(b), a.length));
  const luck = createHash('sha256').update(`${model.digest}/${prompt}`).digest().readUInt32LE(0) % 100;
  return luck < RIGHT_PERCENT ? gold : gold.replace(/\d+$/, (sum) => String(Number(sum) + 1));
};
