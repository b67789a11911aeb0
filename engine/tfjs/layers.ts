/**
 * The layers of the decoder in training: from what they read to the rows of the last norm, the backward pass written by hand.
 *
 *   const { value, back } = throughLayers(k, config, learner, inputs, embedded);    // [M, d] of [N, d]
 *   const dEmbedded = back(dValue);                                                 // the learner has what each weight learns
 *
 * What follows them is somebody else's: the likelihood of the next token (gradient.ts), or a mixture of two rows (quiet-pass.ts).
 * Which token may look at which is `inputs.mask`, and where each stands `inputs.rotations`.
 *
 * Why by hand: a tape keeps every intermediate alive and adds passes over memory; here each is freed when its last reader is
 * done. What is saved besides:
 * - gains of RMSNorm are multiplied into the matrix that follows (norm.ts);
 * - the projections to q, k and v write [heads + 2·kvHeads, tokens, width] directly, as attention reads it;
 * - the last feed-forward runs on the rows that are asked for only (inputs.positions);
 * - Σ over a row of P∘dP equals Σ over the head of O∘dO (FlashAttention, Dao et al. 2022, §3.1): no pass over [T, T].
 *
 * Grouped queries (kvHeads < heads): keys and values are copied to each query head of their group, as little as they are.
 *
 * N = batch · time tokens, M = rows that are asked for, H heads of width w.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { activate } from './activation.ts';
import { affine, plusBias } from './affine.ts';
import type { Step } from './affine.ts';
import type { Kernels } from './kernels.ts';
import type { Learner } from './learner.ts';
import { applied, blockNorm, rootMeanSquare } from './norm.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';
import type { PassInputs } from './pass-inputs.ts';

/** What the layers read of a batch. */
export type LayerInputs<V> = Pick<
  PassInputs<V>,
  'positions' | 'tokens' | 'headsShape' | 'pairsShape' | 'rotationShape' | 'maskShape' | 'rotations' | 'mask'
>;

/** Frees `embedded` [N, d]; the value [M, d] is freed by `back`. */
export function throughLayers<V>(
  k: Kernels<V>,
  config: DecoderConfig,
  learner: Learner<V>,
  inputs: LayerInputs<V>,
  embedded: V,
): Step<V> {
  const { dModel: d, heads: H, layers } = config;
  const w = headWidthOf(config);
  const keyHeads = kvHeadsOf(config);
  const { positions } = inputs;
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
  /** Of normed rows [N, d]. */
  const attention = (at: (name: string) => string, normed: V): Step<V> => {
    const weight = learner.matrix(at('qkv'));
    const all = H + 2 * keyHeads;
    const rows = k.reshape(normed, [1, -1, d]);
    const product = k.batchMatmul(rows, k.reshape(weight, [all, w, d]), false, true);
    const projected = plusBias(k, learner, at('qkv'), product, [all, 1, w]);
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
    const value = plusBias(k, learner, at('o'), k.matmul(oRows, oWeight, false, true));
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
    const up = affine(k, learner, at('up'), normed);
    const gate = config.activation === 'swiglu' ? affine(k, learner, at('gate'), normed) : undefined;
    const hidden = activate(k, config.activation, up.value, gate?.value);
    const down = affine(k, learner, at('down'), hidden.value);
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
  let x = embedded;
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
  k.free(x);
  return {
    value: final.value,
    back(dValue) {
      let dx = final.back(dValue, null);
      for (const back of saved.reverse()) dx = back(dx);
      return dx;
    },
  };
}
