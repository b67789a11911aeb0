/**
 * A proof as text: what it may hold, the file that Lean is given, and what Lean's messages say about it. Pure.
 *
 *   refusal('split,\nexact h1', statement)      // null
 *   refusal('sorry', statement)                 // 'it may not say "sorry"'
 *
 * The statement is ours; a candidate gives what stands between `begin` and `end`. Elaboration runs programs, so a list says which
 * words and signs may stand there at all: tactics and names of the core library, words of the statement, and short names of its own.
 * No command, no attribute, no quotation, no comment, no string, no `end`. What is right is then Lean's own to say: no error, no
 * `sorry`, no axiom but the three usual ones, and the theorem proves the statement when it is asked for once more behind it.
 *
 * Limits: no mathlib; `match … end` and calculations with `calc` are refused with what they would let in.
 */
import { correct, incorrect } from './verifier.ts';
import type { Judgement } from './verifier.ts';

/** `binders` as in front of a theorem's colon, perhaps empty. */
export interface Statement {
  binders: string;
  type: string;
}
export interface LeanMessage {
  severity: string;
  /** From 1. */
  line: number;
  text: string;
}
export interface LeanFile {
  text: string;
  /** Lines of our own, from 1. */
  axiomsLine: number;
  sameLine: number;
  endLine: number;
}
export type LeanMajor = 3 | 4;

const MOST_CHARS = 4_000;
const SIGNS = /^[\sA-Za-z0-9_'.,;:(){}[\]⟨⟩λ∀∃→↔∧∨¬=≠≤≥<>+*\-←$∘▸⁻¹|@αβγσ₀₁₂₃₄₅₆₇₈₉×∣]*$/u;
/** Two signs that mean something else together. */
const PAIRS = [/@\s*\[/, /--/, /(?:^|[^\w'])'/];
const WORD = /\.?[A-Za-z_αβγσ][\w'αβγσ₀-₉]*(?:\.[\w'αβγσ₀-₉]+)*/gu;

const words = (text: string): Set<string> => new Set(text.split(/\s+/).filter(Boolean));
const TACTICS = words(`
  intro intros assume exact refine apply eapply fapply split left right constructor cases induction refl reflexivity symmetry
  transitivity rw rewrite erw simp dsimp unfold assumption contradiction exfalso trivial by_cases by_contradiction have suffices show
  from existsi revert generalize clear subst injection congr change cc repeat try all_goals any_goals iterate skip ac_refl specialize
  decide rfl with at using only if then else let in by fun rename exacts subst_vars nofun omega
`);
const TERMS = words(`
  absurd id eq ne not and or iff true false Prop Type nat list bool tt ff dec_trivial congr_arg congr_fun propext funext option prod
  sum Nat List Bool And Or Iff Not Eq rfl
`);
const NAMESPACES = words(
  'nat list and or iff eq ne not false true bool option prod sum exists Exists function Nat List And Or Iff Eq Not Bool',
);
/** Never, as a word or as part of one, wherever it stands: what runs programs, leaves things open, or changes what words mean. */
const DENIED = words(`
  sorry admit sorryAx sorry_ax undefined unchecked_cast end begin do io IO vm tactic interactive expr name env task lean Lean meta
  unsafe unsafe_run_io run_cmd run_tac eval elab macro syntax notation infix infixl infixr prefix postfix reserve local attribute open
  export namespace section import prelude universe axiom axioms constant constants variable variables theorem lemma def example
  instance inductive structure class mutual private protected noncomputable include omit parameter native native_decide
  decide_eq_true of_as_true ofReduceBool reduceBool trustCompiler implemented_by extern print check
`);
const OWN = /^[a-z_][a-z0-9_']{0,3}$/;
const AXIOMS = ['propext', 'quot.sound', 'classical.choice', 'Quot.sound', 'Classical.choice'];

/** Why Lean is not asked at all; null: it may be. */
export function refusal(proof: string, { binders, type }: Statement): string | null {
  if (proof.trim() === '') return 'there is no proof';
  if (proof.length > MOST_CHARS) return `it is longer than ${MOST_CHARS} characters`;
  if (!SIGNS.test(proof)) return `it may not hold ${JSON.stringify([...proof].find((sign) => !SIGNS.test(sign)))}`;
  if (PAIRS.some((pair) => pair.test(proof))) return 'it may hold no comment, attribute or character';
  const given = new Set(`${binders} ${type}`.match(WORD) ?? []);
  for (const word of proof.match(WORD) ?? []) {
    const [first = '', ...rest] = word.split('.');
    const denied = [first, ...rest].find((part) => DENIED.has(part));
    if (denied !== undefined) return `it may not say "${denied}"`;
    const known = given.has(first) || OWN.test(first);
    if (rest.length > 0 ? !(first === '' || known || NAMESPACES.has(first)) : !(known || isListed(word)))
      return `it may not say "${word}": no such tactic or name is on the list`;
  }
  return null;
}
const isListed = (word: string): boolean => TACTICS.has(word) || TERMS.has(word);

const NAME = 'the_theorem';
const SAME = 'the_statement';

/** The file that Lean is given; `sentinel`: a number it must say at the end, so that an answer to another file is known for one. */
export function leanFile({ binders, type }: Statement, proof: string, major: LeanMajor, sentinel: number): LeanFile {
  const closed = binders.trim() === '' ? type : `∀ ${binders}, ${type}`;
  const body = proof.trim().split(/\r?\n/);
  const lines =
    major === 3
      ? [`theorem ${NAME} ${binders} : ${type} :=`, 'begin', ...body, 'end']
      : [`theorem ${NAME} ${binders} : ${type} := by`, ...body.map((line) => `  ${line.trim()}`)];
  const axiomsLine = lines.push(`#print axioms ${NAME}`);
  const sameLine = lines.push(`theorem ${SAME} : ${closed} := @${NAME}`);
  const endLine = lines.push(`#check ${sentinel}`);
  return { text: `${lines.join('\n')}\n`, axiomsLine, sameLine, endLine };
}

/** Lean has read to the end and said so: without that its messages are of a process in trouble. */
export const isWhole = (messages: LeanMessage[], { endLine }: LeanFile, sentinel: number): boolean =>
  messages.some(
    ({ severity, line, text }) => line === endLine && isTold(severity) && text.startsWith(`${sentinel} : `),
  );
const isTold = (severity: string): boolean => severity === 'information' || severity === 'info';

/** What a healthy process's messages come to. */
export function readMessages(messages: LeanMessage[], file: LeanFile): Judgement {
  const error = messages.find(({ severity }) => severity === 'error');
  if (error) return incorrect(`line ${Math.max(1, error.line - firstLine(file))}: ${short(error.text)}`);
  const warning = messages.find(({ severity, text }) => severity === 'warning' || /\bsorry/i.test(text));
  if (warning) return incorrect(`Lean warns: ${short(warning.text)}`);
  const told = messages.find(({ line, severity }) => line === file.axiomsLine && isTold(severity))?.text;
  if (told === undefined) return incorrect('Lean does not say which axioms it rests on');
  if (/^(?:no axioms|'\w+' does not depend on any axioms)\s*$/.test(told)) return correct();
  const used = told.replace(/^'\w+' depends on axioms:/, '').match(/[\w.]+/g) ?? [];
  const other = used.find((name) => !AXIOMS.includes(name));
  return other === undefined && used.length > 0 ? correct() : incorrect(`it rests on ${other ?? short(told)}`);
}

/** Lines in front of the proof. */
const firstLine = ({ text }: LeanFile): number => (text.split('\n')[1] === 'begin' ? 2 : 1);
const short = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
};
