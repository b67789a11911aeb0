import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import type { Recipe } from '../../schemas/recipe.ts';
import addition, { additionProblem, AdditionParameters } from '../../tasks/addition.ts';
import { tokenizerOf } from '../../tasks/task.ts';

const ALL = { digits: 8 };
const strata = addition.strata(ALL);
const anyProblem = fc
  .tuple(fc.integer({ min: 1, max: 8 }), fc.nat(), fc.nat())
  .map(([digits, x, y]) => strata[digits - 1]!.at((x * 2 ** 22 + y) % strata[digits - 1]!.size));
const judge = (problem: ReturnType<typeof additionProblem>, text: string) => addition.judge(problem, text);

describe('the scratchpad', () => {
  it('is the one of the paper, without spaces', () => {
    const problem = additionProblem(264, 752, 3);
    expect(addition.prompt.free(problem)).toBe('264+752\n');
    expect(addition.prompt.hinted(problem)).toBe('264+752=1016\n');
    expect(addition.goldCompletion(problem)).toBe('264+752,C:0\n6+5,6C:0\n2+7,16C:1\n,016C:1\n1016');
  });

  it('shows no leading zero in the answer where there is no last carry', () => {
    expect(addition.goldCompletion(additionProblem(25, 48, 2))).toBe('25+48,C:0\n2+4,3C:1\n,73C:0\n73');
    expect(addition.goldCompletion(additionProblem(0, 7, 1))).toBe('0+7,C:0\n,7C:0\n7');
    expect(addition.goldCompletion(additionProblem(9, 4, 1))).toBe('9+4,C:0\n,3C:1\n13');
  });

  it('is right for any problem: the answer is the sum, and one line each for header, pairs, last carry and answer', () => {
    fc.assert(
      fc.property(anyProblem, (problem) => {
        const { a, b } = problem.data as { a: number; b: number };
        const lines = addition.goldCompletion(problem).split('\n');
        expect(lines.at(-1)).toBe(String(a + b));
        expect(lines).toHaveLength(Number(problem.stratum) + 2);
        // The scratchpad's own digits and carry spell the sum, by another way than the last line.
        const [, digits, carry] = /^,(\d+)C:([01])$/.exec(lines.at(-2)!)!;
        expect(Number(`${carry}${digits}`)).toBe(a + b);
      }),
    );
  });
});

describe('strata', () => {
  it('reach every pair of n-digit numbers once', () => {
    expect(strata.map((stratum) => stratum.id)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    expect(strata.slice(0, 5).map((stratum) => stratum.size)).toEqual([100, 8100, 810_000, 81_000_000, 8_100_000_000]);
    const ids = new Set(Array.from({ length: 8100 }, (_, index) => strata[1]!.at(index).id));
    expect(ids.size).toBe(8100);
    for (const [index, stratum] of strata.entries()) {
      const last = '9'.repeat(index + 1);
      expect(stratum.at(stratum.size - 1).id).toBe(`${last}+${last}`);
      const first = index === 0 ? '0' : `1${'0'.repeat(index)}`;
      expect(stratum.at(0).id).toBe(`${first}+${first}`);
    }
  });

  it('have both orders of a pair under one identity', () => {
    expect(additionProblem(752, 264, 3).identity).toBe(additionProblem(264, 752, 3).identity);
    expect(additionProblem(752, 264, 3).id).not.toBe(additionProblem(264, 752, 3).id);
  });
});

describe('parameters', () => {
  it('default to five digits and refuse what is no digit count', () => {
    expect(AdditionParameters.parse({})).toEqual({ digits: 5 });
    for (const digits of [0, 9, 2.5, '5', null]) expect(AdditionParameters.safeParse({ digits }).success).toBe(false);
    expect(AdditionParameters.safeParse({ digit: 5 }).success).toBe(false);
  });

  it('are refused where the context is too short, with what was found and what is allowed', () => {
    expect(addition.check!({ digits: 5 }, { contextTokens: 79 })).toEqual([]);
    expect(addition.check!({ digits: 5 }, { contextTokens: 78 })).toEqual([
      {
        field: 'parameters.digits',
        message: expect.stringMatching(/found 5, .*79 tokens.*78 holds at most 4/) as string,
      },
    ]);
    expect(addition.check!({ digits: 1 }, { contextTokens: 8 })[0]!.message).toMatch(/not even one digit/);
  });
});

describe('parse and judge', () => {
  const problem = additionProblem(264, 752, 3);
  const gold = addition.goldCompletion(problem);

  it('read the last line behind a whole scratchpad line', () => {
    expect(addition.parse(gold)).toBe('1016');
    for (const text of [
      '',
      '1016',
      '264+752,C:0\n1016',
      `${gold}\n`,
      `${gold} `,
      gold.slice(0, gold.lastIndexOf('\n')),
      gold.slice(0, gold.lastIndexOf('\n') + 1),
      gold.replace('C:1\n1016', '\n1016'),
      `${gold}C:1`,
    ])
      expect(addition.parse(text)).toBeNull();
  });

  it('take leading zeros for another answer', () => {
    expect(judge(problem, gold.replace(/1016$/, '01016'))).toMatchObject({ verdict: 'incorrect' });
  });

  it('accept a right answer behind a wrong intermediate step, which is not sound', () => {
    const text = gold.replace('2+7,16C:1', '2+7,26C:1');
    expect(judge(problem, text)).toEqual({ verdict: 'correct' });
    expect(addition.checkSteps!(problem, text)).toEqual({ sound: false, firstWrongStep: 2 });
  });

  it('name the first wrong line, a missing and a surplus one too', () => {
    const wrongAt = (text: string) => addition.checkSteps!(problem, text).firstWrongStep;
    expect(wrongAt('')).toBe(0);
    expect(wrongAt(gold.replace('6+5,6', '6+5,7').replace(',016', ',116'))).toBe(1);
    expect(wrongAt(gold.replace(/1016$/, '1017'))).toBe(4);
    expect(wrongAt(gold.slice(0, gold.lastIndexOf('\n')))).toBe(4);
    expect(wrongAt(`${gold}\n`)).toBe(5);
  });

  it('find every single-character change unsound: replaced, removed or added', () => {
    const alphabet = [...'0123456789+,=C:\nx'];
    fc.assert(
      fc.property(
        anyProblem,
        fc.nat(),
        fc.constantFrom(...alphabet),
        fc.constantFrom('replace', 'remove', 'add'),
        (any, place, character, change) => {
          const text = addition.goldCompletion(any);
          const at = place % text.length;
          const added = change === 'remove' ? '' : character;
          const changed = text.slice(0, at) + added + text.slice(change === 'add' ? at : at + 1);
          fc.pre(changed !== text);
          const line = text.slice(0, at).split('\n').length - 1;
          const { sound, firstWrongStep } = addition.checkSteps!(any, changed);
          expect(sound).toBe(false);
          // Lines before the change are right; a shared run of characters can move the first difference one line on.
          expect(firstWrongStep).toBeGreaterThanOrEqual(line);
          expect(firstWrongStep).toBeLessThanOrEqual(line + 1);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('judge the answer line alone: any other answer is incorrect', () => {
    fc.assert(
      fc.property(anyProblem, fc.nat({ max: 10 ** 9 }), (any, other) => {
        fc.pre(String(other) !== any.gold[0]);
        const text = addition.goldCompletion(any).replace(/\d+$/, String(other));
        expect(judge(any, text)).toMatchObject({ verdict: 'incorrect' });
      }),
    );
  });
});

describe('tokens', () => {
  const tokenizer = openTokenizer(tokenizerOf(addition, ALL));

  it('cover every text of the task, up to eight digits, within the limit and the context', () => {
    fc.assert(
      fc.property(anyProblem, (problem) => {
        const digits = Number(problem.stratum);
        const completion = tokenizer.encode(addition.goldCompletion(problem)).length + 1;
        const context = addition.defaults(recipe('star'), { digits }).model!.context;
        expect(completion).toBeLessThanOrEqual(addition.maxNewTokens(problem));
        const prompt = tokenizer.encode(addition.prompt.hinted(problem)).length;
        expect(prompt + addition.maxNewTokens(problem)).toBeLessThanOrEqual(context);
      }),
    );
  });

  it('have a limit that is the longest right completion and four more, and does not tell the sum', () => {
    for (const [index, stratum] of strata.entries()) {
      const [short, long] = [stratum.at(0), stratum.at(stratum.size - 1)];
      expect(addition.maxNewTokens(short)).toBe(addition.maxNewTokens(long));
      expect(tokenizer.encode(addition.goldCompletion(long)).length + 1 + 4).toBe(addition.maxNewTokens(long));
      const needed = tokenizer.encode(addition.prompt.hinted(long)).length + addition.maxNewTokens(long);
      expect(addition.check!({ digits: index + 1 }, { contextTokens: needed })).toEqual([]);
      expect(addition.check!({ digits: index + 1 }, { contextTokens: needed - 1 })).toHaveLength(1);
    }
  });
});

describe('seeds', () => {
  it('are at most 600/500/200/100/50 and then 25 of each digit count, and all there are of one digit', () => {
    const count = new Map<string, number>();
    for (const { problem } of addition.seeds(ALL, '7'))
      count.set(problem.stratum, (count.get(problem.stratum) ?? 0) + 1);
    const oneDigit = Array.from({ length: 100 }, (_, index) => strata[0]!.at(index));
    const train = oneDigit.filter((problem) => addition.split(problem, ALL) === 'train').length;
    expect(Object.fromEntries(count)).toEqual({ 1: train, 2: 500, 3: 200, 4: 100, 5: 50, 6: 25, 7: 25, 8: 25 });
  });
});

function recipe(id: string, kinds: Recipe['stages'][string]['use'][] = []): Recipe {
  return {
    id,
    source: '',
    stages: Object.fromEntries(kinds.map((use) => [use.replace('-', ''), { use, in: {} }])),
    carry: { model: '$model' },
    stop: { plateau: 'score.dev.accuracy', patience: 3, atMost: 16 },
  };
}

describe('defaults', () => {
  it('give every recipe the same model and base', () => {
    const of = (id: string, kinds?: Recipe['stages'][string]['use'][]) =>
      addition.defaults(recipe(id, kinds), { digits: 5 });
    const { model, base } = of('star', ['rationalize']);
    for (const other of [
      of('star-without-hints'),
      of('seeds-only'),
      of('star-paper'),
      of('star-paper', ['rationalize']),
    ]) {
      expect(other.model).toEqual(model);
      expect(other.base).toEqual(base);
    }
    expect(of('star-without-hints')).toEqual(of('star', ['rationalize']));
    expect(of('seeds-only')).toEqual(of('star', ['rationalize']));
  });

  it("give star-paper the paper's schedule, with and without hints", () => {
    const tuned = (kinds: Recipe['stages'][string]['use'][]) =>
      addition.defaults(recipe('star-paper', kinds), { digits: 5 }).stages!['fine-tune'];
    const paper = { learningRate: 1e-6, warmupSteps: 100, decay: 'constant', batchSize: 8, clipNorm: 1 };
    expect(tuned(['rationalize'])).toMatchObject({ ...paper, steps: { first: 300, growth: 1, add: 20 } });
    expect(tuned([])).toMatchObject({ ...paper, steps: { first: 40, growth: 1.2, add: 0 } });
  });
});
