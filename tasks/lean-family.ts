/**
 * Theorems that need no mathlib, each with a proof and what is to be thought at each step of it.
 *
 *   ( p q : Prop ) ( h1 : p ∧ q ) : q ∧ p
 *     goal q ∧ p from h1 ; cases h1 with h2 h3
 *     goal q ∧ p is and ; split
 *     goal q by h3 ; exact h3
 *     goal p by h2 ; exact h2
 *
 * Strata: `easy` and `logic` (propositions that a small search proves, in at most three and in more steps), `rewrite` (chains of
 * equations), `nat` and `list` (a function given by its equations, by induction). The thoughts are written behind the proof, as in
 * Lean-STaR (arXiv:2407.10040): the goal that stands, and why this tactic. Own writing. Pure: same index, same theorem.
 */
import { permutation } from './permutation.ts';

export interface Step {
  thought: string;
  tactic: string;
}
export interface Theorem {
  binders: string;
  type: string;
  steps: Step[];
  /** The statement up to the names of its variables. */
  shape: string;
}

type Formula = string | { sign: '∧' | '∨' | '→'; left: Formula; right: Formula };
interface Known {
  name: string;
  formula: Formula;
}

const text = (formula: Formula, inner = false): string => {
  if (typeof formula === 'string') return formula;
  const { sign, left, right } = formula;
  const written = `${text(left, true)} ${sign} ${text(right, true)}`;
  return inner ? `( ${written} )` : written;
};
const SIGN_NAMES = { '∧': 'and', '∨': 'or', '→': 'implies' } as const;
const MOST_STEPS = 7;
const MOST_NAMES = 9;

/** The first proof that a search of so many steps finds; null: none. Each step works on the first goal, as Lean's do. */
function prove(known: Known[], goal: Formula, named: number, left: number): { steps: Step[]; named: number } | null {
  if (left <= 0 || named > MOST_NAMES) return null;
  const now = `goal ${text(goal)}`;
  const same = known.find(({ formula }) => text(formula) === text(goal));
  if (same) return { steps: [{ thought: `${now} by ${same.name}`, tactic: `exact ${same.name}` }], named };
  const then = (step: Step, goals: [Known[], Formula][], names: number) => {
    const steps = [step];
    let used = names;
    for (const [facts, next] of goals) {
      const found = prove(facts, next, used, left - steps.length);
      if (!found) return null;
      steps.push(...found.steps);
      used = found.named;
    }
    return steps.length <= left ? { steps, named: used } : null;
  };
  const [one, two] = [`h${named + 1}`, `h${named + 2}`];
  for (const { name, formula } of known) {
    if (typeof formula === 'string' || formula.sign === '→') continue;
    const rest = known.filter((other) => other.name !== name);
    const step = { thought: `${now} from ${name}`, tactic: `cases ${name} with ${one} ${two}` };
    const [x, y] = [
      { name: one, formula: formula.left },
      { name: two, formula: formula.right },
    ];
    if (formula.sign === '∧') return then(step, [[[...rest, x, y], goal]], named + 2);
    const branches: [Known[], Formula][] = [
      [[...rest, x], goal],
      [[...rest, y], goal],
    ];
    return then(step, branches, named + 2);
  }
  if (typeof goal !== 'string') {
    const thought = `${now} is ${SIGN_NAMES[goal.sign]}`;
    if (goal.sign === '→')
      return then(
        { thought, tactic: `intro ${one}` },
        [[[...known, { name: one, formula: goal.left }], goal.right]],
        named + 1,
      );
    if (goal.sign === '∧') {
      const goals: [Known[], Formula][] = [
        [known, goal.left],
        [known, goal.right],
      ];
      return then({ thought, tactic: 'split' }, goals, named);
    }
    for (const side of ['left', 'right'] as const) {
      const found = then({ thought, tactic: side }, [[known, goal[side]]], named);
      if (found) return found;
    }
  }
  for (const { name, formula } of known) {
    if (typeof formula === 'string' || text(formula.right) !== text(goal)) continue;
    const found = then({ thought: `${now} by ${name}`, tactic: `apply ${name}` }, [[known, formula.left]], named);
    if (found) return found;
  }
  return null;
}

/** Numbers below what they are asked for, all from one. */
function chooser(seed: string): (below: number) => number {
  let turn = 0;
  return (below) => permutation(below, `${seed}\n${turn++}`)(0);
}

const PROPS = ['p', 'q', 'r', 's'];

function formulaOf(choose: (below: number) => number, depth: number): Formula {
  if (depth === 0 || choose(3) === 0) return PROPS[choose(3)]!;
  const sign = (['∧', '∨', '→'] as const)[choose(3)]!;
  return { sign, left: formulaOf(choose, depth - 1), right: formulaOf(choose, depth - 1) };
}

/** The same with other letters, in the order in which they come. */
const canonical = (statement: string, letters: readonly string[]): string => {
  const seen: string[] = [];
  return statement.replace(/\b[a-z]\b/g, (letter) => {
    if (!letters.includes(letter)) return letter;
    if (!seen.includes(letter)) seen.push(letter);
    return `x${seen.indexOf(letter)}`;
  });
};

function logic(index: number, easy: boolean): Theorem {
  const choose = chooser(`startrail lean logic ${easy}\n${index}`);
  for (;;) {
    const known = Array.from({ length: 1 + choose(easy ? 2 : 3) }, (_, at) => ({
      name: `h${at + 1}`,
      formula: formulaOf(choose, easy ? 1 : 2),
    }));
    const goal = formulaOf(choose, easy ? 1 : 2);
    const found = prove(known, goal, known.length, easy ? 3 : MOST_STEPS);
    if (!found || found.steps.length < (easy ? 2 : 4)) continue;
    const facts = known.map(({ name, formula }) => `( ${name} : ${text(formula)} )`).join(' ');
    const type = text(goal);
    if (`${facts} ${type}`.split(' ').length > 40) continue;
    return {
      binders: `( p q r : Prop ) ${facts}`,
      type,
      steps: found.steps,
      shape: canonical(`${facts} : ${type}`, PROPS),
    };
  }
}

const VALUES = ['a', 'b', 'c', 'd'];

/** f ( g a ) */
const applied = (functions: readonly string[], to: string): string =>
  functions.reduceRight((inner, one) => `${one} ${inner.includes(' ') ? `( ${inner} )` : inner}`, to);

function rewrite(index: number): Theorem {
  const choose = chooser(`startrail lean rewrite\n${index}`);
  const length = 2 + choose(3);
  const order = permutation(VALUES.length, `${index} values`);
  const values = Array.from({ length: length + 1 }, (_, at) => VALUES[order(at % VALUES.length)]!).slice(
    0,
    Math.min(length + 1, 4),
  );
  const around = Array.from({ length: choose(3) }, () => ['f', 'g'][choose(2)]!);
  const links = values.slice(1).map((value, at) => ({ from: values[at]!, to: value, back: choose(2) === 1 }));
  const names = permutation(links.length, `${index} names`);
  const facts = links.map(({ from, to, back }, at) => ({
    name: `h${names(at) + 1}`,
    equation: back ? `${to} = ${from}` : `${from} = ${to}`,
    back,
    from,
  }));
  const last = applied(around, values.at(-1)!);
  const steps = facts.map(({ name, back, from }) => ({
    thought: `goal ${applied(around, from)} = ${last} by ${name}`,
    tactic: `rw ${back ? '← ' : ''}${name}`,
  }));
  const shown = [...facts]
    .sort((x, y) => (x.name < y.name ? -1 : 1))
    .map(({ name, equation }) => `( ${name} : ${equation} )`)
    .join(' ');
  const type = `${applied(around, values[0]!)} = ${last}`;
  const binders = `( f g : nat → nat ) ( a b c d : nat ) ${shown}`;
  return { binders, type, steps, shape: canonical(`${shown} : ${type}`, [...VALUES, 'f', 'g']) };
}

/** A function that is a value at the beginning and goes through others at each step, which leave that value as it is. */
function induction(index: number, kind: 'nat' | 'list'): Theorem {
  const choose = chooser(`startrail lean ${kind}\n${index}`);
  const value = VALUES[choose(4)]!;
  const outer = Array.from({ length: 1 + choose(3) }, () => ['g', 'k', 'm'][choose(3)]!);
  const used = [...new Set(outer)];
  const about = [...used.map((one) => `${one} ${value} = ${value}`), `f ${kind === 'nat' ? '0' : '[ ]'} = ${value}`];
  const [variable, next] = kind === 'nat' ? ['n', '( nat.succ n )'] : ['l', '( x :: l )'];
  about.push(`∀ ${kind === 'nat' ? 'n' : 'x l'} , f ${next} = ${applied([...outer, 'f'], variable)}`);
  const order = permutation(about.length, `${index} ${kind} names`);
  const nameOf = (at: number) => `h${order(at) + 1}`;
  const shown = about
    .map((equation, at) => ({ name: nameOf(at), equation }))
    .sort((x, y) => (x.name < y.name ? -1 : 1))
    .map(({ name, equation }) => `( ${name} : ${equation} )`)
    .join(' ');
  const goal = (left: string) => `goal ${left} = ${value}`;
  const cased = kind === 'nat' ? 'induction n with n ih' : 'induction l with x l ih';
  const steps = [
    { thought: `goal ∀ ${variable} is for all`, tactic: `intro ${variable}` },
    { thought: `${goal(`f ${variable}`)} is for all`, tactic: cased },
    {
      thought: `${goal(`f ${kind === 'nat' ? '0' : '[ ]'}`)} by ${nameOf(used.length)}`,
      tactic: `exact ${nameOf(used.length)}`,
    },
    { thought: `${goal(`f ${next}`)} by ${nameOf(used.length + 1)}`, tactic: `rw ${nameOf(used.length + 1)}` },
    { thought: `${goal(applied([...outer, 'f'], variable))} by ih`, tactic: 'rw ih' },
  ];
  let rest = [...outer];
  while (rest.length > 0) {
    const one = rest.at(-1)!;
    steps.push({
      thought: `${goal(applied(rest, value))} by ${nameOf(used.indexOf(one))}`,
      tactic: `rw ${nameOf(used.indexOf(one))}`,
    });
    rest = rest.slice(0, -1);
  }
  const types = kind === 'nat' ? '( f g k m : nat → nat )' : '( f : list nat → nat ) ( g k m : nat → nat )';
  const type = `∀ ${variable} , f ${variable} = ${value}`;
  return {
    binders: `${types} ( a b c d : nat ) ${shown}`,
    type,
    steps,
    shape: canonical(`${shown} : ${type}`, [...VALUES, 'g', 'k', 'm']),
  };
}

export const FAMILIES: Record<string, { size: number; at: (index: number) => Theorem }> = {
  easy: { size: 60_000, at: (index) => logic(index, true) },
  logic: { size: 200_000, at: (index) => logic(index, false) },
  rewrite: { size: 20_000, at: rewrite },
  nat: { size: 4_000, at: (index) => induction(index, 'nat') },
  list: { size: 4_000, at: (index) => induction(index, 'list') },
};

export const WORDS =
  '( ) : , ; = ← → ∧ ∨ ∀ :: [ ] 0 nat.succ Prop nat list a b c d f g k m p q r s n l x ih h1 h2 h3 h4 h5 h6 h7 h8 h9 h10 h11 goal by is from and or implies for all hint intro exact cases with split left right apply rw induction'.split(
    ' ',
  );
