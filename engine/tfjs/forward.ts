/**
 * The decoder's forward pass over a KV cache, for generation: a prompt (many tokens a row) and a step (one) alike.
 *
 *   const { best, logits } = forward(kernels, config, inputs, false);
 *
 * Written once over `Kernels`, so that it can be recorded as a graph or run op by op. Sizes are given as values: one graph
 * serves every count of rows and every length.
 *
 * S slots, T tokens a slot in this pass, N = S·T; H heads in G groups that share a key head (grouped-query attention,
 * Ainslie et al., arXiv:2305.13245), g = H/G, of width w, d = H·w; R positions the cache has room for; P of a shared prefix.
 *
 * Of note:
 * - keys and values of a layer lie in one buffer [2·G·S·R, w] and are written in place;
 * - rotary positions are one product of complex numbers over q, k and v together (v turns by 0);
 * - RMSNorm's gain and 1/√w are folded into the products that follow (weights.ts);
 * - a shared prefix has one row of keys for all slots: its scores are one large product a key head instead of S small ones.
 *   The softmax runs over prefix and own positions together (Hydragen, Juravsky et al., arXiv:2402.05099, splits it).
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';
import { kvHeadsOf } from './parameters.ts';

/** Each [in, out] float32. */
export interface LayerWeights<V> {
  /** [d, (H + 2·G)·w]: q (times 1/√w), k, v; the two halves that a rotation pairs are neighbours. */
  qkv: V;
  o: V;
  up: V;
  /** swiglu only. */
  gate?: V;
  down: V;
}

export interface ForwardInputs<V> {
  /** int32 [N]: token ids. */
  ids: V;
  /** int32 [N]: each token's position, its prefix included. */
  positions: V;
  /** int32 [2·G·N]: the rows of a layer's buffer that the keys, then the values of this pass are written to. */
  rows: V;
  /** int32 [S]: which of the N tokens are each slot's last. */
  last: V;
  /** [N, R]: 0 where a token may look, else very negative. */
  mask: V;
  /** int32 vectors [1, N·g, R], [2·G·S, R, w], [G·S, T·g, w], [G, N·g, R], [G·S, T·g, R] and [P, R]. */
  maskShape: V;
  cacheShape: V;
  queryShape: V;
  scoreShape: V;
  ownShape: V;
  spans: V;
  /** [positions, (H + 2·G)·w]: cosine and sine side by side. */
  rotations: V;
  /** [vocab, d] */
  embedding: V;
  /** [d, vocab] */
  head: V;
  layers: LayerWeights<V>[];
  /** A layer each: [2·G·S·R, w]. */
  caches: V[];
  /** A layer each: keys [G, w, P] and values [G, P, w] of the prefix; empty without one. */
  prefixKeys: V[];
  prefixValues: V[];
}

/** @returns `best` int32 [S], the likeliest next token of each slot, and `logits` [S, vocab]. */
export function forward<V>(
  k: Kernels<V>,
  config: DecoderConfig,
  inputs: ForwardInputs<V>,
  prefixed: boolean,
): { best: V; logits: V } {
  const { dModel: d, heads, normEpsilon } = config;
  const groups = kvHeadsOf(config);
  const group = heads / groups;
  const width = d / heads;
  const both = heads + 2 * groups;
  // With one query a key head the matrices are so small that oneDNN's start costs more than it saves.
  const attend = (a: V, b: V, transposeB = false): V =>
    group === 1 ? k.smallMatmul(a, b, transposeB) : k.batchMatmul(a, b, false, transposeB);

  const norm = (x: V): V => {
    const squares = k.square(x);
    const mean = k.mean(squares, 1, true);
    const scale = k.rsqrt(k.add(mean, k.scalar(normEpsilon)));
    return k.mul(x, scale);
  };
  // All layers turn by the same angles.
  const turns = k.reshape(k.gather(inputs.rotations, inputs.positions), [-1, (both * width) / 2, 2]);
  // One row of the mask for each head of a group: they stand side by side.
  const mask = k.reshape(k.concat(Array<V>(group).fill(inputs.mask), 1), { vector: inputs.maskShape });
  let x = k.gather(inputs.embedding, inputs.ids);
  for (const [index, layer] of inputs.layers.entries()) {
    const flat = k.complexMul(k.reshape(k.matmul(norm(x), layer.qkv), [-1, (both * width) / 2, 2]), turns);
    const byHead = k.transpose(k.reshape(flat, [-1, both, width]), [1, 0, 2]);
    const [turned, written] = k.splitBy(byHead, [heads, 2 * groups]) as [V, V];
    // [H, N, w] to [G, N·g, w]
    const queries =
      group === 1
        ? turned
        : k.reshape(k.transpose(k.reshape(turned, [groups, group, -1, width]), [0, 2, 1, 3]), [groups, -1, width]);
    const cache = k.overwrite(inputs.caches[index]!, inputs.rows, k.reshape(written, [-1, width]));
    const [keys, values] = k.split(k.reshape(cache, { vector: inputs.cacheShape }), 2) as [V, V];
    const own = attend(k.reshape(queries, { vector: inputs.queryShape }), keys, true);
    const scores = k.add(k.reshape(own, { vector: inputs.scoreShape }), mask);
    let mixed: V;
    if (!prefixed) {
      const shares = k.reshape(k.softmax(scores), { vector: inputs.ownShape });
      mixed = k.reshape(attend(shares, values), [groups, -1, width]);
    } else {
      // oneDNN's product: Eigen's sums in another order where there are more rows.
      const far = k.batchMatmul(queries, inputs.prefixKeys[index]!);
      const shares = k.softmax(k.concat([far, scores], 2));
      const [farShares, ownShares] = k.splitSizes(shares, inputs.spans, 2, 2) as [V, V];
      const near = attend(k.reshape(ownShares, { vector: inputs.ownShape }), values);
      mixed = k.add(k.batchMatmul(farShares, inputs.prefixValues[index]!), k.reshape(near, [groups, -1, width]));
    }
    let joined = k.reshape(k.transpose(k.reshape(mixed, [groups, -1, group * width]), [1, 0, 2]), [-1, d]);
    // Of the last layer nobody reads but each slot's last token.
    if (index === inputs.layers.length - 1) [joined, x] = [k.gather(joined, inputs.last), k.gather(x, inputs.last)];
    x = k.add(x, k.matmul(joined, layer.o));
    const normed = norm(x);
    let hidden = k.matmul(normed, layer.up);
    if (layer.gate === undefined) hidden = k.relu(hidden);
    else {
      const gate = k.matmul(normed, layer.gate);
      hidden = k.mul(k.mul(gate, k.sigmoid(gate)), hidden);
    }
    x = k.add(x, k.matmul(hidden, layer.down));
  }
  const logits = k.matmul(norm(x), inputs.head);
  return { best: k.argMax(logits, 1), logits };
}
