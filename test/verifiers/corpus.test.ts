/** Awkward completions as models really write them, each with the verdict that is right: corpus/<verifier>.json. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../schemas/problem.ts';
import { choice, parseChoice } from '../../verifiers/choice.ts';
import type { Choice } from '../../verifiers/choice.ts';
import { label, parseLabel } from '../../verifiers/label.ts';
import { latex, parseLatex } from '../../verifiers/latex.ts';
import { numeric, parseNumber } from '../../verifiers/numeric.ts';
import type { Verifier } from '../../verifiers/verifier.ts';

interface Case {
  gold: string[];
  text: string;
  correct: boolean;
  /** What else the verifier reads of the problem. */
  data?: Record<string, unknown>;
}
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`corpus/${name}.json`, import.meta.url), 'utf8')) as Case[];
const problemOf = ({ gold, data = {} }: Case): Problem => ({ id: 'p', identity: 'p', stratum: 's', data, gold });

const judges: Record<string, { judge: Verifier; parse: (text: string, problem: Problem) => string | null }> = {
  choice: { judge: choice, parse: (text, { data }) => parseChoice(text, data.choices as Choice[]) },
  label: {
    judge: (asked) => label(asked.problem.data.labels as string[])(asked),
    parse: (text, { data }) => parseLabel(text, data.labels as string[]),
  },
  latex: { judge: latex, parse: (text) => parseLatex(text) },
  numeric: { judge: numeric, parse: (text) => parseNumber(text) },
};

describe.each(Object.keys(judges))('%s', (name) => {
  const cases = read(name);
  const { judge, parse } = judges[name]!;
  it(`gives ${cases.length} completions their verdict (${cases.filter(({ correct }) => correct).length} correct)`, async () => {
    const wrong: string[] = [];
    for (const one of cases) {
      const problem = problemOf(one);
      const answer = parse(one.text, problem);
      const { verdict } = await judge({ problem, text: one.text, answer });
      if ((verdict === 'correct') !== one.correct)
        wrong.push(`gold ${one.gold[0]}: ${JSON.stringify(one.text)} was read as ${answer} and found ${verdict}`);
    }
    expect(wrong).toEqual([]);
  });
});

it('holds at least 200 completions, no two alike', () => {
  const all = Object.keys(judges).flatMap((name) => read(name).map((one) => `${name} ${JSON.stringify(one)}`));
  console.info(`parser corpus: ${all.length} completions`);
  expect(all.length).toBeGreaterThanOrEqual(200);
  expect(new Set(all).size).toBe(all.length);
});
