/**
 * A proof is right when Lean says so: the statement is ours, the candidate gives the tactics.
 *
 *   await judgeLean({ statement: { binders: '(p q : Prop) (h : p ∧ q)', type: 'q ∧ p' }, proof: 'cases h with a b,\nsplit,\n…' })
 *
 * What may stand in a proof, and what Lean has to say for it to be right: lean-text.ts. The process, its limits and walls:
 * lean-process.ts. One Lean is kept warm by the process that asks (verifiers/host.ts has that in a child), one proof at a time.
 *
 * Whose fault: what Lean calls an error, its counted limits included, is `incorrect`, from a process that was healthy when it was
 * asked: after trouble (memory that stays full would fail every proof behind it) the proof is asked once more of a fresh one. No Lean,
 * another version, a hang by the clock, a process that ends twice are thrown: unjudged.
 */
import { openLean, LeanUnavailable } from './lean-process.ts';
import type { Lean } from './lean-process.ts';
import { isWhole, leanFile, readMessages, refusal } from './lean-text.ts';
import type { LeanMajor, LeanMessage, Statement } from './lean-text.ts';
import { incorrect } from './verifier.ts';
import type { Judgement } from './verifier.ts';

export interface ProofSubmission {
  statement: Statement;
  /** null: the completion holds none. */
  proof: string | null;
  lean?: LeanMajor;
  /** Below the limit that the task gives a row, so that the cause can be told. */
  timeoutMs?: number;
}

const WITHIN_MS = 25_000;
/** Longer than that in a warm process: the proof is asked of a fresh one, whose limits are counted for it alone. */
const WARM_MS = 5_000;
/** Memory that was used up stays so in a warm process, and a limit that ends a proof ends the reading of the file. */
const TROUBLE = /excessive memory consumption|deep recursion|stack overflow|out of memory|\(deterministic\) timeout/i;

const open = new Map<LeanMajor, Promise<Lean>>();
let last: Promise<unknown> = Promise.resolve();
let sentinel = 1_000_000;

/** @throws LeanUnavailable where Lean cannot be asked: the row is unjudged then. */
export async function judgeLean({
  statement,
  proof,
  lean = 3,
  timeoutMs = WITHIN_MS,
}: ProofSubmission): Promise<Judgement> {
  if (proof === null) return incorrect('no proof found');
  const refused = refusal(proof, statement);
  if (refused !== null) return incorrect(refused);
  const mine = last.then(() => judge(statement, proof, lean, timeoutMs));
  last = mine.catch(() => undefined);
  return mine;
}

async function judge(statement: Statement, proof: string, major: LeanMajor, timeoutMs: number): Promise<Judgement> {
  const lean = await opened(major);
  let crash: LeanUnavailable | undefined;
  for (const alone of [false, true]) {
    const file = leanFile(statement, proof, major, ++sentinel);
    let messages: LeanMessage[];
    // To start takes long on a busy machine, and is no sign of the proof's.
    const within = alone || lean.pid() === undefined ? timeoutMs : Math.min(timeoutMs, WARM_MS);
    try {
      messages = await lean.check(file.text, { timeoutMs: within, alone });
    } catch (error) {
      if (!(error instanceof LeanUnavailable) || (alone && error.code === 'LeanHangs')) throw error;
      crash = error;
      continue;
    }
    const trouble = messages.find(({ text }) => TROUBLE.test(text));
    if (trouble === undefined && isWhole(messages, file, sentinel)) return readMessages(messages, file);
    lean.close();
    // A process that was begun for this proof runs out by this proof.
    if (alone && trouble) return incorrect(`it takes too much: ${trouble.text.split('\n')[0]!.slice(0, 120)}`);
    crash = new LeanUnavailable('LeanCrashed', 'Lean did not read the file to its end', 'it is tried again');
  }
  throw crash!;
}

function opened(major: LeanMajor): Promise<Lean> {
  const found = open.get(major) ?? openLean(major);
  open.set(major, found);
  // A Lean that is installed later is found then.
  found.catch(() => open.delete(major));
  return found;
}

/** Ends the processes that are kept; the next proof starts one. */
export async function closeLean(): Promise<void> {
  for (const one of open.values())
    await one.then(
      (lean) => lean.close(),
      () => undefined,
    );
  open.clear();
}
