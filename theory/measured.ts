/**
 * A neural loop held against the recursion: what its own samples say of its steps, and what the recursion makes of those.
 *
 *   const models = runs.map((run) => run.map((moves) => measure(8, moves)));     // per run, per iteration
 *   heldAgainst(models, { states: 8 })[2]?.off        // measured J less what is foretold from the deltas one iteration before
 *
 * Deltas are of samples as they were drawn, so a temperature other than 1 is in them already; what the recursion makes of them is
 * sharpened once more, as the refitted model is sampled at that temperature again. Pure.
 */
import { accuracyOf, deltaOf, nextDeltas, sharpened, soundOf } from './recursion.ts';
import { intervalOf, mean } from './foretold.ts';

/** One sampled chain. */
export interface Moves {
  /** Of each step: the move was right from where the chain stood. */
  right: readonly boolean[];
  /** The last state is the right one. */
  ended: boolean;
}

export interface Steps {
  samples: number;
  /** J: share of the samples that end right. */
  accuracy: number;
  /** Of the samples that end right, those with every step right; null where none does. */
  sound: number | null;
  /** Advantage over chance of each step. */
  deltas: number[];
}

/** Of one model's samples; undefined where there are none. */
export function measure(states: number, chains: readonly Moves[]): Steps | undefined {
  const [first] = chains;
  if (first === undefined) return undefined;
  const share = (count: number): number => count / chains.length;
  const ended = chains.filter((chain) => chain.ended);
  return {
    samples: chains.length,
    accuracy: share(ended.length),
    sound: ended.length === 0 ? null : ended.filter(({ right }) => right.every(Boolean)).length / ended.length,
    deltas: first.right.map((_, step) => deltaOf(states, share(chains.filter(({ right }) => right[step]).length))),
  };
}

export interface Held {
  /** Whose model was sampled. */
  iteration: number;
  /** Mean over runs, as all that follows. */
  samples: number;
  deltas: number[];
  accuracy: number;
  sound: number | null;
  /** What this iteration's own deltas come to, where moves know nothing of each other. */
  ofSteps: { accuracy: number; sound: number };
  /** What the recursion makes of the deltas one iteration before; null at 0. */
  foretold: { accuracy: number; sound: number } | null;
  /** Measured less foretold; null at 0. */
  off: number | null;
  /** Its 99% interval over runs (Student's t); null with one run. */
  interval: [low: number, high: number] | null;
}

/** @param runs of each run its models' steps, iteration by iteration; a row stands for those iterations that every run has. */
export function heldAgainst(
  runs: readonly (readonly Steps[])[],
  { states, falseAccepts = 0, temperature = 1 }: { states: number; falseAccepts?: number; temperature?: number },
): Held[] {
  const common = Math.min(...runs.map((run) => run.length));
  const come = (all: number[][]) => ({
    accuracy: mean(all.map((deltas) => accuracyOf({ states, deltas }))),
    sound: mean(all.map((deltas) => soundOf({ states, deltas }))),
  });
  const next = ({ deltas }: Steps): number[] =>
    nextDeltas({ states, deltas }, falseAccepts).map((delta) => sharpened(states, delta, temperature));
  return Array.from({ length: common }, (_, iteration) => {
    const here = runs.map((run) => run[iteration] as Steps);
    const told = iteration === 0 ? null : runs.map((run) => next(run[iteration - 1] as Steps));
    const differences = told?.map((deltas, at) => (here[at] as Steps).accuracy - accuracyOf({ states, deltas })) ?? [];
    const sounds = here.flatMap(({ sound }) => sound ?? []);
    return {
      iteration,
      samples: mean(here.map(({ samples }) => samples)),
      deltas: (here[0] as Steps).deltas.map((_, step) => mean(here.map(({ deltas }) => deltas[step] as number))),
      accuracy: mean(here.map(({ accuracy }) => accuracy)),
      sound: sounds.length === 0 ? null : mean(sounds),
      ofSteps: come(here.map(({ deltas }) => deltas)),
      foretold: told && come(told),
      off: told && mean(differences),
      interval: intervalOf(differences),
    };
  });
}
