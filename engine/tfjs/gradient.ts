/**
 * One training pass of the decoder: the loss, and what each weight has to learn, the backward pass written by hand.
 *
 *   const learner = new FullLearner(kernels, layout, weights);     // or AdapterLearner
 *   const loss = learn(kernels, config, learner, inputs);
 *   const gradient = learner.gradient();
 *
 * Why by hand: a tape keeps every intermediate alive and adds passes over memory; here each is freed when its last reader is
 * done. What is saved besides:
 * - gains of RMSNorm are multiplied into the matrix that follows (norm.ts);
 * - the projections to q, k and v write [heads + 2·kvHeads, tokens, width] directly, as attention reads it;
 * - the last feed-forward, the output layer and the loss run on the rows that predict a completion token only;
 * - Σ over a row of P∘dP equals Σ over the head of O∘dO (FlashAttention, Dao et al. 2022, §3.1): no pass over [T, T].
 *
 * Grouped queries (kvHeads < heads): keys and values are copied to each query head of their group, as little as they are.
 *
 * With a large vocabulary the logits of all predicted tokens would take gigabytes: they are made piece by piece, each piece
 * when the one before has gone back (pass-inputs.ts).
 *
 * N = batch · time tokens, M = predicted tokens, H heads of width w.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { activate } from './activation.ts';
import type { Kernels } from './kernels.ts';
import type { Learner } from './learner.ts';
import { applied, blockNorm, rootMeanSquare } from './norm.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';
import type { PassInputs } from './pass-inputs.ts';

/** A part of the pass; `back` takes the gradient at `value` and gives that at what it was made of. */
interface Step<V> {
  value: V;
  back(dValue: V): V;
}

/** What is minimised, of −log p of each predicted token [M]: the loss [scalar], and its derivative by each of them [M, 1]. */
export type Objective<V> = (costs: V) => { loss: V; weights: V };

/**
 * Runs the pass; the gradients are those of the loss [scalar]: summed over the M predicted tokens (over the rows' labels, where
 * `learner` has a reward head), or what `objective` says.
 * `learner` gives the weights and takes what they have to learn. `pieces`: how many there are in inputs.pieces.
 */
export function learn<V>(
  k: Kernels<V>,
  config: DecoderConfig,
  learner: Learner<V>,
  inputs: PassInputs<V>,
  pieces = 1,
  objective?: Objective<V>,
): V {
  const { dModel: d, heads: H, layers, vocabSize } = config;
  const w = headWidthOf(config);
  const keyHeads = kvHeadsOf(config);
  const { ids, positions } = inputs;
  const headsShape = { vector: inputs.headsShape };
  const pairsShape = { vector: inputs.pairsShape };
  const mask = k.head(inputs.mask, inputs.maskShape, 3);
  const [rotateQuery, rotateKey, unrotateQuery, unrotateKey] = k
    .split(inputs.rotations, 4)
    .map((table) => k.head(table, inputs.rotationShape, 3)) as [V, V, V, V];
  const norm = blockNorm(k, config, learner);
  const headNorm = rootMeanSquare(k, w, config.normEpsilon);

  const rotate = (x: V, table: V): V => {
    const pairs = k.reshape(x, pairsShape);
    const rotated = k.complexMul(pairs, table);
    const result = k.reshape(rotated, headsShape);
    k.free(pairs, rotated, x);
    return result;
  };
  /** Queries or keys as they meet; frees its argument. */
  const compared = (name: string, x: V, table: V, backTable: V): Step<V> => {
    if (!config.qkNorm) return { value: rotate(x, table), back: (dValue) => rotate(dValue, backTable) };
    const normed = applied(k, learner, name, headNorm(k.reshape(x, [-1, w])));
    return {
      value: rotate(normed.value, table),
      back: (dValue) => normed.back(k.reshape(rotate(dValue, backTable), [-1, w]), null),
    };
  };
  /** Each [heads·B, T, w], heads outermost: side by side as [N, …·w]. Splitting the first axis copies nothing. */
  const joinHeads = (...values: [V, number][]): V => {
    const heads = values.flatMap(([value, count]) => k.split(k.reshape(value, [-1, w]), count));
    const joined = k.concat(heads, 1);
    if (heads.length > 1) k.free(...heads);
    return joined;
  };
  /** [kvHeads·B, T, w] to [H·B, T, w]: each head of keys once for every query head of its group; frees its argument. */
  const group = Array.from({ length: H }, (_, head) => Math.floor((head * keyHeads) / H));
  const spread = (x: V): V => {
    if (keyHeads === H) return x;
    const result = k.reshape(k.gather(k.reshape(x, [keyHeads, -1]), k.ints(group)), headsShape);
    k.free(x);
    return result;
  };
  /** The way back: summed over each group. */
  const gathered = (x: V): V => {
    if (keyHeads === H) return x;
    const result = k.reshape(k.sum(k.reshape(x, [keyHeads, H / keyHeads, -1]), 1), headsShape);
    k.free(x);
    return result;
  };
  const plusBias = (name: string, product: V, shape?: number[]): V => {
    const bias = learner.bias(name);
    if (bias === undefined) return product;
    const sum = k.add(product, shape === undefined ? bias : k.reshape(bias, shape));
    k.free(product);
    return sum;
  };
  const affine = (name: string, x: V): Step<V> => {
    const matrix = learner.matrix(name);
    return {
      value: plusBias(name, k.matmul(x, matrix, false, true)),
      back(dValue) {
        learner.learn(name, dValue, x);
        learner.learnBias(name, dValue);
        return k.matmul(dValue, matrix);
      },
    };
  };

  /** Of normed rows [N, d]. */
  const attention = (at: (name: string) => string, normed: V): Step<V> => {
    const weight = learner.matrix(at('qkv'));
    const all = H + 2 * keyHeads;
    const rows = k.reshape(normed, [1, -1, d]);
    const product = k.batchMatmul(rows, k.reshape(weight, [all, w, d]), false, true);
    const projected = plusBias(at('qkv'), product, [all, 1, w]);
    const [qIn, kIn, vIn] = k.splitBy(projected, [H, keyHeads, keyHeads]) as [V, V, V];
    const query = compared(at('qNorm'), qIn, rotateQuery, unrotateQuery);
    const ownKey = compared(at('kNorm'), kIn, rotateKey, unrotateKey);
    const [q, key, v] = [query.value, spread(ownKey.value), spread(k.reshape(vIn, headsShape))];
    const scores = k.batchMatmul(q, key, false, true);
    const masked = k.add(scores, mask);
    const p = k.softmax(masked);
    const o = k.batchMatmul(p, v);
    const oRows = joinHeads([o, H]);
    const oWeight = learner.matrix(at('o'));
    const value = plusBias(at('o'), k.matmul(oRows, oWeight, false, true));
    k.free(projected, vIn, scores, masked);
    return {
      value,
      back(dValue) {
        learner.learn(at('o'), dValue, oRows);
        learner.learnBias(at('o'), dValue);
        const oByHead = k.transpose(k.reshape(oWeight, [d, H, w]), [1, 0, 2]);
        const dO = k.reshape(k.batchMatmul(k.reshape(dValue, [1, -1, d]), oByHead), headsShape);
        const overlap = k.mul(dO, o);
        const along = k.sum(overlap, 2, true);
        const dP = k.batchMatmul(dO, v, false, true);
        const centred = k.sub(dP, along);
        const dS = k.mul(p, centred);
        const dV = k.batchMatmul(p, dO, true);
        k.free(overlap, along, dP, centred, p, dO, v, o, oRows, oByHead);
        const dQ = query.back(k.batchMatmul(dS, key));
        const dK = ownKey.back(gathered(k.batchMatmul(dS, q, true)));
        const dVGathered = gathered(dV);
        k.free(dS, q, key);
        const dQkv = joinHeads([dQ, H], [dK, keyHeads], [dVGathered, keyHeads]);
        k.free(dQ, dK, dVGathered);
        learner.learn(at('qkv'), dQkv, normed);
        learner.learnBias(at('qkv'), dQkv);
        const result = k.matmul(dQkv, weight);
        k.free(dQkv);
        return result;
      },
    };
  };

  const feedForward = (at: (name: string) => string, normed: V): Step<V> => {
    const up = affine(at('up'), normed);
    const gate = config.activation === 'swiglu' ? affine(at('gate'), normed) : undefined;
    const hidden = activate(k, config.activation, up.value, gate?.value);
    const down = affine(at('down'), hidden.value);
    return {
      value: down.value,
      back(dValue) {
        const dHidden = down.back(dValue);
        const { up: dUp, gate: dGate } = hidden.back(dHidden);
        const viaUp = up.back(dUp);
        const result = dGate === undefined ? viaUp : k.add(viaUp, gate!.back(dGate));
        k.free(dHidden, hidden.value, dUp);
        return result;
      },
    };
  };

  // Forward.
  const saved: ((dx: V) => V)[] = [];
  let x = k.gather(learner.block('embed'), ids);
  if (config.positions === 'learned') x = k.add(x, k.gather(learner.block('places'), inputs.places));
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `${layer}.${name}`;
    const last = layer === layers - 1;
    // Only rows that predict something go on from the last attention.
    const narrow = (rows: V): V => (last ? k.gather(rows, positions) : rows);
    const widen = (rows: V): V => (last ? k.segmentSum(rows, positions, inputs.tokens) : rows);

    const entered = norm(at('norm1'), x);
    const attended = attention(at, entered.value);
    const middle = narrow(k.add(x, attended.value));
    k.free(attended.value, x);
    const between = config.parallel ? null : norm(at('norm2'), middle);
    const written = feedForward(at, between === null ? narrow(entered.value) : between.value);
    x = k.add(middle, written.value);
    k.free(middle, written.value);

    saved.push((dx) => {
      const dNormed = written.back(dx);
      const dMiddle = widen(between === null ? dx : between.back(dNormed, dx));
      const dAttended = attended.back(dMiddle);
      const dEntered = between === null ? k.add(dAttended, widen(dNormed)) : dAttended;
      return entered.back(dEntered, dMiddle);
    });
  }

  const final = norm('norm', x);
  const cut = pieces > 1;
  const normed = cut ? k.splitSizes(final.value, inputs.pieces, pieces, 0) : [final.value];
  const targets = cut ? k.splitInts(inputs.targets, inputs.pieces, pieces) : [inputs.targets];
  const losses: V[] = [];
  const dNormed: V[] = [];
  /** −log p of a piece's tokens, and its derivative by their logits. */
  const costsOf = (n: number, before: V | undefined): [costs: V, dLogits: V] => {
    const logits = learner.logits(before === undefined ? normed[n]! : k.after(normed[n]!, before));
    const made = k.crossEntropy(logits, targets[n]!, learner.classes);
    k.free(logits);
    return made;
  };
  // An objective reads all tokens before one of them can go back: several pieces are made twice.
  let first: [costs: V, dLogits: V] | undefined;
  let weights: V[] | undefined;
  if (objective !== undefined) {
    const costs: V[] = [];
    for (const n of normed.keys()) {
      first = costsOf(n, costs[n - 1]);
      costs.push(first[0]);
      if (cut) k.free(first[1]);
    }
    const aim = objective(k.concat(costs));
    losses.push(aim.loss);
    weights = cut ? k.splitSizes(aim.weights, inputs.pieces, pieces, 0) : [aim.weights];
  }
  for (const [n, rows] of normed.entries()) {
    const [costs, own] = first !== undefined && !cut ? first : costsOf(n, dNormed[n - 1]);
    if (objective === undefined) losses.push(k.sum(costs, 0));
    const dLogits = weights === undefined ? own : k.mul(own, weights[n]!);
    dNormed.push(learner.logitsBack(dLogits, rows));
    k.free(costs, own);
    if (dLogits !== own) k.free(dLogits);
  }
  k.free(x);

  // Backward.
  let dx = final.back(k.concat(dNormed), null);
  for (const back of saved.reverse()) dx = back(dx);
  learner.learnBlock('embed', k.segmentSum(dx, ids, k.ints([vocabSize], [])));
  if (config.positions === 'learned')
    learner.learnBlock('places', k.segmentSum(dx, inputs.places, k.ints([config.context], [])));
  k.free(dx);
  return losses.reduce((a, b) => k.add(a, b));
}
