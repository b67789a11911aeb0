/**
 * What must never pass for a proof, and what Lean's trouble looks like. Real Lean 3 where there is one; fakes for what cannot be had.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeLean, judgeLean } from '../../verifiers/lean.ts';
import { openLean } from '../../verifiers/lean-process.ts';
import { leanFile, readMessages, refusal } from '../../verifiers/lean-text.ts';
import type { Statement } from '../../verifiers/lean-text.ts';
import { useLean } from '../support/lean.ts';

const missing = useLean();
const AND: Statement = { binders: '( p q : Prop ) ( h1 : p ∧ q )', type: 'q ∧ p' };
const PROOF = 'cases h1 with h2 h3 ,\nsplit ,\nexact h3 ,\nexact h2';
/** None of them has a proof. */
const FALSE: Statement[] = [
  { binders: '', type: '1 = 2' },
  { binders: '', type: 'false' },
  { binders: '( p : Prop )', type: 'p' },
  { binders: '( p q : Prop ) ( h1 : p ∨ q )', type: 'p ∧ q' },
  { binders: '( p q : Prop ) ( h1 : p → q )', type: 'q → p' },
  { binders: '( f : nat → nat )', type: '∀ n : nat , f n = n' },
];
const TRICKS = [
  ...[
    'sorry',
    'admit',
    'exact sorry',
    'exact by sorry',
    'exact (sorry)',
    'have h : false := sorry , exact h.elim',
    'refine sorry',
  ],
  ...[
    'exact sorry_ax _ ff',
    'exact undefined',
    'exact unchecked_cast trivial',
    'exact (unchecked_cast rfl)',
    'apply undefined',
  ],
  ...[
    'axiom x : false',
    'end axiom x : false theorem y : 1 = 1 := begin refl',
    'end constant x : false example : true := begin trivial',
  ],
  ...[
    'end notation `1` := 2 theorem z : 1 = 1 := begin refl',
    'local notation `q` := true',
    'end #eval 1 example : true := begin trivial',
  ],
  ...[
    '#eval 1',
    'run_cmd tactic.skip',
    'meta def f := 1',
    'do tactic.admit',
    'exact by do tactic.admit',
    '(do tactic.admit)',
    'tactic.admit',
  ],
  ...[
    'tactic.interactive.admit',
    'interactive.admit',
    'tactic.unsafe_run_io (io.cmd { cmd := "id" })',
    '`[admit]',
    '`[sorry]',
    'exact %%x',
  ],
  ...[
    'tactic.exact `(trivial)',
    'tactic.add_decl undefined',
    'tactic.set_env undefined',
    'environment.add',
    '«sorry»',
    'exact «sorry»',
  ],
  ...[
    'tactic.get_env >>= tactic.set_env',
    'exact (λ (x : false), x) sorry',
    '/- -/ sorry',
    'skip -- sorry',
    'local attribute [simp] not_not',
  ],
  ...[
    'attribute [instance] x',
    'open tactic',
    'open classical',
    'import system.io',
    'export tactic (admit)',
    'end end',
    '} sorry {',
    'end',
  ],
  ...[
    'trivial',
    'refl',
    'simp',
    'cc',
    'contradiction',
    'assumption',
    'skip',
    'repeat { skip }',
    'exact dec_trivial',
    'exact trivial',
    'intros',
  ],
  ...[
    'exact the_theorem',
    'apply the_theorem',
    'exact the_statement',
    'exact @the_theorem',
    'exact rfl',
    'exact id',
    'exact absurd rfl rfl',
  ],
  ...[
    'change true , trivial',
    'show true , trivial',
    'have h : true := trivial , exact h',
    'suffices h : true , trivial',
    'clear h1',
    'exact h1',
  ],
  ...[
    'let p := true , trivial',
    'exact eq.rec trivial rfl',
    'exact false.elim _',
    'exact _',
    'refine _',
    'exfalso',
    'exfalso , assumption',
  ],
  ...[
    'exact (classical.choice _)',
    'apply propext',
    'exact propext.elim',
    'by_contradiction h , exact h',
    'exact native.decide',
    'native_decide',
  ],
  ...[
    'set_option trace.x true',
    'universe u',
    'variables (x : false)',
    'include x',
    'parameter x : false',
    'theorem t : false := trivial',
  ],
  ...[
    'exact lean.admit',
    'eval_expr',
    'exact (by tactic.admit)',
    'exact io.cmd',
    'vm.run',
    'unsafe',
    'opaque',
    'instance : false',
    "exact 'a'",
  ],
];

describe('what may stand in a proof', () => {
  it('lets proofs through, with words of the statement', () => {
    expect(refusal(PROOF, AND)).toBeNull();
    expect(refusal('rw [hyp, ← nat.add_zero n]', { binders: '(hyp : 1 = 1)', type: 'true' })).toBeNull();
  });

  it('refuses words that run programs, declare, or change what words mean, before Lean is asked', () => {
    for (const proof of TRICKS.slice(0, 50)) expect([proof, refusal(proof, AND)], proof).not.toEqual([proof, null]);
  });

  it('takes nothing but a plain word of Lean that it rests on nothing', () => {
    const file = leanFile(AND, PROOF, 3, 7);
    const say = (text: string, severity = 'information') =>
      readMessages([{ severity, line: file.axiomsLine, text }], file).verdict;
    expect(say('no axioms')).toBe('correct');
    expect(say('propext\nclassical.choice')).toBe('correct');
    for (const text of ['[sorry]\nno axioms', 'x', 'propext\nmine', '']) expect(say(text)).toBe('incorrect');
    expect(say('no axioms', 'warning')).toBe('incorrect');
    expect(readMessages([], file).verdict).toBe('incorrect');
  });
});

describe.skipIf(missing)('Lean 3 itself', { timeout: 300_000 }, () => {
  afterAll(closeLean);

  it('accepts a proof, and says what is wrong with another', async () => {
    expect(await judgeLean({ statement: AND, proof: PROOF })).toEqual({ verdict: 'correct' });
    expect(await judgeLean({ statement: AND, proof: 'split ,\nexact h1' })).toMatchObject({ verdict: 'incorrect' });
    expect(await judgeLean({ statement: AND, proof: null })).toMatchObject({ verdict: 'incorrect' });
  });

  it(`accepts none of ${TRICKS.length * FALSE.length} tricks on statements without a proof, and is right about the next proof each time`, async () => {
    expect(TRICKS.length * FALSE.length).toBeGreaterThanOrEqual(300);
    const accepted: string[] = [];
    for (const proof of TRICKS)
      for (const statement of FALSE) {
        const { verdict } = await judgeLean({ statement, proof, timeoutMs: 60_000 });
        if (verdict === 'correct') accepted.push(`${statement.type}: ${proof}`);
      }
    expect(accepted).toEqual([]);
    expect(await judgeLean({ statement: AND, proof: PROOF })).toEqual({ verdict: 'correct' });
  });

  it('counts a loop out, and the proof behind it is judged by a fresh process', async () => {
    const statement = FALSE[0]!;
    expect(await judgeLean({ statement, proof: 'repeat { have h := 1 }', timeoutMs: 60_000 })).toMatchObject({
      verdict: 'incorrect',
      why: expect.stringContaining('takes too much') as string,
    });
    expect(await judgeLean({ statement: AND, proof: PROOF })).toEqual({ verdict: 'correct' });
  });
});

describe('trouble of Lean is never a verdict', { timeout: 60_000 }, () => {
  let folder: string;
  const before = { lean: process.env.STARTRAIL_LEAN, lean4: process.env.STARTRAIL_LEAN4 };
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'lean-'));
  });
  afterEach(async () => {
    await closeLean();
    if (before.lean === undefined) delete process.env.STARTRAIL_LEAN;
    else process.env.STARTRAIL_LEAN = before.lean;
    delete process.env.STARTRAIL_LEAN4;
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** A program that says a version, and otherwise does what it is told. */
  const fake = async (version: string, body: string) => {
    const file = path.join(folder, `lean-${version}-${body.length}`);
    await writeFile(
      file,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo "Lean (version ${version}, x)"; exit; fi\n${body}\n`,
    );
    await chmod(file, 0o755);
    return file;
  };
  const judged = (options: Partial<Parameters<typeof judgeLean>[0]> = {}) =>
    judgeLean({ statement: AND, proof: PROOF, timeoutMs: 1_500, ...options });

  it.each([
    ['missing', async () => path.join(folder, 'nowhere'), 'LeanMissing'],
    ['of another version', () => fake('3.4.2', ''), 'LeanVersion'],
    ['crashing', () => fake('3.51.1', 'kill -SEGV $$'), 'LeanCrashed'],
    ['hanging', () => fake('3.51.1', 'exec sleep 30'), 'LeanHangs'],
  ])('%s: thrown, with its cause and a way out', async (_, program, code) => {
    process.env.STARTRAIL_LEAN = await program();
    await expect(judged()).rejects.toMatchObject({ code });
  });

  it('a process that is given up ends unheard: the next one is listened to', async () => {
    // Silent once it is asked, and ending late: while the second process answers.
    const marker = path.join(folder, 'asked');
    const answer = `printf '%s\\n' '{"response":"error","seq_num":2,"message":"spoken"}'`;
    process.env.STARTRAIL_LEAN = await fake(
      '3.51.1',
      `if [ -e ${marker} ]; then read line; sleep 1; ${answer}; exec sleep 30; fi; touch ${marker}; exec sleep 30`,
    );
    const lean = await openLean(3);
    await expect(lean.check('', { timeoutMs: 300 })).rejects.toMatchObject({ code: 'LeanHangs' });
    await expect(lean.check('', { timeoutMs: 10_000 })).rejects.toThrow('spoken');
    lean.close();
  });

  it('Lean 4 by its messages (a stand-in: none was to be had)', async () => {
    const { axiomsLine, endLine } = leanFile(AND, PROOF, 4, 1);
    const say = (axioms: string) => `text=$(cat); number=\${text##*check }
printf '%s\\n' '{"severity":"information","pos":{"line":${axiomsLine},"column":0},"data":"${axioms}"}'
printf '{"severity":"information","pos":{"line":${endLine},"column":0},"data":"%s : Nat"}\\n' "$number"`;
    process.env.STARTRAIL_LEAN4 = await fake('4.12.0', say('\\u0027the_theorem\\u0027 does not depend on any axioms'));
    expect(await judged({ lean: 4 })).toEqual({ verdict: 'correct' });
    await closeLean();
    process.env.STARTRAIL_LEAN4 = await fake('4.12.0', say('\\u0027the_theorem\\u0027 depends on axioms: [sorryAx]'));
    expect(await judged({ lean: 4 })).toMatchObject({ verdict: 'incorrect' });
  });
});
