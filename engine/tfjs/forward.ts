/**
 * The decoder's forward pass over a KV cache, for generation: a prompt (many tokens a row) and a step (one) alike.
 *
 *   const { best, logits } = forward(kernels, config, inputs, false);
 *
 * Written once over `Kernels`, so that it can be recorded as a graph or run op by op. Sizes are given as values: one graph
 * serves every count of rows and every length.
 *
 * S slots, T tokens a slot in this pass, N = S·T; H heads in G groups that share a key head (grouped-query attention,
 * Ainslie et al., arXiv:2305.13245), g = H/G, of width w, d of the model (often H·w); R positions the cache has room for; P of a shared prefix.
 *
 * Of note:
 * - keys and values of a layer lie in one buffer [2·G·S·R, w] and are written in place;
 * - rotary positions are one product of complex numbers over q, k and v together (v turns by 0);
 * - a norm's gain and bias and 1/√w are folded into the products that follow (weights.ts);
 * - a shared prefix has one row of keys for all slots: its scores are one large product a key head instead of S small ones.
 *   The softmax runs over prefix and own positions together (Hydragen, Juravsky et al., arXiv:2402.05099, splits it).
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { activate } from './activation.ts';
import type { Kernels } from './kernels.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';

/** x·matrix [in, out], and what is added to each row [out]. */
export interface Affine<V> {
  matrix: V;
  bias?: V;
}

export interface LayerWeights<V> {
  /** To (H + 2·G)·w: q (times 1/√w unless `headGains` are), k, v; rows of q and k in the order of rotary.ts. */
  qkv: Affine<V>;
  /** qkNorm only: [H + G, w], of the queries (times 1/√w) and keys. */
  headGains?: V;
  o: Affine<V>;
  up: Affine<V>;
  /** swiglu only. */
  gate?: Affine<V>;
  down: Affine<V>;
}

export interface ForwardInputs<V> {
  /** int32 [N]: token ids. */
  ids: V;
  /** int32 [N]: each token's position, its prefix included. */
  positions: V;
  /** int32 [2·G·N]: the rows of a layer's buffer that the keys, then the values of this pass are written to. */
  rows: V;
  /** int32 [S]: which of the N tokens are each slot's last; or any others whose next tokens are asked for. */
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
  /** Rotary: [positions, (H + 2·G)·w], cosine and sine side by side. Learned: [context, d]. */
  places: V;
  /** [vocab, d] */
  embedding: V;
  head: Affine<V>;
  layers: LayerWeights<V>[];
  /** A layer each: [2·G·S·R, w]. */
  caches: V[];
  /** A layer each: keys [G, w, P] and values [G, P, w] of the prefix; empty without one. */
  prefixKeys: V[];
  prefixValues: V[];
}

/** @returns `best` int32 [S], the likeliest next token of each slot, `logits` [S, vocab], and what they are made of, `normed` [S, d]. */
export function forward<V>(
  k: Kernels<V>,
  config: DecoderConfig,
  inputs: ForwardInputs<V>,
  prefixed: boolean,
): { best: V; logits: V; normed: V } {
  const { heads, normEpsilon } = config;
  const groups = kvHeadsOf(config);
  const group = heads / groups;
  const width = headWidthOf(config);
  const both = heads + 2 * groups;
  // With one query a key head the matrices are so small that oneDNN's start costs more than it saves.
  const attend = (a: V, b: V, transposeB = false): V =>
    group === 1 ? k.smallMatmul(a, b, transposeB) : k.batchMatmul(a, b, false, transposeB);

  const affine = (x: V, { matrix, bias }: Affine<V>): V => {
    const product = k.matmul(x, matrix);
    return bias === undefined ? product : k.add(product, bias);
  };
  const rootMeanSquare = (x: V, axis: number): V => {
    const squares = k.square(x);
    const mean = k.mean(squares, axis, true);
    const scale = k.rsqrt(k.add(mean, k.scalar(normEpsilon)));
    return k.mul(x, scale);
  };
  const norm = (x: V): V => rootMeanSquare(config.norm === 'layer' ? k.sub(x, k.mean(x, 1, true)) : x, 1);
  /** Queries and keys, not values, of [N, (H + 2·G)·w]. */
  const normHeads = (x: V, gains: V): V => {
    const byHead = k.reshape(x, [-1, both, width]);
    const [compared, values] = k.splitSizes(byHead, k.ints([heads + groups, groups]), 2, 1) as [V, V];
    return k.concat([k.mul(rootMeanSquare(compared, 2), gains), values], 1);
  };
  const places = k.gather(inputs.places, inputs.positions);
  const learned = config.positions === 'learned';
  // All layers turn by the same angles.
  const pairs = [-1, (both * width) / 2, 2];
  const turns = learned ? undefined : k.reshape(places, pairs);
  const turn = (x: V): V => (turns === undefined ? x : k.complexMul(k.reshape(x, pairs), turns));
  // One row of the mask for each head of a group: they stand side by side.
  const mask = k.reshape(k.concat(Array<V>(group).fill(inputs.mask), 1), { vector: inputs.maskShape });
  const embedded = k.gather(inputs.embedding, inputs.ids);
  let x = learned ? k.add(embedded, places) : embedded;
  for (const [index, layer] of inputs.layers.entries()) {
    const entered = norm(x);
    const projected = affine(entered, layer.qkv);
    const flat = turn(layer.headGains === undefined ? projected : normHeads(projected, layer.headGains));
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
    const byRow = k.transpose(k.reshape(mixed, [groups, -1, group * width]), [1, 0, 2]);
    // Of the last layer nobody reads but each slot's last token.
    const read = index === inputs.layers.length - 1 ? (rows: V) => k.gather(rows, inputs.last) : (rows: V) => rows;
    const joined = read(k.reshape(byRow, [-1, heads * width]));
    x = k.add(read(x), affine(joined, layer.o));
    const normed = config.parallel ? read(entered) : norm(x);
    const gate = layer.gate === undefined ? undefined : affine(normed, layer.gate);
    const { value: hidden } = activate(k, config.activation, affine(normed, layer.up), gate);
    x = k.add(x, affine(hidden, layer.down));
  }
  const normed = norm(x);
  const logits = affine(normed, inputs.head);
  return { best: k.argMax(logits, 1), logits, normed };
}
