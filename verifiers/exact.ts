/**
 * Exact: the answer is, character by character, one of the accepted forms.
 *
 *   exact({ problem: { gold: ['1016'], … }, text, answer: '01016' })   // incorrect: leading zeros are another answer
 *
 * Pure. Why it is the default where answers have one form: a lenient filter feeds sloppy rationales back into training.
 */
import { correct, incorrect } from './verifier.ts';
import type { Verifier } from './verifier.ts';

export const exact: Verifier = ({ problem, answer }) => {
  if (answer === null) return incorrect('no answer found');
  return problem.gold.includes(answer) ? correct() : incorrect(`answered ${JSON.stringify(answer)}`);
};
