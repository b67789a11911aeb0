/**
 * One training pass of the decoder: the loss, and what each weight has to learn, the backward pass written by hand.
 *
 *   const learner = new FullLearner(kernels, layout, weights);     // or AdapterLearner
 *   const loss = learn(kernels, config, learner, inputs);
 *   const gradient = learner.gradient();
 *
 * Why by hand: a tape keeps every intermediate alive and adds passes over memory; here each is freed when its last reader is
 * done. What is saved besides:
 * - gains of RMSNorm are multiplied into the matrix that follows (small) instead of into the tokens (large);
 * - the projections to q, k and v write [heads + 2·kvHeads, tokens, width] directly, as attention reads it;
 * - the last feed-forward, the output layer and the loss run on the rows that predict a completion token only;
 * - Σ over a row of P∘dP equals Σ over the head of O∘dO (FlashAttention, Dao et al. 2022, §3.1): no pass over [T, T].
 *
 * Grouped queries (kvHeads < heads): keys and values are copied to each query head of their group, as little as they are.
 *
 * N = batch · time tokens, M = predicted tokens, H heads of width w, d = H·w.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';
import { kvHeadsOf } from './parameters.ts';
import type { Learner } from './learner.ts';
import { exp, log, sinCos } from './portable-math.ts';

/**
 * What a pass reads besides the weights. Padding may hold any id: causality keeps it from every row that counts. Sizes are
 * given as values, so that one recorded graph serves every batch.
 */
export interface PassInputs<V> {
  /** [N] int32 token ids, row-major over [batch, time]. */
  ids: V;
  /** [M] int32: flat positions (into N) whose next token is a completion token. */
  positions: V;
  /** [M] int32: those next tokens. */
  targets: V;
  /** int32 scalar N; int32 vectors [-1, T, w], [-1, T·w/2, 2], [1, T·w/2, 2] and [1, T, T]. */
  tokens: V;
  headsShape: V;
  pairsShape: V;
  rotationShape: V;
  maskShape: V;
  /** [4, context·w/2, 2]: the rotations of queries (times 1/√w) and keys, then the same two turned back. */
  rotations: V;
  /** [1, context, context]: 0 where a key may be read, else very negative. */
  mask: V;
}

/** The tables of `PassInputs`: functions of the config alone. */
export function makeTables({ dModel, heads, context, ropeTheta }: DecoderConfig) {
  const half = dModel / heads / 2;
  const frequencies = Array.from({ length: half }, (_, j) => exp((-j / half) * log(ropeTheta)));
  const rotations = new Float32Array(4 * context * half * 2);
  let at = 0;
  for (const direction of [1, -1]) {
    for (const scale of [1 / Math.sqrt(2 * half), 1]) {
      for (let t = 0; t < context; t++) {
        for (let j = 0; j < half; j++) {
          const [sin, cos] = sinCos(t * frequencies[j]!);
          rotations[at++] = cos * scale;
          rotations[at++] = direction * sin * scale;
        }
      }
    }
  }
  const mask = new Float32Array(context * context);
  for (let t = 0; t < context; t++) mask.fill(-1e9, t * context + t + 1, (t + 1) * context);
  return {
    rotations: { values: rotations, shape: [4, context * half, 2] },
    mask: { values: mask, shape: [1, context, context] },
  };
}

/** The sizes of `PassInputs` for one batch. */
export function passShapes({ dModel, heads }: DecoderConfig, { batch, time }: { batch: number; time: number }) {
  const width = dModel / heads;
  const pairs = (time * width) / 2;
  return {
    tokens: batch * time,
    headsShape: [-1, time, width],
    pairsShape: [-1, pairs, 2],
    rotationShape: [1, pairs, 2],
    maskShape: [1, time, time],
  };
}

interface Normed<V> {
  /** x divided by the root mean square of its row. */
  value: V;
  /** [rows, 1]: 1 / that root. */
  inverse: V;
}

/**
 * Runs the pass; the gradients are those of the loss, summed over the M predicted tokens [scalar].
 * `learner` gives the matrices and takes what they have to learn.
 */
export function learn<V>(k: Kernels<V>, config: DecoderConfig, learner: Learner<V>, inputs: PassInputs<V>): V {
  const { dModel: d, heads: H, layers, normEpsilon, activation, vocabSize } = config;
  const w = d / H;
  const keyHeads = kvHeadsOf(config);
  const { ids, positions, targets } = inputs;
  const headsShape = { vector: inputs.headsShape };
  const pairsShape = { vector: inputs.pairsShape };
  const mask = k.head(inputs.mask, inputs.maskShape, 3);
  const [rotateQuery, rotateKey, unrotateQuery, unrotateKey] = k
    .split(inputs.rotations, 4)
    .map((table) => k.head(table, inputs.rotationShape, 3)) as [V, V, V, V];
  const inverseWidth = k.scalar(1 / d);
  const negatedInverseWidth = k.scalar(-1 / d);
  const epsilon = k.scalar(normEpsilon);

  const normalize = (x: V): Normed<V> => {
    const norm = k.euclideanNorm(x, 1);
    const square = k.square(norm);
    const mean = k.mul(square, inverseWidth);
    const shifted = k.add(mean, epsilon);
    const inverse = k.rsqrt(shifted);
    const value = k.mul(x, inverse);
    k.free(norm, square, mean, shifted);
    return { value, inverse };
  };
  /** residual + gradient at x, given the gradient at value; frees everything but `inverse` of its arguments. */
  const normalizeBack = ({ value, inverse }: Normed<V>, gradient: V, residual: V | null): V => {
    const product = k.mul(gradient, value);
    const along = k.sum(product, 1, true);
    const scaled = k.mul(along, negatedInverseWidth);
    const factor = k.mul(scaled, inverse);
    const direct = k.mul(gradient, inverse);
    const removed = k.mul(value, factor);
    const result = residual === null ? k.add(direct, removed) : k.addN(residual, direct, removed);
    k.free(product, along, scaled, factor, direct, removed, gradient, value, inverse);
    if (residual !== null) k.free(residual);
    return result;
  };
  const rotate = (x: V, table: V): V => {
    const pairs = k.reshape(x, pairsShape);
    const rotated = k.complexMul(pairs, table);
    const result = k.reshape(rotated, headsShape);
    k.free(pairs, rotated, x);
    return result;
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

  // Forward.
  const saved: (() => void)[] = [];
  let x = k.gather(learner.embedding(), ids);
  let dx!: V;
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `${layer}.${name}`;
    const last = layer === layers - 1;

    const norm1 = normalize(x);
    const qkvWeight = learner.matrix(at('qkv'), at('norm1'));
    const rows1 = k.reshape(norm1.value, [1, -1, d]);
    const projected = k.batchMatmul(rows1, k.reshape(qkvWeight, [H + 2 * keyHeads, w, d]), false, true);
    const [qIn, kIn, vIn] = k.splitBy(projected, [H, keyHeads, keyHeads]) as [V, V, V];
    const q = rotate(qIn, rotateQuery);
    const [key, v] = [spread(rotate(kIn, rotateKey)), spread(k.reshape(vIn, headsShape))];
    const scores = k.batchMatmul(q, key, false, true);
    const masked = k.add(scores, mask);
    const p = k.softmax(masked);
    const o = k.batchMatmul(p, v);
    const oRows = joinHeads([o, H]);
    const oWeight = learner.matrix(at('o'));
    const attended = k.matmul(oRows, oWeight, false, true);
    const middle = k.add(x, attended);
    k.free(projected, vIn, scores, masked, attended, x);

    // Only rows that predict something go on from here.
    const rows = last ? k.gather(middle, positions) : middle;
    if (last) k.free(middle);
    const norm2 = normalize(rows);
    const up = learner.matrix(at('up'), at('norm2'));
    const a = k.matmul(norm2.value, up, false, true);
    const swiglu = activation === 'swiglu';
    const gate = swiglu ? learner.matrix(at('gate'), at('norm2')) : null;
    const g = gate === null ? null : k.matmul(norm2.value, gate, false, true);
    const sigmoid = g === null ? null : k.sigmoid(g);
    const silu = g === null ? null : k.mul(g, sigmoid!);
    const h = silu === null ? k.relu(a) : k.mul(silu, a);
    if (!swiglu) k.free(a);
    const down = learner.matrix(at('down'));
    const written = k.matmul(h, down, false, true);
    x = k.add(rows, written);
    k.free(rows, written);

    saved.push(() => {
      learner.learn(at('down'), dx, h);
      const dh = k.matmul(dx, down);
      let dn2: V;
      if (g === null) {
        const da = k.reluGrad(dh, h);
        learner.learn(at('up'), da, norm2.value, at('norm2'));
        dn2 = k.matmul(da, up);
        k.free(da);
      } else {
        const da = k.mul(dh, silu!);
        const dSilu = k.mul(dh, a);
        // silu′ = σ + silu·(1 − σ)
        const rest = k.sub(k.scalar(1), sigmoid!);
        const curved = k.mul(silu!, rest);
        const slope = k.add(sigmoid!, curved);
        const dg = k.mul(dSilu, slope);
        learner.learn(at('up'), da, norm2.value, at('norm2'));
        learner.learn(at('gate'), dg, norm2.value, at('norm2'));
        const viaUp = k.matmul(da, up);
        const viaGate = k.matmul(dg, gate!);
        dn2 = k.add(viaUp, viaGate);
        k.free(da, dSilu, rest, curved, slope, dg, viaUp, viaGate, a, g, sigmoid!, silu!, gate!);
      }
      k.free(dh, h, up);
      let dMiddle = normalizeBack(norm2, dn2, dx);
      if (last) {
        const compact = dMiddle;
        dMiddle = k.segmentSum(compact, positions, inputs.tokens);
        k.free(compact);
      }

      learner.learn(at('o'), dMiddle, oRows);
      const oByHead = k.transpose(k.reshape(oWeight, [d, H, w]), [1, 0, 2]);
      const dO = k.reshape(k.batchMatmul(k.reshape(dMiddle, [1, -1, d]), oByHead), headsShape);
      const overlap = k.mul(dO, o);
      const along = k.sum(overlap, 2, true);
      const dP = k.batchMatmul(dO, v, false, true);
      const centred = k.sub(dP, along);
      const dS = k.mul(p, centred);
      const dV = k.batchMatmul(p, dO, true);
      k.free(overlap, along, dP, centred, p, dO, v, o, oRows, oByHead);
      const dQ = rotate(k.batchMatmul(dS, key), unrotateQuery);
      const dK = rotate(gathered(k.batchMatmul(dS, q, true)), unrotateKey);
      const dVGathered = gathered(dV);
      k.free(dS, q, key);
      const dQkv = joinHeads([dQ, H], [dK, keyHeads], [dVGathered, keyHeads]);
      k.free(dQ, dK, dVGathered);
      learner.learn(at('qkv'), dQkv, norm1.value, at('norm1'));
      // Below the first layer there is only the embedding.
      if (layer > 0 || learner.learnsEmbedding) {
        const dn1 = k.matmul(dQkv, qkvWeight);
        dx = normalizeBack(norm1, dn1, dMiddle);
      }
      k.free(dQkv, qkvWeight);
    });
  }

  const final = normalize(x);
  const logits = learner.logits(final.value);
  const [losses, dLogits] = k.crossEntropy(logits, targets, vocabSize);
  const loss = k.sum(losses, 0);
  k.free(x, logits, losses);

  // Backward.
  const dFinal = learner.logitsBack(dLogits, final.value);
  k.free(dLogits);
  dx = normalizeBack(final, dFinal, null);
  for (const back of saved.reverse()) back();
  if (learner.learnsEmbedding) {
    learner.learnEmbedding(k.segmentSum(dx, ids, k.ints([vocabSize], [])));
    k.free(dx);
  }
  return loss;
}
