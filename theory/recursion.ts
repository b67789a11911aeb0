/**
 * RL-STaR's recursion (Chang et al., arXiv:2410.23912), for any number of states, any chain and any step: what an iteration of the
 * loop makes of a model, in the limit of endlessly many samples.
 *
 *   predict({ states: 64, deltas: [0.1, 0.1, 0.1], iterations: 4 }).map(({ accuracy }) => accuracy)   // .0166, .0198, .0599, .627, .997
 *
 * A chain goes s_0 → … → s_N over M states. At step n the model moves to the right state with probability α_n = (1+(M−1)δ_n)/M and to each
 * of the others with (1−δ_n)/M: δ_n is its advantage over chance, −1/(M−1) … 1. A chain is kept where its last state is right, and
 * with probability e where it is not (a verifier's false accepts; e = 1 is no filter). Refitted on what is kept,
 *
 *   α_n' = α_n · ((1−e)·(1+(M−1)·Q_n)/M + e) / (J + e·(1−J)),   J = (1+(M−1)·∏δ)/M,   Q_n = ∏_{k≠n} δ_k
 *
 * because wrong steps are alike: two of them meet at the right end as often as any other. With e = 0 this is the paper's. Sampling at
 * temperature T raises each probability to 1/T first, in the loop and in J. Everything is pure; errors are RangeErrors.
 */

export interface Chain {
  /** M ≥ 2. */
  states: number;
  /** One for each step of the chain. */
  deltas: readonly number[];
}

export interface Loop extends Chain {
  iterations: number;
  /** Probability (0..1) that a chain with a wrong end is kept. */
  falseAccepts?: number;
  /** Of sampling, above 0; 1 leaves the model's probabilities alone. */
  temperature?: number;
}

export interface Prediction {
  iteration: number;
  /** J: the last state is right. */
  accuracy: number;
  /** Share (0..1) of the kept chains whose steps are all right; before the first iteration, of what would be kept. */
  sound: number;
  deltas: number[];
}

const product = (values: readonly number[]): number => values.reduce((all, one) => all * one, 1);

export const rightOf = (states: number, delta: number): number => (1 + (states - 1) * delta) / states;
export const deltaOf = (states: number, right: number): number => (states * right - 1) / (states - 1);

/** δ after each probability was raised to 1/T and the whole brought back to 1. */
export function sharpened(states: number, delta: number, temperature: number): number {
  if (temperature === 1) return delta;
  const [right, wrong] = [rightOf(states, delta), (1 - delta) / states].map((p) => p ** (1 / temperature)) as [
    number,
    number,
  ];
  return deltaOf(states, right / (right + (states - 1) * wrong));
}

/** J: how often a chain ends right. */
export const accuracyOf = ({ states, deltas }: Chain): number => rightOf(states, product(deltas));

/** Share of the kept chains that are right at every step. */
export function soundOf({ states, deltas }: Chain, falseAccepts = 0): number {
  const accuracy = accuracyOf({ states, deltas });
  return product(deltas.map((delta) => rightOf(states, delta))) / (accuracy + falseAccepts * (1 - accuracy));
}

/** The model after one iteration of sampling, filtering and refitting. */
export function nextDeltas({ states, deltas }: Chain, falseAccepts = 0): number[] {
  const accuracy = accuracyOf({ states, deltas });
  const kept = accuracy + falseAccepts * (1 - accuracy);
  return deltas.map((delta, step) => {
    const others = product(deltas.filter((_, index) => index !== step));
    const endsRight = rightOf(states, others);
    return deltaOf(states, (rightOf(states, delta) * (endsRight + falseAccepts * (1 - endsRight))) / kept);
  });
}

function checked({ states, deltas, iterations, falseAccepts = 0, temperature = 1 }: Loop): void {
  if (!Number.isInteger(states) || states < 2) throw new RangeError(`states is ${states}; a chain needs 2 or more`);
  if (deltas.length === 0) throw new RangeError('deltas is empty; a chain has at least one step');
  for (const delta of deltas)
    if (!(delta >= -1 / (states - 1) && delta <= 1))
      throw new RangeError(
        `a delta is ${delta}; with ${states} states it lies in ${(-1 / (states - 1)).toFixed(4)} … 1`,
      );
  if (!Number.isInteger(iterations) || iterations < 0) throw new RangeError(`iterations is ${iterations}`);
  if (!(falseAccepts >= 0 && falseAccepts <= 1))
    throw new RangeError(`falseAccepts is ${falseAccepts}, a share from 0 to 1`);
  if (!(temperature > 0)) throw new RangeError(`temperature is ${temperature}; it is above 0`);
}

/** Iteration 0 is the model as it begins. With T ≠ 1 accuracy and soundness are those of chains sampled at T. */
export function predict(loop: Loop): Prediction[] {
  checked(loop);
  const { states, iterations, falseAccepts = 0, temperature = 1 } = loop;
  const predictions: Prediction[] = [];
  for (let [iteration, deltas] = [0, [...loop.deltas]]; iteration <= iterations; iteration++) {
    const asked = { states, deltas: deltas.map((delta) => sharpened(states, delta, temperature)) };
    predictions.push({ iteration, accuracy: accuracyOf(asked), sound: soundOf(asked, falseAccepts), deltas });
    deltas = nextDeltas(asked, falseAccepts);
  }
  return predictions;
}
